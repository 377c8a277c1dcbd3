"""What all requests of a proxy share: its parts, the snapshot that requests route by, and a reload of both."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from router import __version__
from router.backends import Backend
from router.budget.guard import Guard
from router.errors import CommandError
from router.host.health import Health
from router.host.memory_bound import MemoryBound
from router.host.notify import Notifier
from router.net.client.pool import ConnectionPool
from router.operator_api.status import RunningRequest
from router.policy.accounts.turn_states import TurnStates
from router.policy.budget.team_settings import find_differences, list_team_settings
from router.policy.cache.sessions import PromptSessions
from router.policy.facts.token_estimates import TokenEstimates
from router.policy.routing.clients import identify_client
from router.policy.routing.dead_references import find_dead_references
from router.policy.routing.gaps import Gap
from router.policy.routing.table import DEMO
from router.settings import Settings
from router.store.captures.folder import ARMED_KEPT, Captures, capture_notice
from router.store.home.home import Home
from router.store.interfaces import (
    AccountStates,
    LearnedLimitStore,
    ResourceOwners,
    SeenLifetimeStore,
    SharedKeys,
    StoredResponses,
    StoreWriter,
)
from router.store.keys.shared_keys import NoSharedKeys
from router.store.peers import NoSharedSettings, SharedSettings
from router.telemetry.accesslog import BODY_KEPT, AccessLog, RequestRecord
from router.telemetry.capture import CaptureRecorder
from router.telemetry.counted_responses import CountedResponses
from router.telemetry.gate_refusals import GateRefusals
from router.telemetry.recorder import Recorder
from router.upstream.catalogs import Catalogs
from router.upstream.client_keys.registry import ClientKeys
from router.upstream.client_keys.shared import tell_keys
from router.upstream.configuration import Configuration, LiveSettings, defer_restarts
from router.upstream.credentials import Credentials
from router.upstream.loops import Address, find_loop
from router.upstream.snapshot import Snapshot, SnapshotBuilder
from router.upstream.targets import Target, accept_key, forget_key, with_key

if TYPE_CHECKING:
    from router.telemetry.otlp.queue import SpanQueue


class LiveRequest(Protocol):
    """A request that is being answered."""

    @property
    def arrived(self) -> float:
        """When it came, on trio's clock."""
        ...

    def report(self) -> RunningRequest:
        """The request as operators see it."""
        ...


class LazyCache(Protocol):
    """The cache of answers, as far as it is known to all."""

    @property
    def problem(self) -> str | None:
        """Why no answer is kept or given again, None while that works."""
        ...

    def close(self) -> None:
        """Close the file."""
        ...


