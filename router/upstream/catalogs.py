"""The models of each backend: read from it at the start and hourly, sooner again where reading failed."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import trio

from router.backends import Backend
from router.backends.known import known
from router.errors import CommandError
from router.policy.routing.gaps import Gap
from router.policy.routing.table import DEMO
from router.upstream.configured_headers import set_headers
from router.upstream.credentials import Credentials
from router.upstream.snapshot import Snapshot
from router.upstream.targets import forget_key, with_key

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
# A command or keyring that failed may have asked the user for a password, so it is not tried again each minute.
FETCH_RETRY_SECONDS = 600.0
TICK_SECONDS = 1.0
FIRST_LOAD_SECONDS = 10.0


@dataclass(slots=True)
class Catalog:
    """The models of one backend as last read."""

    backend: Backend
    models: Sequence[str] = ()
    loaded: bool = False
    #: Why it could not be read, or why the backend has no usable key.
    problem: str | None = None
    #: Why its models are not known; None when they are.
    gap: Gap | None = None
    #: When to read it again, on trio's clock.
    due: float = 0.0


class Catalogs(Mapping[str, Catalog]):
    """The catalogs of the enabled backends, by name."""

    def __init__(self, credentials: Credentials):
        self._credentials = credentials
        self._entries: dict[str, Catalog] = {}
        self._complete = trio.Event()
        self._refresh: _Refresh | None = None

    def __getitem__(self, name: str) -> Catalog:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def models(self) -> dict[str, Sequence[str]]:
        """The model names of each backend whose catalog was read."""
        return {name: entry.models for name, entry in self._entries.items() if entry.loaded}

    @property
    def gaps(self) -> list[Gap]:
        """Why the models of backends are not known, or not anew."""
        return [entry.gap for entry in self._entries.values() if entry.gap is not None]

    @property
    def loading(self) -> bool:
        """True while a catalog was neither read nor failed."""
        return not self._complete.is_set()

    @property
    def refreshing(self) -> bool:
        """True while `refresh` runs."""
        return self._refresh is not None

    def apply(self, backends: Sequence[Backend]) -> None:
        """Hold the catalogs of these backends and no others; those of backends that did not change are kept."""
        old = self._entries
        self._entries = {}
        for backend in backends:
            entry = old.get(backend.name)
            self._entries[backend.name] = entry if entry and entry.backend == backend else _make_catalog(backend)
        self._note_complete()

    async def wait_complete(self) -> None:
        """Wait, FIRST_LOAD_SECONDS at most, until every catalog was read or failed once."""
        with trio.move_on_after(FIRST_LOAD_SECONDS):
            await self._complete.wait()

    async def refresh(
        self,
        snapshot: Callable[[], Snapshot],
        on_change: Callable[[], None],
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Read all catalogs now and then hourly, those that failed after a minute; runs until cancelled.

        snapshot: the one in use, which says how backends are reached. on_change: called after each catalog that was
        read or failed.
        """
        async with trio.open_nursery() as nursery:
            self._refresh = _Refresh(nursery, snapshot, on_change)
            self.load_missing()
            task_status.started()
            while True:
                await trio.sleep(TICK_SECONDS)
                now = trio.current_time()
                for entry in self._entries.values():
                    if entry.due <= now and not _is_static(entry.backend):
                        self._begin_load(entry, self._refresh)

    def load_missing(self) -> None:
        """Begin to read the catalogs that were never read, if `refresh` runs."""
        if self._refresh is None:
            return
        for entry in self._entries.values():
            if not entry.loaded and not entry.problem and entry.due == 0.0:
                self._begin_load(entry, self._refresh)

    def note_key_problem(self, name: str, problem: str) -> None:
        """Show a problem with a backend's key where the status shows problems of its catalog."""
        entry = self._entries.get(name)
        if entry is not None:
            entry.problem = problem

    def note_key(self, name: str) -> None:
        """Read a backend's catalog soon if it is not due for long because of its key, which was fetched now."""
        entry = self._entries.get(name)
        if entry is not None and entry.problem and trio.current_time() + RETRY_SECONDS < entry.due < math.inf:
            entry.due = trio.current_time()

    def _note_complete(self) -> None:
        if all(entry.loaded or entry.problem for entry in self._entries.values()):
            self._complete.set()
        elif self._complete.is_set():
            self._complete = trio.Event()

    def _begin_load(self, entry: Catalog, refresh: "_Refresh") -> None:
        entry.due = math.inf
        refresh.nursery.start_soon(self._load, entry, refresh)

    async def _load(self, entry: Catalog, refresh: "_Refresh") -> None:
        if "router.net.control.calls" not in sys.modules:
            # In a thread: the import takes 25 ms, which requests of the first second would wait for.
            await trio.to_thread.run_sync(import_module, "router.net.control.calls")
        from router.net.control.calls import ControlError, fetch_models

        name = entry.backend.name
        target = refresh.snapshot().targets.get(name)
        try:
            target = await with_key(target, self._credentials) if target is not None else None
            key = target.secret if target else None
            snapshot = refresh.snapshot()
            headers = set_headers(snapshot.settings.backends.get(name))
            way = replace(snapshot.outbound, headers=headers, link_local=entry.backend.insecure_http)
            entry.models = tuple(await fetch_models(entry.backend, key, outbound=way))
            entry.loaded, entry.problem, entry.gap, wait = True, None, None, REFRESH_SECONDS
        except (ControlError, CommandError) as error:
            entry.problem = str(error)
            entry.gap = make_gap(name, error, keyed=target is not None and target.auth is not None)
            if target is not None and isinstance(error, ControlError) and error.status == 401:
                forget_key(target, self._credentials)
            fetched = target is not None and target.reference is not None and isinstance(error, CommandError)
            wait = FETCH_RETRY_SECONDS if fetched else RETRY_SECONDS
        entry.due = trio.current_time() + wait
        if self._entries.get(name) is entry:
            refresh.on_change()
            self._note_complete()


@dataclass(frozen=True, slots=True)
class _Refresh:
    """The parts of a running `refresh` that reading a catalog needs."""

    nursery: trio.Nursery
    snapshot: Callable[[], Snapshot]
    on_change: Callable[[], None]


def _make_catalog(backend: Backend) -> Catalog:
    if backend.name == DEMO:
        from router.demo import MODELS

        return Catalog(backend, MODELS, loaded=True)
    if backend.auth == "client":
        entry = known(backend.vendor)
        return Catalog(backend, entry.models if entry else (), loaded=True)
    return Catalog(
        backend, gap=Gap(backend.name, "has not sent its model list yet", f"fairlead backend test {backend.name}")
    )


def make_gap(name: str, error: Exception, *, keyed: bool) -> Gap:
    """Why the models of a backend are not known, after its list could not be read. A provider's own words are left out:
    they may repeat a part of the key. keyed: a key was sent."""
    from router.net.control.request import ControlError

    status = error.status if isinstance(error, ControlError) else None
    command = f"fairlead backend test {name}"
    if status in (401, 403):
        why, command = "key refused" if keyed else "it wants a key", f"fairlead backend set {name} --key-stdin"
    elif status is not None and status >= 400:
        why = "it has none" if status in (404, 405) else "it failed"
    else:
        return Gap(name, f"did not send its model list: {str(error).rstrip('.')}", command)
    return Gap(name, f"did not send its model list: {why} ({status})", command, answers=status in (404, 405))


def _is_static(backend: Backend) -> bool:
    return backend.name == DEMO or backend.auth == "client"
