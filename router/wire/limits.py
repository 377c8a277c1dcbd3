"""What the headers of an answer say of the account's limits: what is used up, and what the request was billed to."""

import math
from collections.abc import Mapping
from typing import NamedTuple

_PREFIXES = (b"anthropic-ratelimit-", b"x-ratelimit-")
_CLAIM = b"anthropic-ratelimit-unified-representative-claim"
_SHARE = b"-utilization"
_LEFT = b"remaining"
_DIGITS = 18


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
