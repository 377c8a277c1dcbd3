"""Reads an account's state from the headers of an answer: the used share of each limit, its reset, and the class the
request was billed to.

    anthropic-ratelimit-NAME-limit, -remaining, -reset       requests, tokens, input-tokens, output-tokens, …
    anthropic-ratelimit-unified-WINDOW-utilization, -reset   5h, 7d; 7d_opus holds for models of that family alone
    x-ratelimit-limit-NAME, -remaining-NAME, -reset-NAME     requests, tokens, tokens-day, …; NAME may be absent
    retry-after, retry-after-ms                              when to ask again

Overage windows are left out: they limit spending, which the guard checks, and not what the plan includes. An upstream
sends the same header names each time, so the lookup of the limits among them is cached by the tuple of names.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from router.wire.headers.times import read_date, seconds_until

_UNIFIED = b"anthropic-ratelimit-unified-"
_CLAIM, _STATUS = _UNIFIED + b"representative-claim", _UNIFIED + b"status"
_OVERAGE_STATUS, _OVERAGE_USED = _UNIFIED + b"overage-status", _UNIFIED + b"overage-in-use"
_OVERAGE = "overage"
_SHARE, _LEFT, _WHOLE, _RESET = b"-utilization", b"remaining", b"limit", b"reset"
_WINDOWS = (_UNIFIED + b"5h" + _SHARE, _UNIFIED + b"7d" + _SHARE)
_RESETS = (_UNIFIED + b"5h-reset", _UNIFIED + b"7d-reset")
_NAME_LIMIT, _LIMITS = 40, 24
_DIGITS = 18
# No value that is read is longer; slicing shorter bytes returns the same object without a copy.
_LENGTH = 128
_SECONDS_LIMIT = 1 << 40


class LimitNames(NamedTuple):
    """How the headers of an account's limits are named: PREFIX-UNIT-PART or PREFIX-PART-UNIT, where the part is limit,
    remaining or reset."""

    prefix: bytes
    #: The part stands behind the unit.
    part_last: bool
    #: What a reset is: an RFC 3339 timestamp, or the duration until then, such as 6m0s.
    resets: Literal["timestamp", "duration"]

    def header(self, part: bytes, unit: bytes) -> bytes:
        """The name of a header, in lower case."""
        return b"%b%b-%b" % ((self.prefix, unit, part) if self.part_last else (self.prefix, part, unit))


ANTHROPIC = LimitNames(b"anthropic-ratelimit-", part_last=True, resets="timestamp")
OPENAI = LimitNames(b"x-ratelimit-", part_last=False, resets="duration")
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
    for remembered in (_classify_headers, _select_names, _find_limits):
        remembered.cache_clear()


class Limit(NamedTuple):
    """One limit of an account."""

    name: str
    #: The share in use, 0 to 1.
    used: float
    #: Seconds until the limit is free again.
    left: float
    #: The model family that the limit is restricted to, such as `opus`; '' for all models.
    family: str = ""


class AccountLimits(NamedTuple):
    """The limits in the headers of one answer."""

    limits: tuple[Limit, ...]
    #: Seconds after which to ask again, None when the answer does not say.
    wait: float | None


class Windows(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The two windows of a subscription; None for a value that the headers do not hold."""

    #: The share of the 5-hour window in use, from 0.
    used_5h: float | None = None
    #: When the 5-hour window begins anew, in seconds since 1970.
    resets_5h: int | None = None
    #: The share of the 7-day window in use, from 0.
    used_7d: float | None = None
    #: When the 7-day window begins anew, in seconds since 1970.
    resets_7d: int | None = None


class BillingAndUsage(NamedTuple):
    """How a request was billed, and how much of its account is used up."""

    #: The class the request was billed to, as the provider names it; '' when the headers do not say.
    billing: str
    #: The largest used share of any limit, from 0; None when the headers hold no limit.
    used: float | None
    #: None when the headers hold neither window.
    windows: Windows | None = None


_NOTHING = BillingAndUsage("", None)


