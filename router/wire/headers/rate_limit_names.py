"""Renames the rate-limit headers of one protocol to those that callers of the other look for.

A client paces itself by its account's limits, also when its request is translated.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from router.ir import Protocol

_Line = tuple[bytes, bytes, bytes]
_THEIRS = re.compile(rb"anthropic-ratelimit-(requests|tokens)-(limit|remaining|reset)")
_OURS = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 32 * 86400.0
_DIGITS = 18


def rename_limits(lines: Sequence[_Line], protocol: Protocol, now: int) -> list[_Line]:
    """Header lines with the limits under the names that callers of a protocol look for; other lines stay.

    Anthropic writes resets as timestamps, OpenAI as durations; a reset that cannot be read is left out.
    now: seconds since 1970.
    """
    out: list[_Line] = []
    for line in lines:
        found = (_OURS if protocol == "messages" else _THEIRS).fullmatch(line[1])
        if found is None:
            out.append(line)
            continue
        part, unit = (found[1], found[2]) if protocol == "messages" else (found[2], found[1])
        value = line[2]
        if part == b"reset":
            value = _to_timestamp(value, now) if protocol == "messages" else _to_duration(value, now)
        if value:
            name = b"anthropic-ratelimit-%b-%b" % (unit, part)
            name = name if protocol == "messages" else b"x-ratelimit-%b-%b" % (part, unit)
            out.append((name, name, value))
    return out


def _to_timestamp(span: bytes, now: int) -> bytes:
    """A duration from now, such as `6m0s`, as an RFC 3339 timestamp; empty for anything else."""
    text = span.strip().decode("latin-1")
    parts = _SPAN.findall(text)
    if len(text) > _DIGITS or not parts or _SPAN.sub("", text):
        return b""
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    if seconds > _LONGEST:
        return b""
    moment = datetime.fromtimestamp(now, UTC) + timedelta(seconds=math.ceil(seconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")


def _to_duration(moment: bytes, now: int) -> bytes:
    """The seconds until an RFC 3339 timestamp, as a duration; empty for anything else."""
    try:
        found = datetime.fromisoformat(moment.strip().decode("ascii"))
    except ValueError:
        return b""
    seconds = math.ceil(found.timestamp() - now) if found.tzinfo is not None else -1
    return b"%ds" % seconds if 0 <= seconds <= _LONGEST else b""
