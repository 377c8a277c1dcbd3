"""What the headers of an answer say of its account: how much of each limit is used up and until when, and what the
request was billed to.

    anthropic-ratelimit-NAME-limit, -remaining, -reset       requests, tokens, input-tokens, output-tokens, …
    anthropic-ratelimit-unified-WINDOW-utilization, -reset   5h, 7d; 7d_opus holds for models of that family alone
    x-ratelimit-limit-NAME, -remaining-NAME, -reset-NAME     requests, tokens, tokens-day, …; NAME may be absent
    retry-after, retry-after-ms                              when to ask again

Windows of overage are none of the plan's: what they cost is the guard's concern. An upstream sends the same headers
each time: where the limits stand among them is looked up once.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from router.wire.headers.times import date_of, seconds_until

_UNIFIED = b"anthropic-ratelimit-unified-"
_CLAIM, _STATUS = _UNIFIED + b"representative-claim", _UNIFIED + b"status"
_OVERAGE_STATUS, _OVERAGE_USED = _UNIFIED + b"overage-status", _UNIFIED + b"overage-in-use"
_OVERAGE = "overage"
_SHARE, _LEFT, _WHOLE, _RESET = b"-utilization", b"remaining", b"limit", b"reset"
_WINDOWS = (_UNIFIED + b"5h" + _SHARE, _UNIFIED + b"7d" + _SHARE)
_RESETS = (_UNIFIED + b"5h-reset", _UNIFIED + b"7d-reset")
_NAME_LIMIT, _LIMITS = 40, 24
_DIGITS = 18
# Nothing that is read is longer; a slice that cuts nothing off copies nothing.
_LENGTH = 128
_SECONDS_LIMIT = 1 << 40


class LimitNames(NamedTuple):
    """How the headers of an account's limits are named: PREFIX-UNIT-PART or PREFIX-PART-UNIT, where the part is limit,
    remaining or reset."""

    prefix: bytes
    #: The part stands behind the unit.
    part_last: bool
    #: What a reset is: an RFC 3339 moment, or the span until then, such as 6m0s.
    resets: Literal["moment", "span"]

    def header(self, part: bytes, unit: bytes) -> bytes:
        """The name of a header, in lower case."""
        return b"%b%b-%b" % ((self.prefix, unit, part) if self.part_last else (self.prefix, part, unit))


ANTHROPIC = LimitNames(b"anthropic-ratelimit-", part_last=True, resets="moment")
OPENAI = LimitNames(b"x-ratelimit-", part_last=False, resets="span")
#: All that are known.
NAMES: list[LimitNames] = [ANTHROPIC, OPENAI]


def add(names: LimitNames) -> None:
    """Have the limits under further names read."""
    if names not in NAMES:
        NAMES.append(names)
        _forget()


def remove(names: LimitNames) -> None:
    """Have the limits under some names read no longer."""
    NAMES.remove(names)
    _forget()


def _forget() -> None:
    for remembered in (_kinds, _telling, _places):
        remembered.cache_clear()


class Limit(NamedTuple):
    """One limit. used: the share in use, 0 to 1. left: seconds until it is free again. family: the models it holds
    for alone, such as `opus`; '' for all."""

    name: str
    used: float
    left: float
    family: str = ""


class Told(NamedTuple):
    """What an answer tells. wait: seconds after which to ask again, None when it does not say."""

    limits: tuple[Limit, ...]
    wait: float | None


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


def telling(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Of these headers (lower-case name -> value) those that `told` and `reading` look at for limits and billing, to be
    kept until somebody asks; none where nothing is told of either."""
    return {name: fields[name][:_LENGTH] for name in _telling(tuple(fields))}


def told(fields: Mapping[bytes, bytes]) -> Told:
    """What these headers (lower-case name -> value) tell of limits."""
    date = date_of(fields)
    limits: list[Limit] = []
    for place in _places(tuple(fields)):
        used = _used(place, fields)
        if used is not None:
            left = seconds_until(fields.get(place.reset, b""), date)
            limits.append(Limit(place.name, min(1.0, used), left, place.family))
    return Told(tuple(limits), _wait(fields, date))


def reading(fields: Mapping[bytes, bytes]) -> Reading:
    """What these headers (lower-case name -> value) tell the history and the guard."""
    places, claims, windows = _kinds(tuple(fields))
    if not places and not claims:
        return _NOTHING
    most: float | None = None
    for place in places:
        used = _used(place, fields)
        if used is not None and (most is None or used > most):
            most = used
    return Reading(_billed_to(fields) if claims else "", most, _windows(fields) if windows else None)