def limit_headers(fields: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Of these headers (lower-case name -> value) those that `parse_limits` and `billing_and_usage` read, so that they
    can be parsed later without keeping all headers; empty when there are none."""
    return {name: fields[name][:_LENGTH] for name in _select_names(tuple(fields))}


def parse_limits(fields: Mapping[bytes, bytes]) -> AccountLimits:
    """The limits in these headers (lower-case name -> value)."""
    date = read_date(fields)
    limits: list[Limit] = []
    for place in _find_limits(tuple(fields)):
        used = _read_share(place, fields)
        if used is not None:
            left = seconds_until(fields.get(place.reset, b""), date)
            limits.append(Limit(place.name, min(1.0, used), left, place.family))
    return AccountLimits(tuple(limits), _read_wait(fields, date))


def billing_and_usage(fields: Mapping[bytes, bytes]) -> BillingAndUsage:
    """Billing class and used share in these headers (lower-case name -> value), for the history and the guard."""
    places, claims, windows = _classify_headers(tuple(fields))
    if not places and not claims:
        return _NOTHING
    most: float | None = None
    for place in places:
        used = _read_share(place, fields)
        if used is not None and (most is None or used > most):
            most = used
    return BillingAndUsage(_billing_class(fields) if claims else "", most, _read_windows(fields) if windows else None)


def _billing_class(fields: Mapping[bytes, bytes]) -> str:
    """The class a request was billed to. The claim may name a limit that is used up; an answer that was given all the
    same was billed to overage. Anthropic's own client reads the headers in this way."""
    if fields.get(_STATUS) == b"rejected" and fields.get(_OVERAGE_STATUS, b"").startswith(b"allowed"):
        return _OVERAGE
    if fields.get(_OVERAGE_USED, b"").lower() == b"true":
        return _OVERAGE
    return fields.get(_CLAIM, b"")[:64].decode("ascii", "replace")


class _LimitHeaders(NamedTuple):
    """The names of the headers that describe one limit."""

    name: str
    family: str
    #: The header with the used share, b'' where `left` and `whole` give absolute numbers.
    share: bytes
    left: bytes
    whole: bytes
    reset: bytes


@lru_cache(maxsize=64)
def _classify_headers(names: tuple[bytes, ...]) -> tuple[tuple[_LimitHeaders, ...], bool, bool]:
    """The limits among these headers; whether one names the billing class; whether one gives a subscription window."""
    claims = _CLAIM in names or _STATUS in names
    return _find_limits(names), claims, any(name in names for name in _WINDOWS)


@lru_cache(maxsize=64)
def _select_names(names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    wanted = {name for place in _find_limits(names) for name in place if isinstance(name, bytes)}
    wanted |= {name for name in (_CLAIM, _STATUS, _OVERAGE_STATUS, _OVERAGE_USED, *_RESETS) if name in names}
    # The date is the base of absolute resets; without a limit it is not needed.
    return tuple(name for name in names if name in wanted or (wanted and name == b"date"))


@lru_cache(maxsize=64)
def _find_limits(names: tuple[bytes, ...]) -> tuple[_LimitHeaders, ...]:
    found = [_parse_limit_name(name, form) for name in names for form in NAMES if name.startswith(form.prefix)]
    return tuple([place for place in found if place is not None][:_LIMITS])


def _parse_limit_name(name: bytes, form: LimitNames) -> _LimitHeaders | None:
    """The limit whose remaining amount or used share this header gives, None for any other header."""
    if name.startswith(_UNIFIED):
        if not name.endswith(_SHARE) or b"overage" in name:
            return None
        window = name[len(_UNIFIED) : -len(_SHARE)]
        family = window.replace(b"-", b"_").partition(b"_")[2]
        reset = name[: -len(_SHARE)] + b"-reset"
        return _LimitHeaders(_clean_name(window), _clean_name(family).lower(), name, b"", b"", reset)
    if not (name.endswith(_LEFT) if form.part_last else _LEFT in name):
        return None
    bare = name[len(form.prefix) :]
    what = _clean_name(bare.replace(_LEFT, b"").strip(b"-").replace(b"--", b"-")) or "all"
    return _LimitHeaders(what, "", b"", name, name.replace(_LEFT, _WHOLE), name.replace(_LEFT, _RESET))


def _read_share(place: _LimitHeaders, fields: Mapping[bytes, bytes]) -> float | None:
    """The share in use, from 0; None when it cannot be read."""
    if place.share:
        return _parse_number(fields[place.share])
    left = _parse_number(fields[place.left])
    if left is None:
        return None
    whole = _parse_number(fields.get(place.whole, b""))
    if whole is None:
        return None if left else 1.0
    # A limit of 0 means no limit.
    return max(0.0, 1 - left / whole) if whole else None


def _read_wait(fields: Mapping[bytes, bytes], date: float | None) -> float | None:
    exact = _parse_number(fields.get(b"retry-after-ms", b""))
    if exact is not None:
        return seconds_until(b"%f" % (exact / 1000), date)
    value = fields.get(b"retry-after")
    return None if value is None else seconds_until(value, date)


def _read_windows(fields: Mapping[bytes, bytes]) -> Windows | None:
    found = [_parse_number(fields.get(name, b"")) for name in _WINDOWS]
    if found == [None, None]:
        return None
    resets = [_read_reset(fields.get(name, b"")) for name in _RESETS]
    return Windows(used_5h=found[0], resets_5h=resets[0], used_7d=found[1], resets_7d=resets[1])


def _read_reset(value: bytes) -> int | None:
    number = _parse_number(value)
    return int(number) if number is not None and number < _SECONDS_LIMIT else None


def _clean_name(text: bytes) -> str:
    return "".join(char for char in text[:_NAME_LIMIT].decode("latin-1") if char.isalnum() or char in "-_.")


def _parse_number(value: bytes) -> float | None:
    if not value or len(value) > _DIGITS:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
