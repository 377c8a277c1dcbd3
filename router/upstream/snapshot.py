"""The immutable state of the configuration that requests route by, and what builds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.backends import Backend
from router.backends.known import KNOWN
from router.budget.guard import Guard
from router.net.client.outbound import Outbound
from router.policy.facts.book import FactBook
from router.policy.facts.learned import ReadLimits
from router.policy.facts.lifetimes import ReadLifetimes
from router.policy.facts.listed import BackendFacts
from router.policy.routing.gaps import Gap
from router.policy.routing.rules import build_server_tool_rules
from router.policy.routing.table import Table
from router.settings import Settings
from router.store.interfaces import AccountStates
from router.upstream.credentials import Credentials
from router.upstream.services import Service, service_of
from router.upstream.targets import Target, targets_of
from router.upstream.translation_state import TranslationState

_FAMILIES = {entry.name: entry.families for entry in KNOWN.values()}
_PUBLISHED = {entry.name: entry.published for entry in KNOWN.values() if entry.published}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the configuration; a request uses the same one to its end."""

    settings: Settings
    table: Table
    #: The account that represents each backend, by the backend's name.
    targets: Mapping[str, Target]
    services: Mapping[str, Service]
    #: How upstreams are reached.
    outbound: Outbound
    translation_state: TranslationState
    #: What is known of models.
    facts: FactBook
    #: Problems to show to the user, each with its fix.
    problems: Sequence[str] = ()
    #: A rule or a model has answers kept and given again.
    caches: bool = False

    @property
    def all_targets(self) -> list[Target]:
        """The targets of all accounts of all backends."""
        return [target for service in self.services.values() for target in service.targets.values()]


class SnapshotBuilder:
    """Builds the snapshots of one proxy from the parts that they share."""

    def __init__(
        self,
        credentials: Credentials,
        guard: Guard,
        account_states: AccountStates,
        translation_state: TranslationState,
        learned: ReadLimits | None = None,
        lifetimes: ReadLifetimes | None = None,
    ):
        """learned: the limits that errors told. lifetimes: those of caches that were seen. None where nothing is
        learned."""
        self._credentials = credentials
        self._learned, self._lifetimes = learned, lifetimes
        self._guard = guard
        self._account_states = account_states
        self._translation_state = translation_state

    def build(
        self,
        settings: Settings,
        outbound: Outbound,
        backends: Sequence[Backend] = (),
        models: Mapping[str, Sequence[str]] | None = None,
        *,
        gaps: Sequence[Gap] = (),
        before: Mapping[str, Service] | None = None,
        facts: Mapping[str, BackendFacts] | None = None,
    ) -> Snapshot:
        """The snapshot of enabled backends. models: by name of those whose catalog was read. gaps: backends whose
        models are not known. before: the services until now; queues and sessions go on. facts: what backends say of
        their models, by name."""
        table = Table(
            backends,
            models or {},
            _FAMILIES,
            settings.default_backend,
            aliases=settings.aliases,
            routes=(*build_server_tool_rules(settings.server_tools), *settings.routes),
            model=settings.model,
            fast_model=settings.fast_model,
            fallback=settings.fallback,
            gaps=gaps,
            published=_PUBLISHED,
        )
        services: dict[str, Service] = {}
        for backend in backends:
            targets = targets_of(backend, settings, self._credentials, outbound)
            earlier = before.get(backend.name) if before else None
            services[backend.name] = service_of(
                targets, settings, self._guard, self._account_states, earlier, self._credentials
            )
        self._account_states.save({name: service.pool.members for name, service in services.items()})
        firsts = {name: service.first for name, service in services.items()}
        book = FactBook(table.named, settings.models, facts or {}, self._learned, self._lifetimes)
        caches = any(one.caches for one in (*settings.routes, *settings.models.values()))
        return Snapshot(settings, table, firsts, services, outbound, self._translation_state, book, caches=caches)
