"""Renames the rate-limit headers of one protocol to those that callers of another look for.

A client paces itself by its account's limits, also when its request is translated.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from router.wire.headers.rate_limits import NAMES, LimitNames

_Line = tuple[bytes, bytes, bytes]
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 32 * 86400.0
_DIGITS = 18


def rename_limits(lines: Sequence[_Line], names: LimitNames | None, now: int) -> list[_Line]:
    """Header lines with the limits under the names that callers look for; other lines stay.

    Only requests and tokens have a name in every protocol. Some write resets as timestamps, others as durations; a
    reset that cannot be read is left out. names: None for callers that look for none. now: seconds since 1970.
    """
    if names is None:
        return [*lines]
    out: list[_Line] = []
    for line in lines:
        found = _read_name(line[1], names)
        if found is None:
            out.append(line)
            continue
        part, unit, form = found
        value = line[2]
        if part == b"reset":
            seconds = _read_reset(value, form, now)
            value = b"" if seconds is None else _write_reset(seconds, names, now)
        if value:
            name = names.header(part, unit)
            out.append((name, name, value))
    return out


def _read_name(name: bytes, names: LimitNames) -> tuple[bytes, bytes, LimitNames] | None:
    """Part, unit and form of a header with a limit under other names, None for any other header."""
    for form in NAMES:
        if form is names or not name.startswith(form.prefix):
            continue
        for part in (b"limit", b"remaining", b"reset"):
            for unit in (b"requests", b"tokens"):
                if name == form.header(part, unit):
                    return part, unit, form
    return None


def _read_reset(value: bytes, form: LimitNames, now: int) -> float | None:
    """The seconds until a reset, None when it cannot be read."""
    found = _parse_duration(value) if form.resets == "duration" else _parse_timestamp(value, now)
    return found if found is not None and 0 <= found <= _LONGEST else None


def _write_reset(seconds: float, names: LimitNames, now: int) -> bytes:
    if names.resets == "duration":
        return b"%ds" % math.ceil(seconds)
    reset = datetime.fromtimestamp(now, UTC) + timedelta(seconds=math.ceil(seconds))
    return reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")


def _parse_duration(duration: bytes) -> float | None:
    """A duration, such as `6m0s`, in seconds."""
    text = duration.strip().decode("latin-1")
    if len(text) > _DIGITS:
        return None
    parts = _DURATION.findall(text)
    if not parts or _DURATION.sub("", text):
        return None
    return sum(float(amount) * _SECONDS[unit] for amount, unit in parts)


def _parse_timestamp(timestamp: bytes, now: int) -> float | None:
    """The seconds until an RFC 3339 timestamp."""
    try:
        found = datetime.fromisoformat(timestamp.strip().decode("ascii"))
    except ValueError:
        return None
    return math.ceil(found.timestamp() - now) if found.tzinfo is not None else None
