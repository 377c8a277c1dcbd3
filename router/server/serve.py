"""The nursery of a proxy: listeners, client connections, background work, and the order in which they end.

Stopping (product.md 3): no new connections, idle ones closed; DRAIN_SECONDS for what runs; then every open stream
ends with its protocol's error event; then the rest is cancelled. A second signal exits at once.
"""

import contextlib
import errno
import gc
import os
import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from router import __version__
from router.admin.endpoints import Endpoints
from router.errors import CommandError
from router.host import limits as host_limits
from router.host.access import Gate
from router.host.clock import AwakeClock
from router.net.descriptors import Reserve
from router.net.server.connection import Connection, Cut, Limits
from router.net.server.listen import CONNECTION_LIMIT, accept, open_listeners
from router.net.stream import SocketStream
from router.server.application import Proxy
from router.server.heartbeat import Heartbeat
from router.server.preload import preload
from router.server.reload import Reloading, write_log
from router.server.run_file import Presence
from router.server.signals import Signals
from router.settings import Loaded, Secret, Settings
from router.store.home import client_key, run_files
from router.store.home.home import Home
from router.store.interfaces import OpenStore
from router.store.shared.sqlite import open_sqlite
from router.telemetry.accesslog import AccessLog
from router.upstream import translation_state
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.upstream.runtime import Runtime
from router.upstream.translation_state import TranslationState

if TYPE_CHECKING:
    from router.demo import Demo

DRAIN_SECONDS = 10.0
LAST_WORDS_SECONDS = 1.0
# Of connections that were let in when no descriptor was left: the next caller waits for theirs.
HURRIED = Limits(idle=1.0, head=2.0)
OPERATOR_TOKEN = "operator.token"  # noqa: S105 - a file name


class PortTaken(CommandError):
    """The port is in use. port: its number."""

    def __init__(self, port: int):
        super().__init__(f"port {port} is taken by another program.", f"Use another port:   --port {port + 1}")
        self.port = port


class Serving:
    """A proxy that accepts requests. url: for clients on this machine. key: what they must send, None for nothing.

    reload: asks for a reload, and gives the event that is set when it is done.
    """

    def __init__(self, url: str, port: int, key: Secret | None, runtime: Runtime, reload: Callable[[], trio.Event]):
        self.url = url
        self.port = port
        self.key = key
        self.runtime = runtime
        self.connections = runtime.vitals.clients
        #: Set once nothing more is read from the installation.
        self.loaded = runtime.loaded
        self.reload = reload
        self.started = trio.current_time()
        #: True once every connection is to close after the answer that is under way.
        self.draining = False
        run = run_files.Run(pid=os.getpid(), url=url, port=port, version=__version__, started=time.time())
        self.presence = Presence(runtime.home, run, runtime.log)
        self._stop = trio.Event()
        self._left = trio.Event()

    @property
    def problems(self) -> list[str]:
        """What the user should know, each with its fix."""
        own = [self.presence.problem] if self.presence.problem else []
        return [*own, *self.runtime.snapshot.problems]

    def stop(self) -> None:
        """Begin to stop; returns at once."""
        self._stop.set()

    def left(self, connection: Connection) -> None:
        """A client connection has ended."""
        self.connections.discard(connection)
        self._left.set()

    async def emptied(self) -> None:
        """Wait until no client connection is left."""
        while self.connections:
            self._left = trio.Event()
            await self._left.wait()

    async def forever(self) -> None:
        """Wait until the proxy is told to stop, by a signal or an operator."""
        await self._stop.wait()


@asynccontextmanager
async def running(
    settings: Settings,
    home: Home,
    *,
    warnings: tuple[str, ...] = (),
    again: Callable[[], Loaded] | None = None,
    demo: "Demo | None" = None,
    drain: float = DRAIN_SECONDS,
    open_store: OpenStore = open_sqlite,
) -> AsyncGenerator[Serving]:
    """Serve while the body runs; leaving it drains and stops. warnings: what was said of the settings. again: reads
    them anew for a reload, None to stay with these. open_store: opens what the proxy keeps beyond its memory. Raises
    CommandError and PortTaken before serving."""
    client_key.check(settings)
    configuration = read(home, settings, warnings)
    key = client_key.client_key(settings, home)
    token = home.token(OPERATOR_TOKEN)
    listeners = _listening(settings)
    port: int = listeners[0].getsockname()[1]
    url = f"http://{_url_host(settings.host)}:{port}"
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        reserve = Reserve()
        stack.callback(reserve.close)
        log = _log(settings, [key, token])
        stack.callback(log.close)
        async with trio.open_nursery() as background:
            root = await _demo_root(background, demo) if settings.demo else None
            state = TranslationState(home.token(translation_state.KEY))
            runtime = compose(configuration, home, log, demo_root=root, translation_state=state, open_store=open_store)
            stack.callback(runtime.close)
            gate = Gate(settings, key, token)
            again = again or (lambda: Loaded(runtime.settings, {}))
            reloading = Reloading(runtime, gate, again=again, start_demo=lambda: _demo_root(background, None))
            serving = Serving(url, port, key, runtime, reloading.watch.ask)
            proxy = Proxy(runtime, gate, Endpoints(runtime, gate, serving))
            background.start_soon(_start_writers, runtime)
            background.start_soon(Heartbeat(runtime, chores=(reserve.fill,)).run)
            background.start_soon(reloading.watch.run)
            background.start_soon(serving.presence.keep)
            background.start_soon(runtime.guard.run)
            await background.start(runtime.refresh_catalogs)
            async with trio.open_nursery() as clients:
                accepting = _Accepting(listeners, reserve)
                background.start_soon(accepting.run, clients, _server(proxy, serving, reserve))
                background.start_soon(preload, log.add, runtime.loaded, runtime.connections.trust)
                with serving.presence.shown():
                    try:
                        yield serving
                    finally:
                        with trio.CancelScope(shield=True):
                            await accepting.stop()
                            await _drained(serving, drain)
                        clients.cancel_scope.cancel()
            runtime.connections.close()
            background.cancel_scope.cancel()


