"""Parses the times in providers' headers: how many seconds until a limit is free again.

Absolute times are measured from the answer's own Date, so that the clock of this machine does not matter. A time in
the past, over LONGEST ahead, or in an unknown form gives UNREADABLE: the account is then asked again after a minute.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

UNREADABLE = 60.0
LONGEST = 32 * 86_400.0

_EPOCH, _EPOCH_MS = 1e9, 1e11
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)(ns|us|µs|ms|s|m|h|d)")
_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?(?:e\+?\d{1,3})?", re.IGNORECASE)
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
# RFC 9110, 5.6.7, without the two obsolete forms, which no provider sends.
_HTTP = re.compile(r"[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt", re.IGNORECASE)
_LIMIT = 64


def read_date(fields: Mapping[bytes, bytes]) -> float | None:
    """When an answer was made, in seconds since 1970 by the upstream's clock; None when it does not say."""
    value = fields.get(b"date")
    return None if value is None else _parse_cached_date(value)


@lru_cache(maxsize=64)
def _parse_cached_date(value: bytes) -> float | None:
    # All answers of one second have the same Date.
    return _parse_http_date(value.decode("latin-1").strip())


def seconds_until(value: bytes, date: float | None) -> float:
    """Seconds until the time in a header: a number of seconds, a duration such as `6m0s` or `20ms`, seconds or
    milliseconds since 1970, an RFC 3339 or HTTP date. date: when the answer was made."""
    parsed = _parse_time(value) if len(value) <= _LIMIT else None
    if parsed is None or (parsed.is_moment and date is None):
        return UNREADABLE
    found = parsed.number - (date or 0.0) if parsed.is_moment else parsed.number
    return found if 0 <= found <= LONGEST else UNREADABLE


class _Time(NamedTuple):
    """A parsed time."""

    #: Seconds; for a moment seconds since 1970.
    number: float
    is_moment: bool


# Cached: until a window ends, all answers give the same end.
@lru_cache(maxsize=256)
def _parse_time(value: bytes) -> _Time | None:
    text = value.decode("latin-1").strip().replace("Â\xb5", "µ")
    if _NUMBER.fullmatch(text):
        number = float(text)
        if number < _EPOCH:
            return _Time(number, is_moment=False)
        moment = number if number < _EPOCH_MS else number / 1000
        return _Time(moment, is_moment=True) if math.isfinite(moment) else None
    seconds = _parse_duration(text) if text else None
    if seconds is not None:
        return _Time(seconds, is_moment=False)
    moment = _parse_timestamp(text)
    return None if moment is None else _Time(moment, is_moment=True)


def _parse_duration(text: str) -> float | None:
    seconds, at = 0.0, 0
    while match := _PART.match(text, at):
        seconds += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return seconds if at == len(text) else None


def _parse_timestamp(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return _parse_http_date(text)


def _parse_http_date(text: str) -> float | None:
    match = _HTTP.fullmatch(text)
    if match is None or match[2].lower() not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[n]) for n in (1, 3, 4, 5, 6))
    try:
        return datetime(year, _MONTHS[match[2].lower()], day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
