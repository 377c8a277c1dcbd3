"""What the processes of one port tell each other: accounts, limits, sessions, keys for processes, notices, requests.

Budgets, halts, owners of ids and kept responses are in history.db already, which all of them open. What is here passes
through the parent: it applies what one worker says, and tells the others. Of a session that two workers bound at once
the parent's first word counts.
"""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

import trio

from router.host.clock import boot_time
from router.operator_api.status import Status
from router.policy.accounts.portions import Arbiter, Grant, Key, Recall
from router.policy.accounts.send_token import Handed, TokenArbiter, Wanted
from router.policy.accounts.turn_states import Issued
from router.server.accepting import Served
from router.server.workers.account_mirror import TICK_SECONDS, AccountMirror, AccountState
from router.server.workers.channel import Channel, Message
from router.server.workers.limit_shares import LimitShares, count_for
from router.store.history.entry import HistoryEntry
from router.store.interfaces import Owner
from router.store.shared.resource_owners import SqliteResourceOwners
from router.store.shared.stored_responses import SqliteStoredResponses
from router.upstream.client_keys.registry import Child
from router.upstream.services import Service

if TYPE_CHECKING:
    from collections.abc import Sequence

_REPORT_SECONDS = 1.0


class Peer(Protocol):
    """A worker, as the parent sees it."""

    name: int
    channel: Channel

    async def ask(self, kind: str, value: object = None, seconds: float = ...) -> Message | None:
        """Ask it something; None when it does not answer in time, or has ended."""
        ...


class Peers(Protocol):
    """The parent's workers."""

    @property
    def workers(self) -> "Sequence[Any]":
        """Those that run."""
        ...


class _Shared:
    """What both sides do."""

    def __init__(self) -> None:
        self._serving: Served | None = None
        self._mirror = AccountMirror()

    @property
    def serving(self) -> Served:
        """What this process serves."""
        assert self._serving is not None
        return self._serving

    @property
    def services(self) -> Mapping[str, Service]:
        """The backends as they are now."""
        return self.serving.runtime.snapshot.services

    def attach(self, serving: Served) -> None:
        """Act on this from now on."""
        self._serving = serving

    def send(self, kind: str, value: object, *, but: object = None) -> None:
        """Tell the other processes. but: not this one."""
        raise NotImplementedError

    async def run(self) -> None:
        """Tell the others what has changed, until cancelled."""
        while True:
            self.tick()
            await trio.sleep(TICK_SECONDS)

    def tick(self) -> None:
        """Tell the others what has changed."""
        states = self._mirror.collect(self.services, boot_time())
        if states:
            self.send("accounts", states)
        for name, service in self.services.items():
            if service.pool.affinity.on_bound is None:
                service.pool.affinity.on_bound = partial(self._tell_bound, name)

    def _tell_bound(self, backend: str, session: str, account: str, before: str) -> None:
        self.send("bound", (backend, session, account, before))

    def take_accounts(self, states: list[AccountState]) -> None:
        """Apply what another process knows of accounts."""
        self._mirror.receive(states, self.services, boot_time())

    def _learn(self, message: Message) -> None:
        """Take what another process knows of responses and turns."""
        if message.kind == "counted":
            self.serving.runtime.counted_responses.learn(message.read(str))
        else:
            self.serving.runtime.turn_states.learn(message.read(Issued))


