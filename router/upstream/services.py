"""The state of each backend that serves: its accounts, and the queue of its requests.

The state stays over a reload: that of an account by (backend, alias, fingerprint of its key), sessions and queue by
backend. An account with a new key begins as ready.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import cast

from router.budget.guard import Guard
from router.budget.halted_accounts import halted_accounts, taken_share
from router.policy.accounts.pool import Member, Pool, Strategy
from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.policy.routing.table import DEMO
from router.redaction import Redactor
from router.settings import Settings
from router.settings.tables import BackendOptions
from router.store.interfaces import AccountStates
from router.upstream.credentials import Credentials
from router.upstream.queue import AdmissionQueue
from router.upstream.targets import Target

_GROUP = "group "


@dataclass(frozen=True, slots=True)
class Service:
    """One backend with its accounts."""

    name: str
    pool: Pool
    queue: AdmissionQueue
    #: By alias.
    targets: Mapping[str, Target]
    #: Seconds a request may wait in the queue.
    patience: float
    guard: Guard
    #: True when the backend, or one of its accounts, has a limit of tokens.
    counts_tokens: bool
    #: Removes the secrets of all accounts, as far as they are known without fetching one.
    redactor: Redactor
    #: Where the keys are fetched that are not known by then.
    references: frozenset[str] = field(repr=False)
    #: Keys that are fetched; None where there are none.
    credentials: Credentials | None = None

    @property
    def first(self) -> Target:
        """The account that represents the backend: the first with a usable key, else the first."""
        return next((one for one in self.targets.values() if one.problem is None), next(iter(self.targets.values())))

    def key_rest(self, alias: str, now: float) -> float:
        """Seconds for which the refused key of an account is not fetched anew; 0.0 when it may be."""
        reference = self.targets[alias].reference
        if self.credentials is None or reference is None:
            return 0.0
        return max(0.0, self.credentials.rests_until(reference) - now)

    def halted(self) -> Mapping[str, tuple[str, float]]:
        """The accounts that the guard lets no request go to, by alias: why, and until when (seconds since 1970)."""
        if not self.guard.halts and not self.pool.budgeted:
            return {}
        return halted_accounts(self.guard, self.name, self.targets)

    def barred(self) -> Collection[str]:
        """The accounts that no request may go to now: those that are halted, or all of a backend that is."""
        if self.guard.halts and self.guard.held(f"backend {self.name}") is not None:
            return self.targets.keys()
        return self.halted().keys()

    def describe_limit(self, limit: str) -> str:
        """What a request waits for that a limit (as in QueueTimeout) delays; its turn when that is ''."""
        described = {
            "": f"its turn at {self.name}",
            "accounts": f"an account of {self.name} to be ready",
            "max_concurrent": f"a free place at {self.name} (max_concurrent {self.queue.limit:,})",
        }
        return described.get(limit) or f"backends.{self.name}.{limit}"


def service_of(
    targets: Sequence[Target],
    settings: Settings,
    guard: Guard,
    states: AccountStates,
    before: Service | None,
    credentials: Credentials | None = None,
) -> Service:
    """The service of the backend of these targets. states: of its accounts. before: the service until now."""
    backend = targets[0].backend
    options = settings.backends.get(backend.name, BackendOptions())
    budgets = {*settings.guard_accounts_day_usd, *settings.guard_accounts_month_usd}
    pool = Pool(
        [_make_member(target, settings, states, credentials) for target in targets],
        cast("Strategy", settings.pool_strategy),
        affinity=states.find_sessions(backend.name),
        # Failures of a demo model, or of a caller's own credential, say nothing about other requests.
        stateless=backend.name == DEMO or backend.auth == "client",
        spent=(lambda alias: taken_share(guard, backend.name, alias)) if _has_any_of(backend.name, budgets) else None,
    )
    queue = before.queue if before else AdmissionQueue()
    queue.limit = options.max_concurrent or settings.queue_max_concurrent
    queue.most = settings.queue_max_queued
    queue.set_limits(RateSettings(options.rpm, options.tpm, options.min_interval or 0.0))
    queue.recheck()
    counts = options.tpm is not None or _has_any_of(backend.name, settings.pool_accounts_tpm)
    named = {one.account: one for one in targets}
    redactor = Redactor(secret.reveal() for target in targets for secret in target.hidden)
    references = frozenset(target.reference for target in targets if target.reference is not None)
    return Service(
        backend.name,
        pool,
        queue,
        named,
        settings.queue_timeout,
        guard,
        counts,
        redactor,
        references,
        credentials,
    )


def _has_any_of(backend: str, accounts: Iterable[str]) -> bool:
    """True when one of these (BACKEND/ALIAS) is of the backend."""
    return any(account.startswith(f"{backend}/") for account in accounts)


def _make_member(
    target: Target, settings: Settings, states: AccountStates, credentials: Credentials | None = None
) -> Member:
    text = target.reference or (target.secret.reveal() if target.secret is not None else "")
    fingerprint = blake2b(text.encode(), digest_size=16).hexdigest() if text else ""
    key = target.secret
    if key is None and target.reference is not None and credentials is not None:
        key = next(iter(credentials.list_fetched((target.reference,))), None)
    member = states.load(target.backend.name, target.account, fingerprint, key) or Member(target.account, fingerprint)
    member.usable = target.problem is None
    name = f"{target.backend.name}/{target.account}"
    group = settings.pool_accounts_group.get(name)
    if group is not None or member.group.startswith(_GROUP):
        # The prefix keeps a group that the user named apart from an organisation's id.
        member.group = _GROUP + group if group else ""
    limits = RateSettings(settings.pool_accounts_rpm.get(name), settings.pool_accounts_tpm.get(name))
    if not limits.any:
        member.rate_limit, member.limited_until = None, 0.0
    else:
        member.rate_limit = member.rate_limit or RateLimit(limits)
        member.rate_limit.limits, member.limited_until = limits, 0.0
    return member