@dataclass(kw_only=True)
class Runtime:
    """The parts of a running proxy; `upstream.compose` puts them together."""

    home: Home
    log: AccessLog
    environ: Mapping[str, str] = field(repr=False)
    live: LiveSettings
    credentials: Credentials
    catalogs: Catalogs
    snapshots: SnapshotBuilder
    #: The one that new requests use.
    snapshot: Snapshot
    connections: ConnectionPool
    ledger: StoreWriter
    account_states: AccountStates
    resource_owners: ResourceOwners
    stored_responses: StoredResponses
    learned_limits: LearnedLimitStore
    seen_lifetimes: SeenLifetimeStore
    recorder: Recorder
    captures: Captures
    guard: Guard
    notifier: Notifier
    shared_keys: SharedKeys = field(default_factory=NoSharedKeys)
    shared_settings: SharedSettings = field(default_factory=NoSharedSettings)
    client_keys: ClientKeys = field(default_factory=ClientKeys)
    memory: MemoryBound = field(default_factory=MemoryBound)
    health: Health = field(default_factory=Health)
    #: The responses made in the background that were counted.
    counted_responses: CountedResponses = field(default_factory=CountedResponses)
    #: The last prompts of sessions, to tell why one was not read from a cache.
    prompt_sessions: PromptSessions = field(default_factory=PromptSessions)
    turn_states: TurnStates = field(default_factory=TurnStates)
    #: What answers told of the tokens of requests.
    token_estimates: TokenEstimates = field(default_factory=TokenEstimates)
    #: Requests that were refused before they were looked at.
    gate_refusals: GateRefusals = field(default_factory=GateRefusals)
    #: The requests that are being answered.
    running: set[LiveRequest] = field(default_factory=set[LiveRequest])
    #: The cache of answers; None until a request may be answered from it.
    answer_cache: LazyCache | None = None
    #: The spans that wait for a collector; None where none is named.
    spans: "SpanQueue | None" = None
    #: URL of the demo, None when it does not run.
    demo_root: str | None = None
    #: Where this proxy listens, if it does.
    listening: Collection[Address] = ()
    #: The configured backends that are not in use.
    unused: Sequence[Gap] = ()
    #: Backends that answered 400 to stream_options; they are not asked again.
    refuses_usage: set[str] = field(default_factory=set[str])
    #: Why the configuration that was read last is not the one in use, None when it is.
    refused: CommandError | None = None
    #: Set once all code is in memory; the installation may then be replaced.
    loaded: trio.Event = field(default_factory=trio.Event)
    #: Problems of the configuration as it was read last, each with its fix.
    problems: Sequence[str] = ()
    _dead: Sequence[str] = ()
    #: The settings of other homes of the team on which all must agree, and how those of this one differ.
    _team: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    _differences: Sequence[str] = ()
    #: What was said of logins that have ended: a reload finds them out again.
    _ended_logins: Sequence[str] = ()

    @property
    def settings(self) -> Settings:
        """The settings in use."""
        return self.live.current

    def start(self) -> None:
        """Start the threads that write; again without effect."""
        self.ledger.start()
        self.captures.start()

    def close(self) -> None:
        """Write what is left, waiting for a few seconds at most. Blocks."""
        self.captures.close()
        if self.answer_cache is not None:
            self.answer_cache.close()
        self.ledger.close()

    def apply(self, configuration: Configuration) -> None:
        """Apply a configuration that was read; requests under way keep the one they began with.

        A backend whose file is broken keeps its last good state. Settings that need a restart are not applied, and are
        shown as problems.
        """
        self.refused = None
        captured, cached = self.settings.history_capture, self.snapshot.caches
        self.credentials.own = configuration.own_keys
        self.credentials.wake()
        self.live.current, waiting = defer_restarts(self.settings, configuration.settings)
        self.client_keys.apply(configuration.client_keys, self.settings)
        tell_keys(self.shared_keys, configuration.client_keys, self.settings)
        self.shared_settings.tell(list_team_settings(self.settings))
        self._differences = find_differences(list_team_settings(self.settings), self._team)
        self.apply_budgets()
        broken = [entry.backend for name, entry in self.catalogs.items() if name in configuration.broken]
        backends = sorted([*configuration.backends, *broken], key=lambda backend: backend.added)
        enabled = [backend for backend in backends if backend.enabled]
        loops = [gap for backend in enabled if (gap := find_loop(backend, self.listening)) is not None]
        enabled = [backend for backend in enabled if all(backend.name != gap.backend for gap in loops)]
        used = {backend.name for backend in enabled}
        self.unused = (*loops, *(gap for gap in configuration.gaps if gap.backend not in used))
        if self.settings.demo and self.demo_root is not None:
            from router.demo import PROTOCOLS

            enabled.append(Backend(name=DEMO, root=self.demo_root, protocols=PROTOCOLS, auth="none"))
        self.catalogs.apply(enabled)
        self.snapshot = replace(self.snapshot, outbound=configuration.outbound)
        self.problems = (*waiting, *configuration.problems, *configuration.client_keys.problems)
        self._rebuild(tuple(enabled))
        if self.catalogs.refreshing:
            self.catalogs.load_missing()
            self.captures.arm(configuration.armed)
            self.captures.start()
            if self.settings.history_capture is not captured:
                self.log.add("history.capture is off now." if captured else capture_notice(self.home))
            if self.snapshot.caches is not cached:
                self._say_cached()

    def _say_cached(self) -> None:
        """Say that answers are kept from now on, or no more."""
        from router.store.answer_cache.schema import cache_notice

        off = "The cache of answers is off now. Delete what it holds:   fairlead cache clear"
        self.log.add(cache_notice(self.home) if self.snapshot.caches else off)

    def apply_budgets(self) -> None:
        """Guard by the budgets of the settings, and those of keys for processes."""
        self.guard.apply(self.settings, self.client_keys.budgets, self.client_keys.shared)
        self.recorder.settle = None if self.guard.rules is None else self.guard.finished

    def compare_with_team(self, others: Mapping[str, Mapping[str, str]]) -> None:
        """Show how the settings of this home differ from those of others. others: as in TeamNews."""
        self._team = others
        self._differences = find_differences(list_team_settings(self.settings), others)
        self.snapshot = replace(self.snapshot, problems=(*self.problems, *self._differences, *self._dead))

    def keep_last_good(self, error: CommandError) -> None:
        """Keep the state as it is after a configuration could not be read, and show why."""
        self.refused = error
        self.problems = (f"{error} {error.hint}".strip(),)
        self.snapshot = replace(self.snapshot, problems=(*self.problems, *self._differences, *self._dead))
        self.log.add(f"configuration not reloaded, the previous one stays in use: {error}")

    async def refresh_catalogs(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the catalogs, and the snapshot with them, up to date until cancelled."""
        await self.catalogs.refresh(lambda: self.snapshot, self._take_up_catalogs, task_status=task_status)

    def _take_up_catalogs(self) -> None:
        self._rebuild(self.snapshot.table.backends)

    def _rebuild(self, backends: Sequence[Backend]) -> None:
        before = self.snapshot
        snapshot = self.snapshots.build(
            self.settings,
            before.outbound,
            backends,
            self.catalogs.models,
            gaps=(*self.catalogs.gaps, *self.unused),
            before=before.services,
            facts=self.catalogs.facts,
        )
        dead = tuple(find_dead_references(snapshot.table))
        for text in dead:
            if text not in self._dead:
                self.log.add(f"warning: {text}")
        self._dead = dead
        self.snapshot = replace(snapshot, problems=(*self.problems, *self._differences, *dead))
        targets = self.snapshot.all_targets
        self.connections.configure({target.origin for target in targets}, self.snapshot.outbound.roots)
        self.log.hide(secret for target in targets for secret in target.hidden)
        references = {target.reference for target in targets if target.reference is not None}
        for stored in (self.settings.search_key, self.settings.telemetry_headers):
            if stored is not None:
                self.log.hide([stored])
                references.add(stored.reveal())
        self.log.hide(one for one in (self.settings.shared_secret, self.settings.shared_password) if one is not None)
        self.credentials.retain_only(references)

    # Keys that are fetched

    async def with_key(self, target: Target) -> Target:
        """The target with its key; waits while that is fetched. Raises Unauthenticated."""
        name = target.backend.name
        try:
            target = await with_key(target, self.credentials)
        except CommandError as error:
            self.catalogs.note_key_problem(name, str(error))
            raise target.unusable(str(error)) from None
        self.catalogs.note_key(name)
        return target

    def forget_key(self, target: Target) -> bool:
        """Forget a fetched key, since the upstream answered 401: the next request fetches it anew. True when it stays,
        since what gave it is left alone for a while."""
        return bool(forget_key(target, self.credentials))

    def accept_key(self, target: Target) -> None:
        """Note that an upstream accepted a fetched key."""
        accept_key(target, self.credentials)

    def note_login(self, error: CommandError | None) -> None:
        """Take up that a login has ended, and say so: its accounts serve no more until the user logs in again. None:
        that has happened."""
        text = f"warning: {error} {error.hint}" if error is not None else ""
        if text and text not in self._ended_logins:
            self._ended_logins = (*self._ended_logins[-9:], text)
            self.log.add(text)
        self._rebuild(self.snapshot.table.backends)

    # Bodies for the log and the captures

    def capture_limit(self) -> int:
        """How many bytes are kept for the log of each body of a request that begins now."""
        return BODY_KEPT if self.log.bodies else 0

    def begin_capture(self, arrived: float, fields: Mapping[bytes, bytes]) -> CaptureRecorder | None:
        """The recorder of a request that begins now, None where it is not captured. arrived: on trio's clock."""
        if self.captures.armed is not None and self.captures.take_armed(identify_client(fields)):
            return CaptureRecorder(trio.current_time, arrived, ARMED_KEPT)
        if self.live.current.history_capture and self.captures.begin():
            return CaptureRecorder(trio.current_time, arrived)
        return None

    def capture(self, record: RequestRecord, capture: CaptureRecorder) -> None:
        """Hand over what was captured of a request that has ended."""
        self.captures.add(record.id, partial(capture.finish, record, __version__))
