"""What the headers of an answer say of the account's limits: what is used up, and what the request was billed to."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_CLAIM = b"anthropic-ratelimit-unified-representative-claim"
_UNIFIED = b"anthropic-ratelimit-unified-"
_SHARE = b"-utilization"
_LEFT = b"remaining"
_DIGITS = 18


class Windows(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The two windows a subscription is counted in. used_*: the share in use, from 0. resets_*: when the window begins
    anew, in seconds since 1970. None for what was not told."""

    used_5h: float | None = None
    resets_5h: int | None = None
    used_7d: float | None = None
    resets_7d: int | None = None


class Reading(NamedTuple):
    """billing: the class the request was billed to, as the provider names it; '' when it does not say. used: the
    largest share of a limit that is in use, from 0; None when no limit was told. windows: None when neither was."""

    billing: str
    used: float | None
    windows: Windows | None = None


_NOTHING = Reading("", None)
_SECONDS_LIMIT = 1 << 40


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
    return Reading(claim[:64].decode("ascii", "replace") if claim else "", used, _windows(fields))


def _windows(fields: Mapping[bytes, bytes]) -> Windows | None:
    found = [_number(fields.get(_UNIFIED + name + _SHARE, b"")) for name in (b"5h", b"7d")]
    if found == [None, None]:
        return None
    resets = [_moment(fields.get(_UNIFIED + name + b"-reset", b"")) for name in (b"5h", b"7d")]
    return Windows(used_5h=found[0], resets_5h=resets[0], used_7d=found[1], resets_7d=resets[1])


def _moment(value: bytes) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < _SECONDS_LIMIT else None


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
