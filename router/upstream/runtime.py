"""What all requests of a proxy share: the immutable snapshot they route by, and what refreshes it."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from importlib import import_module

import trio

from router.backends import Backend
from router.backends.known import KNOWN, known
from router.budget.guard import Guard
from router.errors import CommandError
from router.host.health import Vitals
from router.host.memory_bound import Buffers
from router.net.client.outbound import Outbound
from router.net.client.pool import Connections
from router.policy.routing.table import DEMO, Table
from router.settings import Settings
from router.store.database.writer import Ledger
from router.store.home.home import Home
from router.store.shared.captures import BODY_KEPT as CAPTURED
from router.store.shared.captures import Capture, Captures, told
from router.store.shared.resource_owners import Owners
from router.store.shared.stored_responses import Kept
from router.telemetry.accesslog import BODY_KEPT, AccessLog, Record
from router.telemetry.recorder import Recorder
from router.upstream.configuration import Configuration, kept_for_restart
from router.upstream.configured_headers import set_headers
from router.upstream.credentials import Credentials, auth_header
from router.upstream.services import Service, service_of
from router.upstream.targets import Target, targets_of
from router.upstream.translation_state import Carriers

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
# A failed command or keyring may have asked its user for a password: not again every minute.
FETCH_RETRY_SECONDS = 600.0
TICK_SECONDS = 1.0
FIRST_LOAD_SECONDS = 10.0

_FAMILIES = {entry.name: entry.families for entry in KNOWN.values()}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the configuration; a request holds it to its end. targets: of each backend, the account that speaks
    for it."""

    settings: Settings
    table: Table
    targets: Mapping[str, Target]
    services: Mapping[str, Service]
    problems: Sequence[str] = ()
    carriers: Carriers = field(default_factory=Carriers)


@dataclass(slots=True)
class Catalog:
    """The models of one backend as last read. due: when to read them again, on trio's clock."""

    backend: Backend
    models: Sequence[str] = ()
    loaded: bool = False
    problem: str | None = None
    due: float = 0.0


