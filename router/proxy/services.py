"""Backends as they serve: the accounts of each with what is known of them, and the line before them.

What is known outlives a reload: the state of an account by (backend, alias, fingerprint of its key), sessions and line
by backend. A new key begins as ready.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from router.policy.bindings import Bindings
from router.policy.moments import UNREADABLE
from router.policy.pace import Limits
from router.policy.pool import Member, Pool, Strategy
from router.policy.retry import span
from router.policy.table import DEMO
from router.proxy.slots import Line
from router.proxy.targets import Target
from router.settings import Settings
from router.settings.tables import BackendOptions


@dataclass(frozen=True, slots=True)
class Service:
    """One backend with its accounts. targets: by alias. patience: seconds a request may wait in its line."""

    name: str
    pool: Pool
    line: Line
    targets: Mapping[str, Target]
    patience: float

    @property
    def first(self) -> Target:
        """The account that speaks for the backend: the first whose key can be had, else the first."""
        return next((one for one in self.targets.values() if one.problem is None), next(iter(self.targets.values())))


def service_of(targets: Sequence[Target], settings: Settings, before: Service | None) -> Service:
    """The backend of these targets. before: as it was until now."""
    backend = targets[0].backend
    options = settings.backends.get(backend.name, BackendOptions())
    known = {(one.alias, one.fingerprint): one for one in before.pool.members} if before else {}
    pool = Pool(
        [_member(target, known) for target in targets],
        cast("Strategy", settings.pool_strategy),
        bindings=before.pool.bindings if before else Bindings(),
        # What the demo's models do, each does by itself; a caller's own credential is that caller's.
        stateless=backend.name == DEMO or backend.auth == "client",
    )
    line = before.line if before else Line()
    line.limit = options.max_concurrent or settings.queue_max_concurrent
    line.most = settings.queue_max_queued
    line.keep_to(Limits(options.rpm, options.tpm, options.min_interval or 0.0))
    line.look()
    return Service(backend.name, pool, line, {one.account: one for one in targets}, settings.queue_timeout)


def _member(target: Target, known: Mapping[tuple[str, str], Member]) -> Member:
    text = target.reference or (target.secret.reveal() if target.secret is not None else "")
    fingerprint = blake2b(text.encode(), digest_size=16).hexdigest() if text else ""
    member = known.get((target.account, fingerprint)) or Member(target.account, fingerprint)
    member.usable = target.problem is None
    return member


# In words


def account_words(service: Service, member: Member, now: float) -> str:
    """How an account is, for people: `ready`, `parked for 38 min (429 window)`."""
    target = service.targets[member.alias]
    if target.problem is not None:
        return f"unusable: {target.problem}"
    state = member.state(now)
    families = [f"{name} for {span(until - now)}" for name, until in member.parked_families.items() if until > now]
    if state == "ready":
        said = "ready" if now >= member.shaky else "ready, but it failed a moment ago"
        return f"{said}; parked for models of {', '.join(families)} ({member.why})" if families else said
    return f"{state} for {span(member.closed - now)} ({member.why})"


def account_report(service: Service, member: Member, now: float) -> dict[str, object]:
    """Fields: state (ready, parked, cooling, revoked, unusable), reason (the state in words), until_s (seconds until
    it is ready, null when it is), headroom (0 to 1), limits (each with name, used from 0 to 1, resets_s: seconds),
    running (requests)."""
    usable = service.targets[member.alias].problem is None
    state = member.state(now) if usable else "unusable"
    return {
        "state": state,
        "reason": account_words(service, member, now),
        "until_s": round(member.closed - now, 1) if usable and state != "ready" else None,
        "headroom": round(headroom(service, member, now), 4),
        "limits": [
            {"name": limit.name, "used": round(limit.used, 4), "resets_s": round(until - now, 1)}
            for limit, until in member.headroom.readings(now)
        ],
        "running": member.running,
    }


def room_words(service: Service, member: Member, now: float, family: str) -> str:
    """What is left of an account: `headroom 82 % (5h 18 %, 7d 9 %)`, or why it cannot serve."""
    if member.state(now) != "ready" or member.until(family) > now or not member.usable:
        return account_words(service, member, now)
    used = [f"{limit.name} {limit.used * 100:.0f} %" for limit, _ in member.headroom.readings(now)]
    own = [f"{name} {used * 100 / limit:.0f} %" for name, (used, limit) in service.line.pace.used(now).items()]
    known = f" ({', '.join([*used, *own])})" if used or own else ""
    return f"headroom {headroom(service, member, now, family) * 100:.0f} %{known}"


def account_reports(services: Iterable[Service], now: float) -> dict[tuple[str, str], dict[str, object]]:
    """How all accounts are, by backend and alias."""
    return {
        (service.name, member.alias): account_report(service, member, now)
        for service in services
        for member in service.pool.members
    }


def headroom(service: Service, member: Member, now: float, family: str = "") -> float:
    """What is left of an account, the user's own limits of its backend counted."""
    own = [1 - used / limit for used, limit in service.line.pace.used(now).values()]
    return max(0.0, min([member.headroom.share(now, family), *own]))


def can_serve(service: Service, now: float) -> bool:
    """True when a request would be sent, now or within its patience."""
    pool = service.pool
    soon = now + max(service.patience, UNREADABLE)
    return any(one.usable and (one.cools or one.closed <= soon) for one in pool.members)


def why_not(service: Service, now: float) -> str:
    """Why a backend cannot serve now, '' when it can."""
    if can_serve(service, now):
        return ""
    return "; ".join(f"{member.alias}: {account_words(service, member, now)}" for member in service.pool.members)


def line_report(service: Service) -> dict[str, object]:
    """Fields: running, waiting (requests), limit and most (how many of each there may be), stalled_s (seconds for which
    nobody was let go although somebody waits, null when nobody waits), limits (the user's own: name -> used, limit)."""
    line = service.line
    stalled = line.stalled()
    return {
        "running": line.running,
        "waiting": line.waiting,
        "limit": line.limit,
        "most": line.most,
        "stalled_s": None if stalled is None else round(stalled, 1),
        "limits": {
            name: {"used": used, "limit": limit} for name, (used, limit) in line.pace.used(line.clock()).items()
        },
    }
