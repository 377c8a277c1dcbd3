"""What the headers of an answer say of the account's limits: what is used up, and what the request was billed to."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from router.ir import Protocol

_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_CLAIM = b"anthropic-ratelimit-unified-representative-claim"
_SHARE = b"-utilization"
_LEFT = b"remaining"
_DIGITS = 18
_Line = tuple[bytes, bytes, bytes]
_THEIRS = re.compile(rb"anthropic-ratelimit-(requests|tokens)-(limit|remaining|reset)")
_OURS = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s|d)")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LONGEST = 32 * 86400.0


class Reading(NamedTuple):
    """billing: the class the request was billed to, as the provider names it; '' when it does not say. used: the
    largest share of a limit that is in use, from 0; None when no limit was told."""

    billing: str
    used: float | None


_NOTHING = Reading("", None)


def reading(fields: Mapping[bytes, bytes]) -> Reading:
    """What these headers (lower-case name -> value) tell."""
    if b"ratelimit-" not in b" ".join(fields):
        return _NOTHING  # at a tenth of what a look at each name costs
    used: float | None = None
    for name, value in fields.items():
        if not name.startswith(_PREFIXES):
            continue
        share = None
        if name.endswith(_SHARE):
            share = _number(value)
        elif _LEFT in name:
            share = _share(_number(value), _number(fields.get(name.replace(_LEFT, b"limit"), b"")))
        if share is not None and (used is None or share > used):
            used = share
    claim = fields.get(_CLAIM, b"")
    return Reading(claim[:64].decode("ascii", "replace") if claim else "", used)


def _share(left: float | None, limit: float | None) -> float | None:
    if left is None or not limit:
        return None
    return max(0.0, 1 - left / limit)


def _number(value: bytes) -> float | None:
    text = value.strip()
    if len(text) > _DIGITS:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def renamed(lines: Sequence[_Line], protocol: Protocol, now: int) -> list[_Line]:
    """Header lines with the limits under the names that callers of a protocol look for; others stay.

    Resets are moments at Anthropic and spans elsewhere; one that cannot be read is left out. now: seconds since 1970.
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
            value = _moment(value, now) if protocol == "messages" else _span(value, now)
        if value:
            name = b"anthropic-ratelimit-%b-%b" % (unit, part)
            name = name if protocol == "messages" else b"x-ratelimit-%b-%b" % (part, unit)
            out.append((name, name, value))
    return out


def _moment(span: bytes, now: int) -> bytes:
    """`6m0s` from now as RFC 3339; empty for what is no span."""
    text = span.strip().decode("latin-1")
    parts = _SPAN.findall(text)
    if len(text) > _DIGITS or not parts or _SPAN.sub("", text):
        return b""
    seconds = sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    if seconds > _LONGEST:
        return b""
    moment = datetime.fromtimestamp(now, UTC) + timedelta(seconds=math.ceil(seconds))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode("ascii")


def _span(moment: bytes, now: int) -> bytes:
    """An RFC 3339 moment as the seconds until then; empty for what is none."""
    try:
        found = datetime.fromisoformat(moment.strip().decode("ascii"))
    except ValueError:
        return b""
    seconds = math.ceil(found.timestamp() - now) if found.tzinfo is not None else -1
    return b"%ds" % seconds if 0 <= seconds <= _LONGEST else b""
