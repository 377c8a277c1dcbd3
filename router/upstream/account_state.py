"""The state of the accounts of backends, as texts and as fields."""

import time
from collections.abc import Iterable
from typing import NamedTuple

from router.operator_api.accounts import AccountLimit, AccountStatus
from router.policy.accounts.pool import Member, Want
from router.policy.accounts.retry import format_duration
from router.policy.accounts.session_key import find_family
from router.upstream.services import Service
from router.wire.headers.times import UNREADABLE


class Condition(NamedTuple):
    """The state of an account for any model."""

    #: ready, parked, cooling, revoked, halted, login ended or unusable.
    state: str
    #: Seconds until the account is ready; None when it is ready, or when that is not known.
    left: float | None = None
    #: The reason, as a text.
    why: str = ""

    @property
    def words(self) -> str:
        """A text for users: `ready`, `parked for 38 min (429 window)`."""
        if self.state == "cooling" and self.left is not None:
            return f"paused for {format_duration(self.left)} after a {self.why} (longer each time)"
        if self.left is not None:
            return f"{self.state} for {format_duration(self.left)} ({self.why})"
        return f"{self.state}: {self.why}" if self.why else self.state


def condition(service: Service, member: Member, now: float) -> Condition:
    """The state of an account for any model."""
    target = service.targets[member.alias]
    if target.problem is not None:
        return Condition("login ended" if target.login_ended else "unusable", None, target.problem)
    stopped = service.halted().get(member.alias)
    if stopped is not None:
        return Condition("halted", max(0.0, stopped[1] - time.time()), stopped[0])
    state = member.state(now)
    if state == "ready":
        return Condition(state)
    if now < member.closed:
        return Condition(state, member.closed - now, member.why)
    limit = member.rate_limit.wait(now, 1).limit if member.rate_limit is not None else ""
    return Condition(state, member.limited_until - now, f"at the {limit} you set for it")


def account_words(service: Service, member: Member, now: float) -> str:
    """The state of an account as a text for users; it names models for which alone the account is parked."""
    found = condition(service, member, now)
    rest = service.key_rest(member.alias, now)
    held = [f"its key was refused and is not fetched anew for {format_duration(rest)}"] if rest else []
    if found.state != "ready":
        return "; ".join([found.words, *held])
    ready = "ready" if now >= member.shaky else "ready, but it failed a moment ago"
    closed = [
        f"{'paused' if part.refusals else 'parked'} for {_name_models(key)} for {format_duration(part.until - now)} "
        f"({part.why})"
        for key, part in member.closed_for.items()
        if part.until > now
    ]
    return "; ".join([ready, *closed, *held])


def _name_models(key: str) -> str:
    """A family of models, or one model, as a text."""
    return f"models of {key}" if find_family(key) == key else key


def report_account(service: Service, member: Member, now: float) -> AccountStatus:
    """The report of an account for operators."""
    found = condition(service, member, now)
    return AccountStatus(
        alias=member.alias,
        state=found.state,
        reason=account_words(service, member, now),
        until_s=None if found.left is None else round(found.left, 1),
        headroom=round(headroom(service, member, now), 4),
        limits=[
            AccountLimit(name=limit.name, used=round(limit.used, 4), resets_s=round(until - now, 1))
            for limit, until in member.headroom.readings(now)
        ],
        running=member.running,
        next=len(service.pool.members) > 1 and _find_next(service, now) is member,
    )


def _find_next(service: Service, now: float) -> Member | None:
    """The account that takes the next conversation, None when none is ready."""
    stopped = service.halted()
    first = service.pool.list_in_order(now, Want(barred=stopped.keys()))[0]
    return first if first.usable and first.until() <= now and first.alias not in stopped else None


def report_accounts(services: Iterable[Service], now: float) -> dict[tuple[str, str], AccountStatus]:
    """The reports of all accounts, by backend and alias."""
    return {
        (service.name, member.alias): report_account(service, member, now)
        for service in services
        for member in service.pool.members
    }


def room_words(service: Service, member: Member, now: float, want: Want) -> str:
    """The headroom of an account as a text, `headroom 82 % (5h 18 %, 7d 9 %)`, or why it cannot serve."""
    if condition(service, member, now).state != "ready" or member.until(want.family, want.model) > now:
        return account_words(service, member, now)
    used = [f"{limit.name} {limit.used * 100:.0f} %" for limit, _ in member.headroom.readings(now)]
    for rate in (service.queue.rate_limit, member.rate_limit):
        if rate is not None:
            used += [f"{name} {count * 100 / limit:.0f} %" for name, (count, limit) in rate.used(now).items()]
    known = f" ({', '.join(used)})" if used else ""
    return f"headroom {headroom(service, member, now, want.family) * 100:.0f} %{known}"


def headroom(service: Service, member: Member, now: float, family: str = "") -> float:
    """The share of an account's limits that is left; the limits the user set for its backend count too."""
    return min(service.pool.share(member, now, family), service.queue.rate_limit.share(now))


def can_serve(service: Service, now: float) -> bool:
    """True when a request would be sent, now or within its patience."""
    soon = now + max(service.patience, UNREADABLE)
    stopped = service.halted()
    return any(
        one.usable and one.alias not in stopped and (one.cools or one.closed <= soon) for one in service.pool.members
    )


def why_not(service: Service, now: float) -> str:
    """Why a backend cannot serve now, '' when it can."""
    if can_serve(service, now):
        return ""
    return "; ".join(f"{member.alias}: {account_words(service, member, now)}" for member in service.pool.members)
