"""The client keys of a running proxy: which key a request carries, and the keys that were made for one process.

Rules of this file: a key is looked up by its digest, so that neither the time nor the memory tells one. A key made for
a process is in memory only; it ends with the process, or when it is not renewed for its time. Limits belong to a name:
they go on when the configuration is read again, or the key is replaced.
"""

import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import trio

from router.errors import BadRequest, Conflict, NotFound, Unavailable
from router.host.access import KEY_HEADERS, strip_scheme
from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.policy.budget.budgets import CHILD, DOLLAR, Budget
from router.policy.budget.guard import list_key_budgets
from router.policy.grants.grant import DEFAULT, Grant, find_expired
from router.policy.grants.key_form import MARK, digest_key, explain_fault, is_marked
from router.settings import Secret, Settings
from router.store.home import processes
from router.store.keys import client_keys as stored
from router.store.keys.shared_keys import SharedKey
from router.upstream.client_keys.shared import add_shared, list_others
from router.upstream.client_keys.table import NO_KEYS, KeyTable
from router.upstream.queue import AdmissionQueue

#: Seconds between two looks at the processes that keys were made for.
LOOK_SECONDS = 0.5
#: Keys for processes at a time.
CHILDREN_LIMIT = 1000
#: Seconds that such a key is valid without being renewed: the default, and the most.
CHILD_SECONDS = 86_400.0
_FIRST, _SECOND, _THIRD, _FOURTH = KEY_HEADERS


class Identity(NamedTuple):
    """What the keys in a request's headers say."""

    #: Of the first one that is known; None when all are unknown.
    grant: Grant | None
    #: All texts that have the form of a key.
    keys: tuple[bytes, ...]
    #: Why the first one is not accepted, as a sentence; '' when it is.
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Child:
    """A key that was made for one process."""

    grant: Grant
    digest: bytes
    parent: str
    pid: int
    #: When the process began, as `store.home.processes` has it.
    born: str
    ttl: float
    #: Seconds since 1970.
    until: float
    #: Billionths of a US dollar that it may spend, None for no limit of its own.
    budget: int | None
    #: When it was made: seconds since 1970.
    made: float


