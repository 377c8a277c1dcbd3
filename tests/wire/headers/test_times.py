"""Times as providers write them, read without any clock of this machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.headers.times import LONGEST, UNREADABLE, read_date, seconds_until

# Thu, 01 Jan 2026 00:00:00 GMT
DATE = 1767225600.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"6m0s", 360.0),
        (b"20ms", 0.02),
        (b"1h2m3.5s", 3723.5),
        (b"2m59.56s", 179.56),
        (b"1d", 86_400.0),
        (b"0", 0.0),
        (b"30", 30.0),
        (b"33011.382867", 33011.382867),
        (b"1767225660", 60.0),
        (b"1767225660000", 60.0),
        (b"2026-01-01T00:01:00Z", 60.0),
        (b"2026-01-01T02:01:00+02:00", 60.0),
        (b"Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        # What lies behind, far ahead, or makes no sense.
        (b"2025-12-31T23:59:00Z", UNREADABLE),
        (b"1767225000", UNREADABLE),
        (b"9999-12-31T23:59:59Z", UNREADABLE),
        (b"1e12", UNREADABLE),
        (b"1e400", UNREADABLE),
        (b"-5", UNREADABLE),
        (b"nan", UNREADABLE),
        (b"", UNREADABLE),
        (b"soon", UNREADABLE),
        (b"6m0", UNREADABLE),
        (b"9" * 400, UNREADABLE),
        (b"2900000", UNREADABLE),
        (b"Thu, 99 Foo 2026 00:01:00 GMT", UNREADABLE),
        (b"Thu, 31 Feb 2026 00:01:00 GMT", UNREADABLE),
    ],
)
def test_forms(text, seconds):
    """Seconds, durations, moments since 1970, dates; past, far or unreadable ones are a minute."""
    assert seconds_until(text, DATE) == pytest.approx(seconds)


@pytest.mark.parametrize("text", [b"1767225660", b"2026-01-01T00:01:00Z", b"Thu, 01 Jan 2026 00:01:00 GMT"])
def test_a_moment_without_a_date_means_nothing(text):
    """This machine's own clock may be off by a year, so it is not asked."""
    assert seconds_until(text, None) == UNREADABLE
    assert seconds_until(b"30", None) == 30.0


@pytest.mark.parametrize("off", [0, 86_400, -86_400, 31_536_000, -31_536_000])
def test_the_upstreams_own_clock_counts(off):
    """An upstream whose clock is off by a day or a year, as seen from here, is read alike."""
    date = DATE + off
    assert seconds_until(b"%d" % (date + 90), date) == pytest.approx(90)


@given(st.binary(max_size=80), st.one_of(st.none(), st.floats(0, 3e11)))
def test_anything(text, date):
    """Whatever stands there, it is a time within 32 days."""
    assert 0 <= seconds_until(text, date) <= LONGEST


def test_date_of_an_answer():
    """The Date field, None when it is missing or no date."""
    assert read_date({b"date": b"Thu, 01 Jan 2026 00:00:00 GMT"}) == DATE
    assert read_date({b"date": b"yesterday"}) is None
    assert read_date({}) is None