def _billed_to(fields: Mapping[bytes, bytes]) -> str:
    """The class a request was billed to. The claim may name the limit that is used up; an answer that came all the
    same was billed to overage, as Anthropic's own client takes it."""
    if fields.get(_STATUS) == b"rejected" and fields.get(_OVERAGE_STATUS, b"").startswith(b"allowed"):
        return _OVERAGE
    if fields.get(_OVERAGE_USED, b"").lower() == b"true":
        return _OVERAGE
    return fields.get(_CLAIM, b"")[:64].decode("ascii", "replace")


class _Place(NamedTuple):
    """Where a limit stands. share: the header of the share in use, b'' where left and whole are counted."""

    name: str
    family: str
    share: bytes
    left: bytes
    whole: bytes
    reset: bytes


@lru_cache(maxsize=64)
def _kinds(names: tuple[bytes, ...]) -> tuple[tuple[_Place, ...], bool, bool]:
    """The limits among these headers; whether one says what was billed, or tells of a subscription's windows."""
    claims = _CLAIM in names or _STATUS in names
    return _places(names), claims, any(name in names for name in _WINDOWS)


@lru_cache(maxsize=64)
def _telling(names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    wanted = {name for place in _places(names) for name in place if isinstance(name, bytes)}
    wanted |= {name for name in (_CLAIM, _STATUS, _OVERAGE_STATUS, _OVERAGE_USED, *_RESETS) if name in names}
    # Where nothing is told, it does not matter when.
    return tuple(name for name in names if name in wanted or (wanted and name == b"date"))


@lru_cache(maxsize=64)
def _places(names: tuple[bytes, ...]) -> tuple[_Place, ...]:
    found = [_place(name, form) for name in names for form in NAMES if name.startswith(form.prefix)]
    return tuple([place for place in found if place is not None][:_LIMITS])


def _place(name: bytes, form: LimitNames) -> _Place | None:
    """The limit whose use this header tells, None for another header."""
    if name.startswith(_UNIFIED):
        if not name.endswith(_SHARE) or b"overage" in name:
            return None
        window = name[len(_UNIFIED) : -len(_SHARE)]
        family = window.replace(b"-", b"_").partition(b"_")[2]
        reset = name[: -len(_SHARE)] + b"-reset"
        return _Place(_named(window), _named(family).lower(), name, b"", b"", reset)
    if not (name.endswith(_LEFT) if form.part_last else _LEFT in name):
        return None
    bare = name[len(form.prefix) :]
    what = _named(bare.replace(_LEFT, b"").strip(b"-").replace(b"--", b"-")) or "all"
    return _Place(what, "", b"", name, name.replace(_LEFT, _WHOLE), name.replace(_LEFT, _RESET))


def _used(place: _Place, fields: Mapping[bytes, bytes]) -> float | None:
    """The share in use, from 0; None when it cannot be read."""
    if place.share:
        return _number(fields[place.share])
    left = _number(fields[place.left])
    if left is None:
        return None
    whole = _number(fields.get(place.whole, b""))
    if whole is None:
        return None if left else 1.0
    # A limit of nothing is none.
    return max(0.0, 1 - left / whole) if whole else None


def _wait(fields: Mapping[bytes, bytes], date: float | None) -> float | None:
    exact = _number(fields.get(b"retry-after-ms", b""))
    if exact is not None:
        return seconds_until(b"%f" % (exact / 1000), date)
    value = fields.get(b"retry-after")
    return None if value is None else seconds_until(value, date)


def _windows(fields: Mapping[bytes, bytes]) -> Windows | None:
    found = [_number(fields.get(name, b"")) for name in _WINDOWS]
    if found == [None, None]:
        return None
    resets = [_moment(fields.get(name, b"")) for name in _RESETS]
    return Windows(used_5h=found[0], resets_5h=resets[0], used_7d=found[1], resets_7d=resets[1])


def _moment(value: bytes) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number < _SECONDS_LIMIT else None


def _named(text: bytes) -> str:
    return "".join(char for char in text[:_NAME_LIMIT].decode("latin-1") if char.isalnum() or char in "-_.")


def _number(value: bytes) -> float | None:
    if not value or len(value) > _DIGITS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