@dataclass
class Runtime:
    """Everything a running proxy holds. configuration: what it starts with. demo_root: where the demo listens."""

    configuration: InitVar[Configuration]
    home: Home
    log: AccessLog
    demo_root: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    connections: Connections = field(default_factory=Connections)
    buffers: Buffers = field(default_factory=Buffers)
    vitals: Vitals = field(default_factory=Vitals)
    catalogs: dict[str, Catalog] = field(default_factory=dict[str, Catalog])
    #: Backends that answered 400 to stream_options; they are not asked again.
    refuses_usage: set[str] = field(default_factory=set[str])
    carriers: Carriers = field(default_factory=Carriers)
    #: Set once all code is in memory; the installation may then be replaced.
    loaded: trio.Event = field(default_factory=trio.Event)
    settings: Settings = field(init=False)
    outbound: Outbound = field(init=False)
    credentials: Credentials = field(init=False)
    ledger: Ledger = field(init=False)
    owners: Owners = field(init=False)
    answers: Kept = field(init=False)
    recorder: Recorder = field(init=False)
    captures: Captures = field(init=False)
    guard: Guard = field(init=False)
    snapshot: Snapshot = field(init=False)
    _settled: trio.Event = field(init=False, default_factory=trio.Event)
    _nursery: trio.Nursery | None = None
    _services: dict[str, Service] = field(init=False, default_factory=dict[str, Service])

    def __post_init__(self, configuration: Configuration) -> None:
        self.credentials = Credentials(self.environ, self.log.hide)
        self.ledger = Ledger(self.home, self.log.add)
        self.owners = Owners(self.ledger)
        self.answers = Kept(self.ledger)
        self.recorder = Recorder(self.ledger, lambda: self.snapshot.settings)
        self.captures = Captures(self.home, self.log.blotted, lambda: self.snapshot.settings.history_capture)
        self.guard = Guard(self.ledger, self.recorder.price, self.log.add)
        self.settings = configuration.settings
        self.take(configuration)

    def take(self, configuration: Configuration) -> None:
        """Take up what a reading gave; requests under way keep what they began with.

        A backend whose file is broken keeps its last good state. What needs a restart waits for it and is shown.
        """
        captured = self.settings.history_capture
        self.settings, waiting = kept_for_restart(self.settings, configuration.settings)
        self.outbound = configuration.outbound
        self.guard.take(self.settings)
        self.recorder.settle = None if self.guard.rules is None else self.guard.finished
        kept = [entry.backend for name, entry in self.catalogs.items() if name in configuration.broken]
        backends = sorted([*configuration.backends, *kept], key=lambda backend: backend.added)
        enabled = [backend for backend in backends if backend.enabled]
        if self.settings.demo and self.demo_root is not None:
            from router.demo import PROTOCOLS

            enabled.append(Backend(name=DEMO, root=self.demo_root, protocols=PROTOCOLS, auth="none"))
        old = self.catalogs
        self.catalogs = {}
        for backend in enabled:
            entry = old.get(backend.name)
            self.catalogs[backend.name] = entry if entry and entry.backend == backend else _fresh(backend)
        self._rebuild(tuple(enabled), (*waiting, *configuration.problems))
        if self._nursery is not None:
            self._load_missing(self._nursery)
            self.captures.start()
            if self.settings.history_capture is not captured:
                self.log.add("history.capture is off now." if captured else told(self.home))

    def kept(self) -> int:
        """How many bytes are kept of each body of a request that begins now."""
        if self.snapshot.settings.history_capture and self.captures.begin():
            return CAPTURED
        return BODY_KEPT if self.log.bodies else 0

    def captured(self, record: Record, kept: int) -> None:
        """Hand the bodies of a request that has ended over. kept: as it was told at its beginning."""
        if kept == CAPTURED:
            self.captures.add(Capture(record.id, record.started, record.request_body, record.answer_body))
            # What waits for the log is not bounded in bytes otherwise.
            record.request_body, record.answer_body = record.request_body[:BODY_KEPT], record.answer_body[:BODY_KEPT]

    def keep(self, error: CommandError) -> None:
        """Stay with the last good state, since the configuration could not be read, and show why."""
        self.snapshot = replace(self.snapshot, problems=(f"{error} {error.hint}".strip(),))
        self.log.add(f"reload failed, the last good state stays: {error}")

    def _rebuild(self, backends: Sequence[Backend], problems: Sequence[str]) -> None:
        catalogs = {name: entry.models for name, entry in self.catalogs.items() if entry.loaded}
        settings = self.settings
        table = Table(
            backends,
            catalogs,
            _FAMILIES,
            settings.default_backend,
            aliases=settings.aliases,
            routes=settings.routes,
            model=settings.model,
            fast_model=settings.fast_model,
            fallback=settings.fallback,
        )
        services: dict[str, Service] = {}
        for backend in backends:
            targets = targets_of(backend, settings, self.environ, self.outbound)
            services[backend.name] = service_of(targets, settings, self.guard, self._services.get(backend.name))
        self._services = services
        firsts = {name: service.first for name, service in services.items()}
        self.snapshot = Snapshot(settings, table, firsts, services, problems, self.carriers)
        every = [target for service in services.values() for target in service.targets.values()]
        self.connections.configure({target.origin for target in every}, self.outbound.roots)
        self.log.hide(secret for target in every for secret in target.hidden)
        self.credentials.keep({target.reference for target in every if target.reference is not None})
        if all(entry.loaded or entry.problem for entry in self.catalogs.values()):
            self._settled.set()
        else:
            self._settled = trio.Event()

    # Keys that are fetched

    async def keyed(self, target: Target) -> Target:
        """The target with its key; waits while that is fetched. Raises Unauthenticated."""
        catalog = self.catalogs.get(target.backend.name)
        try:
            target = await self._with_key(target)
        except CommandError as error:
            if catalog is not None:
                # Where the status shows it.
                catalog.problem = str(error)
            raise target.unusable(str(error)) from None
        if catalog is not None and catalog.problem and trio.current_time() + RETRY_SECONDS < catalog.due < math.inf:
            # What kept its list from being read has passed.
            catalog.due = trio.current_time()
        return target

    def refused(self, target: Target) -> None:
        """The upstream answered 401: a key that was fetched is fetched anew for the next request."""
        if target.reference is not None and target.secret is not None:
            self.credentials.drop(target.reference, target.secret)

    async def _with_key(self, target: Target) -> Target:
        if target.problem is not None:
            raise CommandError(target.problem)
        if target.reference is None:
            return target
        secret = await self.credentials.key(target.reference)
        return replace(target, secret=secret, auth=auth_header(target.backend, secret))

    # Catalogs

    async def refresh_catalogs(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Read all catalogs now and then hourly, those that failed after a minute; runs until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._load_missing(nursery)
            task_status.started()
            while True:
                await trio.sleep(TICK_SECONDS)
                now = trio.current_time()
                for entry in self.catalogs.values():
                    if entry.due <= now and not _is_static(entry.backend):
                        self._begin_load(entry, nursery)

    async def settled(self) -> None:
        """Wait, a moment at most, until every catalog was read or failed once."""
        with trio.move_on_after(FIRST_LOAD_SECONDS):
            await self._settled.wait()

    @property
    def loading(self) -> bool:
        """True while a catalog was neither read nor failed."""
        return not self._settled.is_set()

    def _load_missing(self, nursery: trio.Nursery) -> None:
        for entry in self.catalogs.values():
            if not entry.loaded and not entry.problem and entry.due == 0.0:
                self._begin_load(entry, nursery)

    def _begin_load(self, entry: Catalog, nursery: trio.Nursery) -> None:
        entry.due = math.inf
        nursery.start_soon(self._load, entry)

    async def _load(self, entry: Catalog) -> None:
        if "router.net.control.calls" not in sys.modules:
            # In a thread: the import takes 25 ms, which requests of the first second would wait for.
            await trio.to_thread.run_sync(import_module, "router.net.control.calls")
        from router.net.control.calls import ControlError, fetch_models

        target = self.snapshot.targets.get(entry.backend.name)
        try:
            target = await self._with_key(target) if target is not None else None
            key = target.secret if target else None
            way = replace(self.outbound, headers=set_headers(self.settings.backends.get(entry.backend.name)))
            entry.models = tuple(await fetch_models(entry.backend, key, way=way))
            entry.loaded, entry.problem, wait = True, None, REFRESH_SECONDS
        except (ControlError, CommandError) as error:
            entry.problem = str(error)
            if target is not None and isinstance(error, ControlError) and error.status == 401:
                self.refused(target)
            fetched = target is not None and target.reference is not None and isinstance(error, CommandError)
            wait = FETCH_RETRY_SECONDS if fetched else RETRY_SECONDS
        entry.due = trio.current_time() + wait
        if self.catalogs.get(entry.backend.name) is entry:
            self._rebuild(self.snapshot.table.backends, self.snapshot.problems)


def _fresh(backend: Backend) -> Catalog:
    if backend.name == DEMO:
        from router.demo import MODELS

        return Catalog(backend, MODELS, loaded=True)
    if backend.auth == "client":
        entry = known(backend.vendor)
        return Catalog(backend, entry.models if entry else (), loaded=True)
    return Catalog(backend)


def _is_static(backend: Backend) -> bool:
    return backend.name == DEMO or backend.auth == "client"
