"""The window of a query: `60m`, `24h`, `7d`, `today`, or a date."""

import re
from datetime import datetime

_UNITS = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
#: The expected forms, for errors.
EXPECTED = "a time such as 60m, 24h or 7d, today, or a date such as 2026-11-01"
_LONGEST = 3660 * 86400


def parse_since(text: str, now: float) -> float:
    """Parse the beginning of a window into seconds since 1970; dates are local. Raises ValueError."""
    text = text.strip().lower()
    match = re.fullmatch(r"([0-9]{1,6})\s*(m|min|h|d|w)", text)
    try:
        if match is not None:
            begin = now - int(match[1]) * _UNITS[match[2]]
        elif text == "today":
            begin = datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        elif re.match(r"\d{4}-", text):
            begin = datetime.fromisoformat(text).timestamp()
        else:
            raise ValueError
    except (ValueError, OverflowError, OSError):
        raise ValueError(EXPECTED) from None
    if not now - _LONGEST <= begin < now:
        raise ValueError(EXPECTED)
    return begin