def _listening(settings: Settings) -> list[socket.socket]:
    try:
        return open_listeners(settings.host, settings.port)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES) and settings.port:
            if error.errno == errno.EADDRINUSE:
                raise PortTaken(settings.port) from None
            raise CommandError(
                f"port {settings.port} may not be used by this account.", "Use a port from 1024 up."
            ) from None
        raise CommandError(f"cannot listen on {settings.host}: {error.strerror or error}.") from None


def _url_host(host: str) -> str:
    if host in ("0.0.0.0", "::", "127.0.0.1", "::1"):  # noqa: S104 - compared with, not bound to
        return "localhost"
    return f"[{host}]" if ":" in host else host


def _log(settings: Settings, hidden: list[Secret | None]) -> AccessLog:
    log = AccessLog(0, None)
    log.hide(hidden, always=True)
    try:
        write_log(log, settings)
    except CommandError:
        log.close()
        raise
    return log


async def _demo_root(background: trio.Nursery, demo: "Demo | None") -> str:
    from router.demo import Demo

    return await background.start((demo or Demo()).serve) + "/v1"


def _server(proxy: Proxy, serving: Serving, reserve: Reserve) -> Callable[[SocketStream], Awaitable[None]]:
    limits = Limits()

    async def serve(stream: SocketStream) -> None:
        connection = Connection(stream, proxy, HURRIED if reserve.low else limits)
        serving.connections.add(connection)
        if serving.draining:
            connection.retire()
        try:
            await connection.serve()
        finally:
            serving.left(connection)

    return serve


class _Accepting:
    def __init__(self, listeners: list[socket.socket], reserve: Reserve):
        self._listeners = listeners
        self._reserve = reserve
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    async def run(self, clients: trio.Nursery, serve: Callable[[SocketStream], Awaitable[None]]) -> None:
        slots = trio.Semaphore(CONNECTION_LIMIT)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for listener in self._listeners:
                        nursery.start_soon(accept, listener, clients, serve, slots, self._reserve)
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Returns once the port is free."""
        self._scope.cancel()
        await self._ended.wait()


async def _start_writers(runtime: Runtime) -> None:
    # Off the start path; what they need is loaded by then.
    await runtime.loaded.wait()
    runtime.start()


async def _drained(serving: Serving, seconds: float) -> None:
    serving.draining = True
    for connection in list(serving.connections):
        connection.retire()
    with trio.move_on_after(seconds):
        await serving.emptied()
    for connection in list(serving.connections):
        connection.cut(Cut.STOPPING)
    with trio.move_on_after(LAST_WORDS_SECONDS):
        await serving.emptied()


def run(
    settings: Settings,
    home: Home,
    *,
    warnings: tuple[str, ...] = (),
    again: Callable[[], Loaded] | None = None,
    announce: Callable[[Serving], None] | None = None,
) -> int:
    """Serve until a signal or an operator stops the proxy; 0 after an orderly end. warnings, again: as for `running`.
    Raises CommandError."""
    host_limits.prepare()
    try:
        serves = running(settings, home, warnings=warnings, again=again)
        trio.run(_run, serves, announce, clock=AwakeClock())
    except BaseExceptionGroup as group:
        errors, others = group.split(CommandError)
        if errors is not None and others is None:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            raise first from None
        raise
    return 0


async def _run(serves: AbstractAsyncContextManager[Serving], announce: Callable[[Serving], None] | None) -> None:
    async with trio.open_nursery() as outer:
        signals = Signals()
        await outer.start(signals.listen)
        async with serves as serving:
            signals.attach(serving)
            if announce is not None:
                announce(serving)
            gc.enable()
            outer.start_soon(_frozen, serving)
            await serving.forever()
        outer.cancel_scope.cancel()


async def _frozen(serving: Serving) -> None:
    """What is loaded stays: a collection need not walk through it again and again."""
    gc.freeze()
    await serving.loaded.wait()
    gc.freeze()
