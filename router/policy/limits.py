"""What the headers of an answer tell of its account: how much of each limit is used up, and until when.

    anthropic-ratelimit-NAME-limit, -remaining, -reset       requests, tokens, input-tokens, output-tokens, …
    anthropic-ratelimit-unified-WINDOW-utilization, -reset   5h, 7d; 7d_opus holds for models of that family alone
    x-ratelimit-limit-NAME, -remaining-NAME, -reset-NAME     requests, tokens, tokens-day, …; Name may be absent
    retry-after, retry-after-ms                              when to ask again

Windows of overage are none of the plan's: what they cost is the guard's concern.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from router.policy.moments import UNREADABLE, date_of, seconds_until

#: A used-up limit closer to its end than this, and the account is as good as empty.
SPENT = 0.98

_ANTHROPIC, _OTHERS = b"anthropic-ratelimit-", b"x-ratelimit-"
_UNIFIED, _SHARE = b"unified-", b"-utilization"
_LEFT, _WHOLE, _RESET = b"remaining", b"limit", b"reset"
_NAME_LIMIT, _LIMITS = 40, 24
_DIGITS = 18


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


def tells(fields: Mapping[bytes, bytes]) -> bool:
    """True when there may be a limit among these headers."""
    return b"ratelimit-" in b" ".join(fields)


def told(fields: Mapping[bytes, bytes]) -> Told:
    """What these headers (lower-case name -> value) tell."""
    date = date_of(fields)
    limits: list[Limit] = []
    for name, value in fields.items():
        if len(limits) == _LIMITS:
            break
        found = None
        if name.startswith(_ANTHROPIC):
            found = _anthropic(name, value, fields, date)
        elif name.startswith(_OTHERS) and _LEFT in name:
            found = _counted(name[len(_OTHERS) :], name, fields, date)
        if found is not None:
            limits.append(found)
    return Told(tuple(limits), _wait(fields, date))


def _anthropic(name: bytes, value: bytes, fields: Mapping[bytes, bytes], date: float | None) -> Limit | None:
    bare = name[len(_ANTHROPIC) :]
    if not bare.startswith(_UNIFIED):
        return _counted(bare, name, fields, date) if bare.endswith(_LEFT) else None
    if not bare.endswith(_SHARE) or b"overage" in bare:
        return None
    used = _number(value)
    if used is None:
        return None
    window = bare[len(_UNIFIED) : -len(_SHARE)]
    reset = fields.get(name[: -len(_SHARE)] + b"-reset", b"")
    _, _, family = window.replace(b"-", b"_").partition(b"_")
    return Limit(_named(window), min(1.0, used), seconds_until(reset, date), _named(family).lower())


def _counted(bare: bytes, name: bytes, fields: Mapping[bytes, bytes], date: float | None) -> Limit | None:
    """The limit whose remainder this header counts."""
    left = _number(fields[name])
    whole = _number(fields.get(name.replace(_LEFT, _WHOLE), b""))
    if left is None or (left and not whole):
        return None
    used = 1.0 if not left else min(1.0, max(0.0, 1 - left / (whole or left)))
    reset = fields.get(name.replace(_LEFT, _RESET), b"")
    what = bare.replace(_LEFT, b"").strip(b"-").replace(b"--", b"-")
    return Limit(_named(what) or "all", used, seconds_until(reset, date))


def _wait(fields: Mapping[bytes, bytes], date: float | None) -> float | None:
    exact = _number(fields.get(b"retry-after-ms", b""))
    if exact is not None:
        return seconds_until(b"%f" % (exact / 1000), date)
    value = fields.get(b"retry-after")
    return None if value is None else seconds_until(value, date)


def reset_of(told: Told, family: str = "") -> tuple[float, str] | None:
    """When the limits that are used up are free again, in seconds, and the name of the last of them; None when none
    is. family: the models that were asked for."""
    spent = [limit for limit in told.limits if limit.used >= SPENT and limit.family in ("", family)]
    last = max(spent, key=lambda limit: limit.left, default=None)
    return None if last is None else (last.left or UNREADABLE, last.name)


def _named(text: bytes) -> str:
    return "".join(char for char in text[:_NAME_LIMIT].decode("latin-1") if char.isalnum() or char in "-_.")


def _number(value: bytes) -> float | None:
    text = value.strip()
    if not text or len(text) > _DIGITS:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
