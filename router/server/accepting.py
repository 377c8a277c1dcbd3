"""The accept loops of a proxy: they can be paused while its port is handed over, and are stopped before it drains."""

import contextlib
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from router.admin.ask import Operated
from router.admin.dispatch import Dispatcher
from router.host.access import Gate
from router.net.descriptors import Reserve
from router.net.server.connection import Connection, Request
from router.net.server.connection_table import ConnectionTable
from router.net.server.listen import accept
from router.net.stream import SocketStream
from router.upstream.runtime import Runtime

Serve = Callable[[SocketStream], Awaitable[None]]


class Accepting(Protocol):
    """What accepts the connections of a proxy."""

    table: ConnectionTable

    @property
    def descriptors(self) -> list[int]:
        """The descriptors of the listening sockets."""
        ...

    async def run(self, clients: trio.Nursery, serve: Serve) -> None:
        """Accept until stopped; connections are tasks of `clients`."""
        ...

    async def pause(self) -> None:
        """Accept nothing more, and keep the port: who connects waits. Raises OSError, and then goes on."""
        ...

    def resume(self) -> None:
        """Accept again."""
        ...

    async def stop(self, *, handed_over: bool = False) -> None:
        """Close the listeners; returns once the port is free, or where it was handed over its new holder's alone."""
        ...


class AcceptLoops:
    """The loops over all listeners of a proxy."""

    def __init__(self, listeners: Sequence[socket.socket], reserve: Reserve):
        self._listeners = list(listeners)
        self._reserve = reserve
        self.table = ConnectionTable()
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._paused: list[socket.socket] = []
        self._resume: trio.Event | None = None

    @property
    def descriptors(self) -> list[int]:
        """The descriptors of the listening sockets."""
        return [listener.fileno() for listener in self._listeners]

    async def run(self, clients: trio.Nursery, serve: Serve) -> None:
        """Accept until stopped; connections are tasks of `clients`."""
        while True:
            try:
                with self._scope:
                    async with trio.open_nursery() as nursery:
                        for listener in self._listeners:
                            nursery.start_soon(accept, listener, clients, serve, self.table, self._reserve)
            finally:
                self._ended.set()
            resume = self._resume
            if resume is None:
                return
            await resume.wait()
            if not self._paused:
                return
            self._listeners, self._paused = self._paused, []
            self._scope, self._ended, self._resume = trio.CancelScope(), trio.Event(), None

    async def pause(self) -> None:
        """Accept nothing more, and keep the port: who connects waits. Raises OSError, and then goes on."""
        try:
            # Each loop closes its own listener.
            for listener in self._listeners:
                self._paused.append(listener.dup())
        except OSError:
            self._drop()
            raise
        self._resume = trio.Event()
        self._scope.cancel()
        await self._ended.wait()

    def resume(self) -> None:
        """Accept again."""
        if self._resume is not None:
            self._resume.set()

    async def stop(self, *, handed_over: bool = False) -> None:
        """Close the listeners; returns once the port is free, or where it was handed over its new holder's alone."""
        # The loader of the single-file form holds what its program was handed, and would keep the port.
        ends = [] if handed_over else self._duplicate()
        self._drop()
        if self._resume is not None:
            self._resume.set()
        self._scope.cancel()
        await self._ended.wait()
        for end in ends:
            with end, contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _duplicate(self) -> list[socket.socket]:
        """The listeners, by descriptors of their own; fewer where none is left."""
        found: list[socket.socket] = []
        with contextlib.suppress(OSError):
            found.extend(listener.dup() for listener in self._paused or self._listeners)
        return found

    def _drop(self) -> None:
        while self._paused:
            self._paused.pop().close()


class OwnPaths(Protocol):
    """What answers requests for paths that are not of an LLM's API."""

    async def serve(self, connection: Connection, request: Request) -> bool:
        """Answer when the path is an endpoint of fairlead; False when it is not. Raises RouterError."""
        ...


class Served(Operated, Protocol):
    """The part of a serving proxy that a role acts on."""

    runtime: Runtime
    #: True once another process has the port, so that idle connections are given time.
    handed_over: bool


class Role:
    """What a process is among those that serve a port: here the only one, which does everything."""

    #: Descriptors of listening sockets that it was given.
    sockets: Sequence[int] = ()

    def make_accepting(self, listeners: Sequence[socket.socket], reserve: Reserve) -> Accepting:
        """What accepts its connections."""
        return AcceptLoops(listeners, reserve)

    def make_own_paths(self, runtime: Runtime, gate: Gate, serving: Served) -> OwnPaths:
        """What answers operators."""
        return Dispatcher(runtime, gate, serving)

    async def begin(self, nursery: trio.Nursery, serving: Served) -> None:
        """Prepare; returns when the process may accept. Raises CommandError."""

    def tell_stop(self, *, handed_over: bool) -> None:
        """Have the other processes begin to stop."""

    async def end(self, seconds: float) -> None:
        """Wait for the other processes to end, for so many seconds at most."""


ALONE = Role()
