"""What all requests of a proxy share: the immutable snapshot they route by, and what refreshes it."""

import ipaddress
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from urllib.parse import urlsplit

import trio

from router.backends import PROTOCOLS, Backend
from router.backends.known import KNOWN, host_of, known
from router.errors import CommandError, Unauthenticated
from router.net.connections import Connections, Origin
from router.policy.table import DEMO, Table
from router.proxy.accesslog import AccessLog
from router.proxy.buffers import Buffers
from router.proxy.credentials import Credentials, auth_header, credential_of
from router.proxy.recording import Recorder
from router.settings import Secret, Settings
from router.settings.tables import BackendOptions, Edits
from router.store import backends as stored
from router.store.home import Home
from router.store.ledger import Ledger
from router.store.owners import Owners

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
# A failed command or keyring may have asked its user for a password: not again every minute.
FETCH_RETRY_SECONDS = 600.0
TICK_SECONDS = 1.0
FIRST_LOAD_SECONDS = 10.0
FAR_SECONDS, NEAR_SECONDS = 300.0, 600.0

_FAMILIES = {entry.name: entry.families for entry in KNOWN.values()}
_OWN_HEADERS = {entry.name: frozenset(name.encode() for name in entry.own_headers) for entry in KNOWN.values()}
_ALL_OWN_HEADERS = frozenset[bytes]().union(*_OWN_HEADERS.values())
_CLIENT_CREDENTIALS = frozenset((b"authorization", b"x-api-key"))


@dataclass(frozen=True, slots=True)
class Target:
    """A backend as the exchange uses it; all that can be worked out before a request is.

    prefix: path of the root, `/v1` included. auth: header to add, or None. problem: why its key cannot be had.
    reference: where the key is to be fetched when a request needs it; None when there is nothing to fetch.
    drop: headers meant for other vendors. keep: the caller's credentials that may pass. stream_usage: Chat streams
    are to be asked for usage. connect, first_byte, idle, total: seconds. edits: the backend's table's, if any.
    """

    backend: Backend
    origin: Origin
    host: bytes
    prefix: bytes
    account: str
    auth: tuple[bytes, bytes, bytes] | None = field(repr=False)
    secret: Secret | None
    problem: str | None
    reference: str | None = field(repr=False)
    drop: frozenset[bytes]
    keep: frozenset[bytes]
    stream_usage: bool
    strip_attribution: bool
    connect: float
    first_byte: float
    idle: float
    total: float
    ask_identity: bool = True
    edits: Edits | None = None

    def check(self) -> None:
        """Raise Unauthenticated when the backend's key cannot be had."""
        if self.problem is not None:
            raise self.unusable(self.problem)

    def unusable(self, problem: str) -> Unauthenticated:
        """The error for a backend whose key cannot be had."""
        return Unauthenticated(f"The backend {self.backend.name} has no usable key: {problem}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the configuration; a request holds it to its end."""

    settings: Settings
    table: Table
    targets: Mapping[str, Target]
    problems: Sequence[str] = ()


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
    """Everything a running proxy holds."""

    settings: Settings
    home: Home
    log: AccessLog
    demo_root: str | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    connections: Connections = field(default_factory=Connections)
    buffers: Buffers = field(default_factory=Buffers)
    catalogs: dict[str, Catalog] = field(default_factory=dict[str, Catalog])
    #: Backends that answered 400 to stream_options; they are not asked again.
    refuses_usage: set[str] = field(default_factory=set[str])
    #: Set once all code is in memory; the installation may then be replaced.
    loaded: trio.Event = field(default_factory=trio.Event)
    credentials: Credentials = field(init=False)
    ledger: Ledger = field(init=False)
    owners: Owners = field(init=False)
    recorder: Recorder = field(init=False)
    snapshot: Snapshot = field(init=False)
    _settled: trio.Event = field(init=False, default_factory=trio.Event)
    _nursery: trio.Nursery | None = None

    def __post_init__(self) -> None:
        self.credentials = Credentials(self.environ, self.log.hide)
        self.ledger = Ledger(self.home, self.log.add)
        self.owners = Owners(self.ledger)
        self.recorder = Recorder(self.ledger, lambda: self.snapshot.settings)
        self._read()

    def reload(self) -> None:
        """Read the backends anew and take up what changed; requests under way keep what they began with.

        What cannot be read keeps its last good state, and the problem is shown.
        """
        try:
            self._read()
        except CommandError as error:
            self.snapshot = replace(self.snapshot, problems=(str(error),))
            self.log.add(f"reload failed, the last good state stays: {error}")

    def _read(self) -> None:
        found, problems = stored.load(self.home)
        broken = {problem.name for problem in problems}
        kept = [entry.backend for name, entry in self.catalogs.items() if name in broken]
        backends = sorted([*found, *kept], key=lambda backend: backend.added)
        enabled = [backend for backend in backends if backend.enabled]
        if self.demo_root is not None:
            enabled.append(Backend(name=DEMO, root=self.demo_root, protocols=PROTOCOLS, auth="none"))
        old = self.catalogs
        self.catalogs = {}
        for backend in enabled:
            entry = old.get(backend.name)
            self.catalogs[backend.name] = entry if entry and entry.backend == backend else _fresh(backend)
        self._rebuild(tuple(enabled), tuple(f"{problem.message} {problem.hint}".strip() for problem in problems))
        if self._nursery is not None:
            self._load_missing(self._nursery)

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
        )
        targets = {backend.name: _target(backend, self.settings, self.environ) for backend in backends}
        self.snapshot = Snapshot(self.settings, table, targets, problems)
        self.log.hide(target.secret for target in targets.values())
        self.credentials.keep({target.reference for target in targets.values() if target.reference is not None})
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
        if "router.net.control" not in sys.modules:
            # In a thread: the import takes 25 ms, which requests of the first second would wait for.
            await trio.to_thread.run_sync(import_module, "router.net.control")
        from router.net.control import ControlError, fetch_models

        target = self.snapshot.targets.get(entry.backend.name)
        try:
            target = await self._with_key(target) if target is not None else None
            entry.models = tuple(await fetch_models(entry.backend, target.secret if target else None))
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


