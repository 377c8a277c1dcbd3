"""Backends as they serve: the accounts of each with what is known of them, and the line before them.

What is known outlives a reload: the state of an account by (backend, alias, fingerprint of its key), sessions and line
by backend. A new key begins as ready.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import cast

from router.budget.guard import Guard
from router.policy.accounts.pool import Member, Pool, Strategy
from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.policy.accounts.session_affinity import SessionAffinity
from router.policy.budget.guard import explain_used_up
from router.policy.routing.table import DEMO
from router.settings import Settings
from router.settings.tables import BackendOptions
from router.upstream.queue import Line
from router.upstream.targets import Target

_GROUP = "group "


@dataclass(frozen=True, slots=True)
class Service:
    """One backend with its accounts. targets: by alias. patience: seconds a request may wait in its line.
    counts_tokens: it, or one of its accounts, has a limit of tokens."""

    name: str
    pool: Pool
    line: Line
    targets: Mapping[str, Target]
    patience: float
    guard: Guard
    counts_tokens: bool

    @property
    def first(self) -> Target:
        """The account that speaks for the backend: the first whose key can be had, else the first."""
        return next((one for one in self.targets.values() if one.problem is None), next(iter(self.targets.values())))

    def stopped(self) -> Mapping[str, tuple[str, float]]:
        """The accounts that the guard lets nothing go to, by alias: why, and until when (seconds since 1970)."""
        if not self.guard.halts and not self.pool.budgeted:
            return {}
        found = ((alias, _stopped(self.guard, f"account {self.name}/{alias}")) for alias in self.targets)
        return {alias: one for alias, one in found if one is not None}


def _stopped(guard: Guard, scope: str) -> tuple[str, float] | None:
    halt = guard.held(scope)
    if halt is not None:
        return halt.reason, halt.until
    if guard.rules is None or not guard.rules.halts:
        return None
    # The next request would trip it.
    spent = (state for state in guard.budget_states(scope) if state.spent_share >= 1)
    return next(((explain_used_up(state), state.term.end) for state in spent), None)


def service_of(targets: Sequence[Target], settings: Settings, guard: Guard, before: Service | None) -> Service:
    """The backend of these targets. before: as it was until now."""
    backend = targets[0].backend
    options = settings.backends.get(backend.name, BackendOptions())
    known = {(one.alias, one.fingerprint): one for one in before.pool.members} if before else {}
    scope = f"account {backend.name}/"
    budgets = {*settings.guard_accounts_day_usd, *settings.guard_accounts_month_usd}
    pool = Pool(
        [_member(target, settings, known) for target in targets],
        cast("Strategy", settings.pool_strategy),
        affinity=before.pool.affinity if before else SessionAffinity(),
        # What the demo's models do, each does by itself; a caller's own credential is that caller's.
        stateless=backend.name == DEMO or backend.auth == "client",
        spent=(lambda alias: _taken(guard, scope + alias)) if _any_of(backend.name, budgets) else None,
    )
    line = before.line if before else Line()
    line.limit = options.max_concurrent or settings.queue_max_concurrent
    line.most = settings.queue_max_queued
    line.keep_to(RateSettings(options.rpm, options.tpm, options.min_interval or 0.0))
    line.look()
    counts = options.tpm is not None or _any_of(backend.name, settings.pool_accounts_tpm)
    named = {one.account: one for one in targets}
    return Service(backend.name, pool, line, named, settings.queue_timeout, guard, counts)


def _taken(guard: Guard, scope: str) -> float:
    """The share of a scope's fullest budget that is spent or reserved."""
    return max((state.used_share for state in guard.budget_states(scope)), default=0.0)


def _any_of(backend: str, accounts: Iterable[str]) -> bool:
    """True when one of these (BACKEND/ALIAS) is of the backend."""
    return any(account.startswith(f"{backend}/") for account in accounts)


def _member(target: Target, settings: Settings, known: Mapping[tuple[str, str], Member]) -> Member:
    text = target.reference or (target.secret.reveal() if target.secret is not None else "")
    fingerprint = blake2b(text.encode(), digest_size=16).hexdigest() if text else ""
    member = known.get((target.account, fingerprint)) or Member(target.account, fingerprint)
    member.usable = target.problem is None
    name = f"{target.backend.name}/{target.account}"
    group = settings.pool_accounts_group.get(name)
    if group is not None or member.group.startswith(_GROUP):
        # A name of the user's is never taken for an organisation's.
        member.group = _GROUP + group if group else ""
    limits = RateSettings(settings.pool_accounts_rpm.get(name), settings.pool_accounts_tpm.get(name))
    if not limits.any:
        member.rate_limit, member.limited_until = None, 0.0
    else:
        member.rate_limit = member.rate_limit or RateLimit(limits)
        member.rate_limit.limits, member.limited_until = limits, 0.0
    return member
