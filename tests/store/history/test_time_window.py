"""The windows of time that a query can have."""

from datetime import datetime

import pytest

from router.store.history.time_window import parse_since

NOW = datetime(2026, 11, 21, 15, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "begin"),
    [
        ("60m", NOW - 3600),
        ("5min", NOW - 300),
        ("24h", NOW - 86400),
        (" 7D ", NOW - 7 * 86400),
        ("2w", NOW - 14 * 86400),
        ("today", datetime(2026, 11, 21).timestamp()),
        ("2026-11-01", datetime(2026, 11, 1).timestamp()),
        ("2026-11-21T15:00", datetime(2026, 11, 21, 15).timestamp()),
    ],
)
def test_times(text, begin):
    """Spans, today, and dates of this place."""
    assert parse_since(text, NOW) == begin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "1",
        "0m",
        "-1h",
        "1y",
        "1.5h",
        "999999d",
        "2026-13-01",
        "2027-01-01",
        "0001-01-01",
        "20261101",
        "9" * 30,
    ],
)
def test_what_is_no_time(text):
    """It is refused with the expected forms, also a time in the future."""
    with pytest.raises(ValueError, match="such as"):
        parse_since(text, NOW)