def _target(backend: Backend, settings: Settings, environ: Mapping[str, str]) -> Target:
    url = urlsplit(backend.root)
    scheme = url.scheme
    port = url.port or (443 if scheme == "https" else 80)
    origin = Origin(scheme, url.hostname or "", port)
    host = url.netloc.rpartition("@")[2].encode("idna" if not url.netloc.isascii() else "ascii")
    credential = credential_of(backend, environ)
    far = NEAR_SECONDS if _is_near(host_of(backend.root)) else FAR_SECONDS
    vendor = known(backend.vendor)
    options = settings.backends.get(backend.name, BackendOptions())
    probes = _first(options.usage_probe, settings.usage_probe)
    strips = _first(options.strip_attribution, settings.strip_attribution)
    return Target(
        backend=backend,
        origin=origin,
        host=host,
        prefix=url.path.rstrip("/").encode("ascii"),
        account=credential.account,
        auth=auth_header(backend, credential.secret),
        secret=credential.secret,
        problem=credential.problem,
        reference=credential.reference,
        drop=_ALL_OWN_HEADERS - _OWN_HEADERS.get(backend.vendor, frozenset()),
        keep=_CLIENT_CREDENTIALS if backend.auth == "client" else frozenset(),
        stream_usage=probes and (vendor.stream_usage if vendor else backend.name == DEMO),
        strip_attribution=strips and backend.vendor != "anthropic",
        connect=options.connect or settings.timeouts_connect,
        first_byte=options.first_byte or settings.timeouts_first_byte or far,
        idle=options.idle or settings.timeouts_idle or far,
        total=options.total or settings.timeouts_total,
        ask_identity=_first(options.ask_identity, settings.ask_identity),
        edits=None if options.edits == Edits() else options.edits,
    )


def _first(own: bool | None, common: bool) -> bool:
    """The backend's own switch where it is set."""
    return common if own is None else own


def _is_near(host: str) -> bool:
    """True for loopback and private addresses: models there may take minutes to read a prompt."""
    if host == "localhost" or host.endswith((".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
