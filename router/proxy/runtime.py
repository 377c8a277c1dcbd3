"""What all requests of a proxy share: the immutable snapshot they route by, and what refreshes it."""

import ipaddress
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import trio

from router.backends import PROTOCOLS, Backend
from router.backends.known import KNOWN, auth_form, host_of, known
from router.errors import CommandError, Unauthenticated
from router.net.connections import Connections, Origin
from router.policy.table import DEMO, Table
from router.proxy.accesslog import AccessLog
from router.proxy.buffers import Buffers
from router.settings import Secret, Settings
from router.settings.tables import BackendOptions, Edits
from router.store import backends as stored
from router.store import secrets
from router.store.home import Home

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
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
            raise Unauthenticated(f"The backend {self.backend.name} has no usable key: {self.problem}")


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
    snapshot: Snapshot = field(init=False)
    _settled: trio.Event = field(init=False, default_factory=trio.Event)
    _nursery: trio.Nursery | None = None

    def __post_init__(self) -> None:
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
        if all(entry.loaded or entry.problem for entry in self.catalogs.values()):
            self._settled.set()
        else:
            self._settled = trio.Event()

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
        from router.net.control import ControlError, fetch_models

        target = self.snapshot.targets.get(entry.backend.name)
        try:
            if target is not None and target.problem is not None:
                raise ControlError(target.problem)
            entry.models = tuple(await fetch_models(entry.backend, target.secret if target else None))
            entry.loaded, entry.problem = True, None
        except ControlError as error:
            entry.problem = str(error)
        entry.due = trio.current_time() + (RETRY_SECONDS if entry.problem else REFRESH_SECONDS)
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
    secret, problem, account = _credential(backend, environ)
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
        account=account,
        auth=_auth_header(backend, secret),
        secret=secret,
        problem=problem,
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


def _credential(backend: Backend, environ: Mapping[str, str]) -> tuple[Secret | None, str | None, str]:
    if backend.auth == "client":
        return None, None, "client"
    if backend.auth == "none" or not backend.accounts:
        return None, None if backend.auth == "none" else "no key is stored.", "none"
    account = backend.accounts[0]
    try:
        return secrets.resolve(account.key, environ), None, account.alias
    except CommandError as error:
        return None, str(error), account.alias


def _auth_header(backend: Backend, secret: Secret | None) -> tuple[bytes, bytes, bytes] | None:
    if secret is None:
        return None
    if auth_form(backend) == "x-api-key":
        return b"X-Api-Key", b"x-api-key", secret.reveal().encode("ascii")
    return b"Authorization", b"authorization", b"Bearer " + secret.reveal().encode("ascii")


def _is_near(host: str) -> bool:
    """True for loopback and private addresses: models there may take minutes to read a prompt."""
    if host == "localhost" or host.endswith((".local", ".internal")):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False