class ParentState(_Shared):
    """The parent's side. It also reports of all processes (`Others`)."""

    def __init__(self, peers: Peers):
        super().__init__()
        #: True once all workers have served.
        self.started = False
        self._peers = peers
        self._children: dict[str, Child] = {}
        self._listening = False
        self._arbiter, self._tokens = Arbiter(), TokenArbiter()
        self._metrics: dict[int, bytes] = {}
        #: The last metrics of workers that have ended: their counts stay counted.
        self._ended: list[bytes] = []

    def send(self, kind: str, value: object, *, but: object = None) -> None:
        """Tell the workers. but: not this one."""
        for worker in self._peers.workers:
            if worker is not but and worker.ready.is_set():
                worker.channel.send(kind, value)

    def attach(self, serving: Served) -> None:
        """Report of all processes, and share the keys for processes as soon as they change."""
        super().attach(serving)
        serving.others = self
        keys = serving.runtime.client_keys
        before = keys.on_budgets

        def changed() -> None:
            before()
            self._share_children()

        keys.on_budgets = changed

    def tick(self) -> None:
        """Tell the workers what has changed."""
        super().tick()
        self._share_children()
        listening = bool(self.serving.runtime.recorder.listeners)
        if listening != self._listening:
            self._listening = listening
            self.send("listen", listening)

    def _share_children(self) -> None:
        children = self.serving.runtime.client_keys.children
        if children != self._children:
            self._children = dict(children)
            self.send("children", list(children.values()))

    def greet(self, worker: Peer) -> None:
        """Tell a worker that has just started what the others know."""
        worker.channel.send("accounts", self._mirror.collect(self.services, boot_time(), all_=True))
        worker.channel.send("children", list(self._children.values()))
        worker.channel.send("listen", self._listening)
        for name, service in self.services.items():
            for session, account in service.pool.affinity.list_accounts():
                worker.channel.send("bound", (name, session, account, ""))
        runtime = self.serving.runtime
        for response in runtime.counted_responses.list_names():
            worker.channel.send("counted", response)
        for issued in runtime.turn_states.list_issued():
            worker.channel.send("turn state", issued)

    def forget(self, worker: Peer) -> None:
        """Keep the counts of a worker that has ended."""
        now = boot_time()
        self._tell(self._arbiter.end(worker, now, count_for))
        self._tell(self._tokens.end(worker, now))
        last = self._metrics.pop(worker.name, None)
        if last is not None:
            from router.operator_api.combine import add_metrics, keep_counts

            self._ended = [keep_counts(add_metrics([*self._ended, last]))]

    def take(self, worker: Peer, message: Message) -> None:
        """Take what a worker tells."""
        if message.kind == "accounts":
            states = message.read(list[AccountState])
            self.take_accounts(states)
            self.send("accounts", states, but=worker)
        elif message.kind == "bound":
            self._take_bound(worker, *message.read(tuple[str, str, str, str]))
        elif message.kind == "owner":
            name, owner = message.read(tuple[str, Owner])
            self.serving.runtime.resource_owners.cache(name, owner)
            self.send("owner", (name, owner), but=worker)
        elif message.kind in ("counted", "turn state"):
            self._learn(message)
            self.send(message.kind, message.data, but=worker)
        elif message.kind == "more":
            key, limit, need = message.read(tuple[Key, int, int])
            self._tell(self._arbiter.ask(worker, key, limit, need, boot_time()))
        elif message.kind == "spare":
            key, amount = message.read(tuple[Key, int])
            self._tell(self._arbiter.give_back(worker, key, amount, boot_time()))
        elif message.kind == "want token":
            self._tell(self._tokens.ask(worker, *message.read(tuple[Key, float])))
        elif message.kind == "pass token":
            self._tell(self._tokens.give_back(worker, *message.read(tuple[Key, float])))
        elif message.kind == "notice":
            kind, subject, text, bell = message.read(tuple[str, str, str, bool])
            self.serving.runtime.notifier.tell(kind, subject, text, bell=bell)
        elif message.kind == "ended":
            self.serving.runtime.recorder.tell_remote(message.read(HistoryEntry))

    def _tell(self, told: "Sequence[Grant | Recall | Handed | Wanted]") -> None:
        """Carry out what the arbiters of limits say."""
        for one in told:
            worker = cast("Peer", one.process)
            if isinstance(one, Grant):
                worker.channel.send("grant", (one.key, one.amount))
            elif isinstance(one, Handed):
                worker.channel.send("token", (one.key, one.following))
            else:
                worker.channel.send("recall" if isinstance(one, Recall) else "recall token", one.key)

    def _take_bound(self, worker: Peer, backend: str, session: str, account: str, before: str) -> None:
        service = self.services.get(backend)
        if service is None:
            return
        affinity = service.pool.affinity
        known = affinity.account_of(session)
        if known not in ("", before, account):
            # Another worker was first.
            worker.channel.send("bound", (backend, session, known, account))
            return
        affinity.take_over(session, account, boot_time())
        self.send("bound", (backend, session, account, before), but=worker)

    # Reports

    async def list_statuses(self) -> list[Status]:
        """What each worker reports of itself; without those that do not answer in time."""
        answers = await self._ask_all("report")
        return [one.read(Status) for one in answers.values()]

    async def list_metrics(self) -> list[bytes]:
        """The metrics of each worker, and of those that have ended."""
        answers = await self._ask_all("metrics")
        self._metrics |= {name: one.read(bytes) for name, one in answers.items()}
        return [*self._metrics.values(), *self._ended]

    async def _ask_all(self, kind: str) -> dict[int, Message]:
        found: dict[int, Message] = {}

        async def ask(worker: Peer) -> None:
            answer = await worker.ask(kind, None, _REPORT_SECONDS)
            if answer is not None:
                found[worker.name] = answer

        async with trio.open_nursery() as nursery:
            for worker in self._peers.workers:
                nursery.start_soon(ask, worker)
        return dict(sorted(found.items()))


