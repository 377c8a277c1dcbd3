"""What the headers of an answer say of the account's limits: what is used up, and what the request was billed to."""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_CLAIM = b"anthropic-ratelimit-unified-representative-claim"
_UNIFIED = b"anthropic-ratelimit-unified-"
_SHARE = b"-utilization"
_LEFT = b"remaining"
_WINDOWS = (_UNIFIED + b"5h" + _SHARE, _UNIFIED + b"7d" + _SHARE)
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
    plan = _plan(tuple(fields))
    if plan is None:
        return _NOTHING
    used: float | None = None
    for name in plan.shares:
        share = _number(fields[name])
        if share is not None and (used is None or share > used):
            used = share
    for name, limit in plan.counts:
        left, most = _number(fields[name]), _number(fields[limit])
        if left is not None and most:
            share = max(0.0, 1 - left / most)
            if used is None or share > used:
                used = share
    claim = fields.get(_CLAIM, b"")
    windows = _windows(fields) if plan.windows else None
    return Reading(claim[:64].decode("ascii", "replace") if claim else "", used, windows)


class _Plan(NamedTuple):
    """Which headers to read. shares: they hold a share in use. counts: what is left, and of how much."""

    shares: tuple[bytes, ...]
    counts: tuple[tuple[bytes, bytes], ...]
    windows: bool


@lru_cache(maxsize=64)
def _plan(names: tuple[bytes, ...]) -> _Plan | None:
    """What to read of answers that have these headers; an upstream sends the same ones each time. None for nothing."""
    told = [name for name in names if name.startswith(_PREFIXES)]
    if not told:
        return None
    pairs = ((name, name.replace(_LEFT, b"limit")) for name in told if _LEFT in name)
    return _Plan(
        tuple(name for name in told if name.endswith(_SHARE)),
        tuple((left, limit) for left, limit in pairs if limit in names),
        any(name in told for name in _WINDOWS),
    )


def _windows(fields: Mapping[bytes, bytes]) -> Windows | None:
    found = [_number(fields.get(name, b"")) for name in _WINDOWS]
    if found == [None, None]:
        return None
    resets = [_moment(fields.get(name.replace(_SHARE, b"-reset"), b"")) for name in _WINDOWS]
    return Windows(used_5h=found[0], resets_5h=resets[0], used_7d=found[1], resets_7d=resets[1])


def _moment(value: bytes) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < _SECONDS_LIMIT else None


def _number(value: bytes) -> float | None:
    if len(value) > _DIGITS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
