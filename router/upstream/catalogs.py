"""The models of each backend: read from it at the start and hourly, sooner again where reading failed.

What a backend says of its models is read with their names, and further documents after them, which may fail without
harm: what was known before stays.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

import trio

from router.backends import Backend
from router.backends.known import known
from router.errors import CommandError
from router.policy.facts.catalogs import Listed, read_entry
from router.policy.facts.listed import NOTHING_SAID, BackendFacts, Update, update_facts
from router.policy.routing.gaps import Gap
from router.policy.routing.table import DEMO
from router.settings.kinds import clean
from router.upstream.configured_headers import set_headers
from router.upstream.credentials import Credentials
from router.upstream.facts.documents import is_local, join_listed, read_documents
from router.upstream.snapshot import Snapshot
from router.upstream.targets import forget_key, with_key

if TYPE_CHECKING:
    from router.net.client.outbound import Outbound
    from router.settings import Secret

REFRESH_SECONDS = 3600.0
RETRY_SECONDS = 60.0
# A command or keyring that failed may have asked the user for a password, so it is not tried again each minute.
FETCH_RETRY_SECONDS = 600.0
TICK_SECONDS = 1.0
FIRST_LOAD_SECONDS = 10.0
#: Seconds between two readings of what a server has allocated.
ALLOCATED_SECONDS = 20.0
# Up to about an hour.
_MOST_DOUBLINGS = 12
#: More models than this are compared in a thread.
_THREAD_MODELS = 500


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
    #: What the backend says of its models.
    facts: BackendFacts = NOTHING_SAID
    #: When to ask a server again what it has allocated, on trio's clock.
    facts_due: float = math.inf
    #: How often it was asked so without saying anything new.
    asked_in_vain: int = 0
    #: Further documents are being read.
    reads_facts: bool = False
    #: What was told of its facts: each kind is told once.
    told: set[str] = field(default_factory=set[str])

    @property
    def loading(self) -> bool:
        """True until it was read or failed once."""
        return not self.loaded and not self.problem


class Catalogs(Mapping[str, Catalog]):
    """The catalogs of the enabled backends, by name."""

    def __init__(self, credentials: Credentials, say: Callable[[str], None] = lambda text: None):
        """say: writes a line to the log."""
        self._credentials = credentials
        self._say = say
        self._facts_read = trio.Event()
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
    def facts(self) -> dict[str, BackendFacts]:
        """What the backends say of their models, by the names of the backends."""
        return {name: entry.facts for name, entry in self._entries.items()}

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

    async def wait_facts(self, seconds: float) -> None:
        """Wait until no further documents are being read, a few seconds at most."""
        with trio.move_on_after(seconds):
            while any(entry.reads_facts for entry in self._entries.values()):
                await self._facts_read.wait()

    def note_served(self, name: str) -> None:
        """Ask a server soon what it has allocated: it has answered with a model of which that was not known. One that
        does not say it is asked ever more rarely."""
        entry = self._entries.get(name)
        if entry is not None and entry.facts_due == math.inf:
            entry.facts_due = trio.current_time() + TICK_SECONDS * 2 ** min(entry.asked_in_vain, _MOST_DOUBLINGS)
            entry.asked_in_vain += 1

    async def read_again(self, name: str, seconds: float) -> None:
        """Read what a backend says of its models anew, and wait for it, `seconds` at most."""
        entry = self._entries.get(name)
        if entry is None or self._refresh is None or _is_static(entry.backend):
            return
        if entry.due < math.inf:
            self._begin_load(entry, self._refresh)
        with trio.move_on_after(seconds):
            while entry.due == math.inf or entry.reads_facts:
                await self._facts_read.wait()

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
            try:
                self.load_missing()
                task_status.started()
                while True:
                    await trio.sleep(TICK_SECONDS)
                    self._load_due(self._refresh)
            finally:
                # A reload that a stopping proxy ends meanwhile must not start tasks in a nursery that is closed.
                self._refresh = None

    def _load_due(self, refresh: "_Refresh") -> None:
        now = trio.current_time()
        for entry in self._entries.values():
            if min(entry.due, entry.facts_due) <= now < math.inf and not _is_static(entry.backend):
                self._begin_load(entry, refresh)

    def load_missing(self) -> None:
        """Begin to read the catalogs that were never read, if `refresh` runs."""
        if self._refresh is None:
            return
        for entry in self._entries.values():
            if entry.loading and entry.due == 0.0:
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
        if not any(entry.loading for entry in self._entries.values()):
            self._complete.set()
        elif self._complete.is_set():
            self._complete = trio.Event()

    def _begin_load(self, entry: Catalog, refresh: "_Refresh") -> None:
        if entry.due == math.inf:
            return  # it is being read
        entry.due = entry.facts_due = math.inf
        refresh.nursery.start_soon(self._load, entry, refresh)

    async def _load(self, entry: Catalog, refresh: "_Refresh") -> None:
        if "router.net.control.calls" not in sys.modules:
            # In a thread: the import takes 25 ms, which requests of the first second would wait for.
            await trio.to_thread.run_sync(import_module, "router.net.control.calls")
        from router.net.control.calls import ControlError, fetch_catalog

        name = entry.backend.name
        target = refresh.snapshot().targets.get(name)
        try:
            target = await with_key(target, self._credentials) if target is not None else None
            key = target.secret if target else None
            snapshot = refresh.snapshot()
            headers = set_headers(snapshot.settings.backends.get(name))
            way = replace(snapshot.outbound, headers=headers, link_local=entry.backend.insecure_http)
            listing = await fetch_catalog(entry.backend, key, read_entry=read_entry, outbound=way)
            entry.models = tuple(listing.names)
            entry.loaded, entry.problem, entry.gap, wait = True, None, None, REFRESH_SECONDS
            entry.reads_facts = True
            refresh.nursery.start_soon(self._load_facts, entry, listing.entries, key, way, refresh)
        except (ControlError, CommandError) as error:
            entry.problem = str(error)
            entry.gap = make_gap(name, error, keyed=target is not None and target.auth is not None)
            if target is not None and isinstance(error, ControlError) and error.status == 401:
                forget_key(target, self._credentials)
            fetched = target is not None and target.reference is not None and isinstance(error, CommandError)
            wait = FETCH_RETRY_SECONDS if fetched else RETRY_SECONDS
        entry.due = trio.current_time() + wait
        self._note_facts_read()
        if self._entries.get(name) is entry:
            refresh.on_change()
            self._note_complete()

    async def _load_facts(
        self,
        entry: Catalog,
        listed: Mapping[str, Listed],
        key: "Secret | None",
        way: "Outbound",
        refresh: "_Refresh",
    ) -> None:
        """Read the further documents of a backend, and take up what it says of its models."""
        from router.net.control.calls import ControlError, fetch_document

        backend = entry.backend
        owner = next((one.owner for one in listed.values()), "")
        more: Mapping[str, Listed] = {}
        whole = True
        try:
            try:
                ask = partial(fetch_document, backend, key, outbound=way)
                more = await read_documents(backend, list(listed), owner, ask)
            except ControlError:
                whole = False
            local = is_local(backend, owner)
            update, is_new = await _update(entry.facts, listed, more, asks_server=local, whole=whole)
            self._tell(entry, update)
            if self._entries.get(backend.name) is entry and is_new:
                if update.facts.allocated.keys() != entry.facts.allocated.keys():
                    entry.asked_in_vain = 0
                entry.facts = update.facts
                refresh.on_change()
        finally:
            entry.reads_facts = False
            self._note_facts_read()

    def _note_facts_read(self) -> None:
        event, self._facts_read = self._facts_read, trio.Event()
        event.set()

    def _tell(self, entry: Catalog, update: Update) -> None:
        """Tell what is odd in what a backend says of its models, each kind of it once."""
        name = entry.backend.name
        if update.first_refused is not None and "refused" not in entry.told:
            entry.told.add("refused")
            model, path = update.first_refused
            more = f", and {update.refused - 1} more" if update.refused > 1 else ""
            self._say(
                f"warning: the model list of {name} says of {clean(model)} what cannot be ({clean(path)}{more}): it is "
                "not used"
            )
        if update.changed and "changed" not in entry.told:
            entry.told.add("changed")
            model, now, before = update.changed[0]
            more = f", and {len(update.changed) - 1} more changed" if len(update.changed) > 1 else ""
            self._say(
                f"the model list of {name} gives {clean(model)} a window of {now:,} tokens now, before {before:,}{more}"
            )


async def _update(
    before: BackendFacts,
    listed: Mapping[str, Listed],
    more: Mapping[str, Listed],
    *,
    asks_server: bool,
    whole: bool,
) -> tuple[Update, bool]:
    """The facts after a reading of a catalog and the further documents, and whether they are others than before."""
    at = time.time()
    day = datetime.fromtimestamp(at, UTC).date().isoformat()

    def work() -> tuple[Update, bool]:
        read = join_listed(listed, more)
        update = update_facts(before, read, at=at, date=day, asks_server=asks_server, whole=whole)
        return update, update.facts != before

    return await trio.to_thread.run_sync(work) if len(listed) > _THREAD_MODELS else work()


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
