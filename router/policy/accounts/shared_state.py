"""The state of an account as the proxies of a team tell it to each other: what closes it, and what is left of it.

Moments are seconds of a clock that all have in common; `shift` is what is added to one of the own clock to have it by
that. What is not told: how a network fails from one machine, and what a process itself runs.
"""

import math

import msgspec

from router.policy.accounts.member import Closing, Member
from router.wire.headers.rate_limits import Limit

#: A change of what is left is told from this on.
_STEP = 100
_LIMITS = 32
_TEXT = 200


class SharedClosing(msgspec.Struct, frozen=True, array_like=True):
    """The time for which an account is closed to a family or model alone."""

    models: str
    until: float
    since: float
    why: str
    refusals: int = 0


class SharedReading(msgspec.Struct, frozen=True, array_like=True):
    """A limit as an answer gave it."""

    name: str
    used: float
    until: float
    family: str = ""


class SharedAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told of an account."""

    #: Closed until then, since when, and why; 0.0 for an account that is open.
    closed: float = 0.0
    closed_at: float = 0.0
    why: str = ""
    cools: bool = False
    spent: bool = False
    rejections: int = 0
    parts: tuple[SharedClosing, ...] = ()
    limits: tuple[SharedReading, ...] = ()


def summarize(member: Member, now: float) -> tuple[object, ...]:
    """What differs after a change that is to be told; of an account that nothing has happened to, all are alike."""
    readings = [
        (one.limit.name, one.limit.family, round(one.limit.used * _STEP)) for one in member.headroom.readings(now)
    ]
    parts = [(key, part) for key, part in member.closed_for.items() if part.until > now]
    closed = (member.closed, member.closed_at, member.cools, member.spent) if member.closed > now else ()
    return (closed, member.rejections, tuple(parts), tuple(sorted(readings)))


def read_account(member: Member, now: float, shift: float) -> SharedAccount:
    """What is to be told of an account now."""
    parts = tuple(
        SharedClosing(key, part.until + shift, part.since + shift, part.why[:_TEXT], part.refusals)
        for key, part in member.closed_for.items()
        if part.until > now
    )
    limits = tuple(
        SharedReading(one.limit.name, round(one.limit.used, 4), one.until + shift, one.limit.family)
        for one in member.headroom.readings(now)
        if math.isfinite(one.until)
    )
    if member.closed <= now:
        return SharedAccount(rejections=member.rejections, parts=parts, limits=limits)
    return SharedAccount(
        closed=member.closed + shift,
        closed_at=member.closed_at + shift,
        why=member.why[:_TEXT],
        cools=member.cools,
        spent=member.spent,
        rejections=member.rejections,
        parts=parts,
        limits=limits,
    )


def apply_account(member: Member, told: SharedAccount, now: float, shift: float) -> None:
    """Take over what another process told of an account."""
    closed = told.closed - shift if told.closed else 0.0
    if closed > now:
        member.closed, member.cools, member.spent = closed, told.cools, told.spent
        member.closed_at, member.why = min(now, told.closed_at - shift), told.why
    else:
        member.closed, member.cools, member.spent = 0.0, False, False
    member.rejections = max(0, told.rejections)
    member.closed_for.clear()
    for part in told.parts:
        if part.until - shift > now:
            since = min(now, part.since - shift)
            member.close_for(part.models, Closing(part.until - shift, since, part.why, max(0, part.refusals)))
    limits = [
        Limit(one.name, min(1.0, max(0.0, one.used)), one.until - shift - now, one.family)
        for one in told.limits[:_LIMITS]
        if one.until - shift > now
    ]
    if limits:
        member.headroom.note_limits(tuple(limits), now)
    member.settle()
