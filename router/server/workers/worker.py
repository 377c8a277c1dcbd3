"""A worker: it accepts on the port that its parent holds, and serves the APIs.

Rules of this file: it accepts when the parent says so and stops when it says so, or has ended. What it says of its
state goes to the parent; requests of operators are the parent's to answer.
"""

import socket
from collections.abc import Sequence

import trio

from router.host.access import Gate
from router.net.descriptors import Reserve
from router.server.accepting import AcceptLoops, OwnPaths, Role, Served
from router.server.workers.channel import Channel, Message
from router.server.workers.forward import Forwarder
from router.server.workers.given import Given
from router.server.workers.shared_state import WorkerState
from router.upstream.runtime import Runtime


class WorkerRole(Role):
    """The role of a worker. given: by the parent."""

    def __init__(self, given: Given):
        self.sockets = tuple(given.sockets)
        self._channel = Channel(socket.socket(fileno=given.channel))
        self._state = WorkerState(self._channel)
        self._port = given.port
        self._accepting: _WorkerPort | None = None
        self._turn = trio.Event()
        self._paused = False

    def make_accepting(self, listeners: Sequence[socket.socket], reserve: Reserve) -> AcceptLoops:
        """Loops on the parent's sockets."""
        self._accepting = _WorkerPort(listeners, reserve, self._channel)
        return self._accepting

    def make_own_paths(self, runtime: Runtime, gate: Gate, serving: Served) -> OwnPaths:
        """The parent answers operators."""
        return Forwarder(self._channel)

    async def begin(self, nursery: trio.Nursery, serving: Served) -> None:
        """Say that it is ready, and wait until it may accept."""
        self._state.attach(serving)
        serving.runtime.account_states.join_port(self._port)
        nursery.start_soon(self._channel.run_sender)
        nursery.start_soon(self._read, serving)
        self._channel.send("ready")
        await self._turn.wait()
        nursery.start_soon(self._state.run)

    async def _read(self, serving: Served) -> None:
        async with trio.open_nursery() as nursery:
            while messages := await self._channel.receive():
                for message, _ in messages:
                    if message.number:
                        nursery.start_soon(self._answer, serving, message)
                    else:
                        await self._take(serving, message)
        # The parent has ended: nobody is told to go elsewhere, so there is no delay.
        serving.handed_over = True
        serving.stop()
        self._turn.set()

    async def _take(self, serving: Served, message: Message) -> None:
        assert self._accepting is not None
        if message.kind == "go":
            if self._paused:
                self._accepting.resume()
            self._paused = False
            self._turn.set()
        elif message.kind == "pause":
            if self._turn.is_set() and not self._paused:
                await self._accepting.pause()
            self._paused = True
            self._channel.send("still")
        elif message.kind == "stop":
            serving.handed_over = message.read(bool)
            serving.stop()
            self._turn.set()
        else:
            self._state.take(message)

    async def _answer(self, serving: Served, message: Message) -> None:
        answer: object = None
        if message.kind == "reload":
            await serving.reload().wait()
            self._state.tick()
        elif message.kind == "report":
            answer = await self._state.report()
        elif message.kind == "metrics":
            from router.admin.metrics_api import expose

            answer = await trio.to_thread.run_sync(expose, serving.runtime)
        self._channel.send("answer", answer, number=message.number)


class _WorkerPort(AcceptLoops):
    """The accept loops of a worker."""

    def __init__(self, listeners: Sequence[socket.socket], reserve: Reserve, channel: Channel):
        super().__init__(listeners, reserve)
        self._channel = channel

    async def stop(self, *, handed_over: bool = False) -> None:
        """Close this process's listeners, and say so: the port is the parent's."""
        await super().stop(handed_over=True)
        self._channel.send("still")