class ClientKeys:
    """The keys of one proxy. clock: seconds since 1970. is_same: whether a process still runs."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        is_same: Callable[[int, str], bool] = processes.is_same,
    ):
        self.table = self._own = NO_KEYS
        self._limited: list[Grant] = []
        self._shared: Mapping[str, SharedKey] = {}
        self.children: dict[str, Child] = {}
        #: Called when the budgets of keys for processes have changed.
        self.on_budgets: Callable[[], None] = lambda: None
        #: Called with the name of a key with limits, and the queue that was made for it.
        self.on_queue: Callable[[str, AdmissionQueue], None] = lambda name, queue: None
        self._clock = clock
        self._is_same = is_same
        self._digests: dict[bytes, Child] = {}
        self._queues: dict[str, AdmissionQueue] = {}
        self._most = 1000
        self._begun = trio.Event()

    def apply(self, table: KeyTable, settings: Settings) -> None:
        """Use these keys from now on. A key for a process ends with its parent."""
        self._own, self._most = table, settings.queue_max_queued
        self._use(add_shared(table, self._shared))

    def share(self, shared: Mapping[str, SharedKey]) -> None:
        """Use these keys of other homes from now on, beside those of this one, and refuse those that were ended."""
        self._shared = shared
        self._use(add_shared(self._own, shared))

    def _use(self, table: KeyTable) -> None:
        self.table = table
        self._limited = [one for one in table.grants.values() if one.rpm is not None or one.tpm is not None]
        for name in [*self.children]:
            child = self.children.get(name)
            if child is None or not child.parent:
                continue
            parent = self._find_parent(child.parent)
            if parent is None:
                self._forget(name)
            else:
                self._put(replace(child, grant=replace(child.grant, parent=parent)))
        known = {*table.grants, *self.children}
        for name in [name for name, queue in self._queues.items() if name not in known and not queue.running]:
            del self._queues[name]

    # On the request path

    def identify(self, fields: Mapping[bytes, bytes]) -> Identity | None:
        """What the keys in these headers (lower-case name -> value) say; None when there is none of their form."""
        # For each request, most of which have one of the headers and no key of this form.
        first, second, third = fields.get(_FIRST), fields.get(_SECOND), fields.get(_THIRD)
        fourth = fields.get(_FOURTH)
        if first is not None or fourth is not None or (second is not None and third is not None):
            return self._identify_by_any((first, second, third, fourth))
        value = third if second is None else second
        if value is None or MARK not in value:
            return None
        value = value[7:] if value[:7] == b"Bearer " else strip_scheme(value)
        grant = self.table.plain.get(digest_key(value))
        return Identity(grant, (value,)) if grant is not None else self._identify_by_any((value,))

    def _identify_by_any(self, values: Iterable[bytes | None]) -> Identity | None:
        stripped = (strip_scheme(value) for value in values if value is not None)
        found = tuple(value for value in stripped if is_marked(value))
        if not found:
            return None
        grants = [self._find(value) for value in found]
        known = next((one for one in grants if isinstance(one, Grant)), None)
        fault = "" if known is not None else str(grants[0])
        return Identity(known, found, fault)

    def _find(self, value: bytes) -> Grant | str:
        """The grant of a key, or why there is none."""
        digest = digest_key(value)
        table = self.table
        grant = table.digests.get(digest)
        if grant is None:
            child = self._digests.get(digest)
            if child is None or self._clock() >= child.until:
                return _explain_unknown(value)
            grant = child.grant
        elif table.until and digest in table.until and self._clock() >= table.until[digest]:
            return f"This key of {grant.name} was replaced. Use the new one."
        if grant.expires is None and grant.parent is None:
            return grant
        expired = find_expired(grant, self._clock())
        if expired is not None:
            when = time.strftime("%Y-%m-%d", time.localtime((expired.expires or 0.0) - 1))
            return (
                f"The key {expired.name} expired after {when}. Whoever runs this fairlead can prolong it: "
                f"fairlead keys set {expired.name} --expires 90d"
            )
        return grant

    def queues_of(self, grant: Grant) -> list[tuple[Grant, AdmissionQueue]]:
        """The queues in which a request of this grant waits: its own and those above it, where they have limits."""
        found: list[tuple[Grant, AdmissionQueue]] = []
        for one in grant.line:
            limits = RateSettings(one.rpm, one.tpm)
            if not limits.any and one.max_concurrent is None:
                continue
            queue = self._queues.get(one.name)
            if queue is None:
                queue = self._queues[one.name] = AdmissionQueue()
                self.on_queue(one.name, queue)
            queue.set_places(one.max_concurrent or 1_000_000)
            queue.most = self._most
            queue.set_limits(limits)
            found.append((one, queue))
        return found

    def list_limits(self) -> dict[str, RateLimit]:
        """The limits a minute of keys that other homes may have too, by name."""
        found: dict[str, RateLimit] = {}
        for grant in self._limited:
            own = next((queue for one, queue in self.queues_of(grant) if one is grant), None)
            if own is not None:
                found[f"key {grant.name}"] = own.rate_limit
        return found

    @property
    def counts_minutes(self) -> bool:
        """True when a key has a limit of requests or tokens a minute."""
        return any(one.rpm is not None or one.tpm is not None for one in self.table.grants.values())

    def count_earlier(self, name: str, ago: float, tokens: int) -> None:
        """Count a request that a proxy before this one served, in the limits of its key and those above it; to be
        called in their order. ago: seconds since it came."""
        parts = name.split(CHILD)
        for count in range(1, len(parts) + 1):
            grant = self.table.grants.get(CHILD.join(parts[:count]))
            for _, queue in () if grant is None else self.queues_of(grant):
                queue.rate_limit.count_request(queue.clock() - ago, tokens)

    # Keys for processes

    def find_name(self, named: str) -> str:
        """The name of a key that is given by its name or as itself; '' for the default key. Raises NotFound."""
        if is_marked(named.encode()):
            grant = self._find(named.encode())
            if not isinstance(grant, Grant):
                raise NotFound("The parent is a key that is not valid any more.")
            return grant.name
        if named in ("", DEFAULT):
            return ""
        if self._find_parent(named) is None:
            raise NotFound(f"There is no key {named[:80]}.")
        return named

    def add_child(
        self,
        name: str,
        grant: Grant,
        *,
        parent: str,
        pid: int,
        born: str,
        ttl: float = CHILD_SECONDS,
        budget: int | None = None,
        key: Secret | None = None,
    ) -> tuple[Child, Secret]:
        """Make a key for a process; the name is completed to one that no key had. parent: the name of one, '' for none.
        key: one that a proxy before this one made, which keeps its name. Raises BadRequest, Conflict, Unavailable."""
        if len(self.children) >= CHILDREN_LIMIT:
            raise Unavailable(f"There are {CHILDREN_LIMIT} keys for processes already.")
        if not self._is_same(pid, born):
            raise BadRequest(f"There is no process {pid} of this user that began then.")
        above = self._find_parent(parent) if parent else None
        if parent and above is None:
            raise NotFound(f"There is no key {parent[:80]}.")
        if key is None:
            name = f"{parent}{CHILD}{name}" if parent else name
            name = f"{name}-{secrets.token_hex(3)}"
            key = stored.generate()
        elif fault := explain_fault(key.reveal()):
            raise BadRequest(f"key is no client key: {fault}.")
        digest = digest_key(key.reveal().encode())
        taken = digest in self.table.digests or (digest in self._digests and self._digests[digest].grant.name != name)
        if taken or name in self.table.grants:
            raise Conflict("There is such a key already.")
        now = self._clock()
        grant = replace(grant, name=name, parent=above, is_child=True)
        child = Child(grant, digest, parent, pid, born, ttl, now + ttl, budget, now)
        self._put(child)
        self.on_budgets()
        self._begun.set()
        return child, key

    def renew(self, name: str) -> Child:
        """Have the time of a key for a process begin again. Raises NotFound."""
        child = self._require(name)
        renewed = replace(child, until=self._clock() + child.ttl)
        self._put(renewed)
        return renewed

    def revoke(self, name: str) -> Child:
        """End a key for a process, with those below it. Raises NotFound."""
        child = self._require(name)
        self._forget(name)
        self.on_budgets()
        return child

    def adopt_children(self, children: Iterable[Child]) -> None:
        """Know the keys for processes that another process of this port has, and no others."""
        self.children.clear()
        self._digests.clear()
        for child in children:
            self._put(child)
        self.on_budgets()
        self._begun.set()

    @property
    def shared(self) -> Mapping[str, SharedKey]:
        """The keys of other homes, by name: what the settings of this one say of them does not count."""
        return {name: self._shared[name] for name in list_others(self._own, self._shared)}

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets of keys for processes, each for as long as its process runs, and those of keys of other
        homes."""
        others = [list_key_budgets(name, row.options) for name, row in self.shared.items()]
        return tuple(budget for found in others for budget in found) + tuple(
            Budget(f"key {name}", "run", "usd", child.budget, child.made)
            for name, child in self.children.items()
            if child.budget is not None
        )

    async def run(self) -> None:
        """End keys whose process has ended or that were not renewed, until cancelled."""
        while True:
            if not self.children:
                self._begun = trio.Event()
                await self._begun.wait()
            await trio.sleep(LOOK_SECONDS)
            looked = list(self.children.values())
            ended = await trio.to_thread.run_sync(self._list_ended, looked)
            for child in ended:
                present = self.children.get(child.grant.name)
                if present is not None and (present.pid, present.born) == (child.pid, child.born):
                    self._forget(child.grant.name)
            if ended:
                self.on_budgets()

    def _list_ended(self, children: list[Child]) -> list[Child]:
        now = self._clock()
        return [child for child in children if now >= child.until or not self._is_same(child.pid, child.born)]

    def _find_parent(self, name: str) -> Grant | None:
        child = self.children.get(name)
        return child.grant if child is not None else self.table.grants.get(name)

    def _require(self, name: str) -> Child:
        child = self.children.get(name)
        if child is None:
            raise NotFound(f"There is no key {name[:80]} for a process; it may have ended.")
        return child

    def _put(self, child: Child) -> None:
        self.children[child.grant.name] = self._digests[child.digest] = child

    def _forget(self, name: str) -> None:
        for one in [one for one in self.children if one == name or one.startswith(name + CHILD)]:
            child = self.children.pop(one)
            self._digests.pop(child.digest, None)


def to_amount(dollars: float) -> int:
    """US dollars in billionths."""
    return round(dollars * DOLLAR)


def _explain_unknown(value: bytes) -> str:
    fault = explain_fault(value.decode("latin-1"))
    if fault:
        return f"This is no client key of fairlead: {fault}. Copy it again."
    return (
        "This client key is not known here: it was revoked, or its process has ended. Whoever runs this fairlead can "
        "make another:   fairlead keys add NAME"
    )