class WorkerState(_Shared):
    """The side of a worker. channel: to the parent."""

    def __init__(self, channel: Channel):
        super().__init__()
        self._channel = channel
        self._limits = LimitShares(channel.send)
        self._told = ""

    def send(self, kind: str, value: object, *, but: object = None) -> None:
        """Tell the parent."""
        self._channel.send(kind, value)

    def attach(self, serving: Served) -> None:
        """Have the parent show notices: the others may have the same ones."""
        super().attach(serving)
        serving.runtime.notifier.relay = self._send_notice
        owners, stored = serving.runtime.resource_owners, serving.runtime.stored_responses
        if isinstance(owners, SqliteResourceOwners):
            owners.on_remembered = self._tell_owner
        if isinstance(stored, SqliteStoredResponses):
            stored.at_once = True
        serving.runtime.counted_responses.on_added = partial(self.send, "counted")
        serving.runtime.turn_states.on_remembered = partial(self.send, "turn state")
        serving.runtime.client_keys.on_queue = partial(self._limits.attach_queue, "key")
        self._limits.attach(self.services.values())

    def tick(self) -> None:
        """Tell the parent what has changed, and share limits that are new."""
        super().tick()
        self._limits.attach(self.services.values())

    def _tell_owner(self, name: str, owner: Owner) -> None:
        # The row is in the file within half a second; a request that names the id may be at another worker sooner.
        self.send("owner", (name, owner))

    def _send_notice(self, kind: str, subject: str, text: str, bell: bool) -> None:
        self.send("notice", (kind, subject, text, bell))

    def take(self, message: Message) -> None:
        """Take what the parent tells."""
        runtime = self.serving.runtime
        if message.kind == "accounts":
            self.take_accounts(message.read(list[AccountState]))
        elif message.kind == "bound":
            backend, session, account, _ = message.read(tuple[str, str, str, str])
            if backend in self.services:
                self.services[backend].pool.affinity.take_over(session, account, boot_time())
        elif message.kind == "grant":
            self._limits.grow(*message.read(tuple[Key, int]))
        elif message.kind == "owner":
            runtime.resource_owners.cache(*message.read(tuple[str, Owner]))
        elif message.kind == "recall":
            self._limits.give_back(message.read(Key))
        elif message.kind == "token":
            self._limits.take_token(*message.read(tuple[Key, float]))
        elif message.kind == "recall token":
            self._limits.recall_token(message.read(Key))
        elif message.kind in ("counted", "turn state"):
            self._learn(message)
        elif message.kind == "children":
            runtime.client_keys.adopt_children(message.read(list[Child]))
        elif message.kind == "listen":
            self._listen(wanted=message.read(bool))

    def _listen(self, *, wanted: bool) -> None:
        recorder = self.serving.runtime.recorder
        if not wanted:
            recorder.listeners.discard(self._tell_ended)
            return
        for entry in recorder.recent:
            if entry.id > self._told:
                self._tell_ended(entry)
        recorder.listeners.add(self._tell_ended)

    def _tell_ended(self, entry: HistoryEntry) -> None:
        self._told = max(self._told, entry.id)
        self.send("ended", entry)

    async def report(self) -> Status:
        """What this process reports of itself."""
        from router.admin.status import report_status

        runtime = self.serving.runtime
        # Else one that is idle tells what the others had reserved when it was not.
        await runtime.guard.current()
        return report_status(runtime, self.serving, [])
