"""The nursery of a proxy: listeners, client connections, background work, and the order in which they end.

Stopping: no new connections, idle ones closed; DRAIN_SECONDS for running requests; then every open stream ends with
its protocol's error event; then the rest is cancelled. A second signal exits at once. After a restart the port is the
next process's already, and a connection ends by an answer that tells its client to close, or idle for GENTLE_SECONDS.
"""

import contextlib
import gc
import os
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import trio

from router import __version__
from router.admin.dispatch import Dispatcher
from router.errors import CommandError
from router.host import limits as host_limits
from router.host.access import Gate
from router.host.clock import AwakeClock
from router.host.event_loop import run_async
from router.host.service.managed import Service
from router.net.descriptors import Reserve
from router.net.loopback import make_literal_url, make_url
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.net.server.connection_table import ConnectionTable
from router.net.server.limits import Limits
from router.net.stream import SocketStream
from router.operator_api.status import ProcessStatus, Restarted
from router.server import background_log
from router.server.accepting import AcceptLoops
from router.server.application import Proxy
from router.server.background_log import BackgroundLog, is_own_output
from router.server.heartbeat import Heartbeat
from router.server.listeners import open_listeners
from router.server.parked_backends import ParkedBackends
from router.server.preload import preload
from router.server.reload import Reloader, configure_log
from router.server.reported import Reported
from router.server.restart import FOREGROUND, Origin, Restarter
from router.server.run_file import RunFile
from router.server.signals import Signals
from router.server.watch import ConfigWatcher
from router.settings import Loaded, Secret, Settings
from router.store.home import client_key, processes, run_files
from router.store.home.home import OPERATOR_TOKEN, Home
from router.store.interfaces import OpenStore
from router.store.keys import client_keys
from router.store.opening import open_store as open_chosen_store
from router.telemetry.accesslog import AccessLog
from router.upstream import translation_state
from router.upstream.client_keys.minutes import count_last_minute
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.upstream.runtime import Runtime
from router.upstream.translation_state import TranslationState

if TYPE_CHECKING:
    from router.demo import Demo

DRAIN_SECONDS = 10.0
ERROR_EVENT_SECONDS = 1.0
GENTLE_SECONDS = 1.0
#: For connections accepted with the last file descriptors: they end early, since further clients wait for descriptors.
LOW_FD_LIMITS = Limits(first=1.0, idle=1.0, head=2.0)


class Serving:
    """A proxy that accepts requests."""

    def __init__(
        self,
        url: str,
        port: int,
        key: Secret | None,
        runtime: Runtime,
        watch: ConfigWatcher,
        run_file: RunFile,
        restarter: Restarter,
    ):
        #: For clients on this machine.
        self.url = url
        self.port = port
        #: What clients must send, None when they need no key.
        self.key = key
        self.runtime = runtime
        self.connections = runtime.health.clients
        #: Set once nothing more is read from the installation.
        self.loaded = runtime.loaded
        #: Requests a reload; the event it returns is set when the reload is done.
        self.reload = watch.request_reload
        #: Held while a reload runs; whoever holds it puts reloads off.
        self.reloading = watch.lock
        #: On trio's clock.
        self.started = trio.current_time()
        #: True once every connection is to close after the answer in progress.
        self.draining = False
        self.run_file = run_file
        self.restarter = restarter
        self._stop = trio.Event()
        self._removed = trio.Event()

    @property
    def problems(self) -> list[str]:
        """Problems to show to the user, each with its fix."""
        own = [self.run_file.problem] if self.run_file.problem else []
        return [*own, *self.runtime.snapshot.problems]

    @property
    def process(self) -> ProcessStatus:
        """How this process was started."""
        return self.run_file.report()

    def format_stop(self) -> str:
        """What a user at a terminal is told when the proxy stops; '' when no answer is open."""
        count = sum(connection.busy for connection in self.connections)
        answers = f"{count} open answer{'' if count == 1 else 's'}"
        return f"Stopping: {answers}, up to {DRAIN_SECONDS:g} s. Press Ctrl-C again to end at once." if count else ""

    def stop(self) -> None:
        """Begin to stop; returns at once."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """True once it was told to stop."""
        return self._stop.is_set()

    async def restart(self) -> Restarted:
        """Start the program again and hand it the port. Raises Conflict, and then goes on to serve."""
        return await self.restarter.restart(self)

    def remove_connection(self, connection: Connection) -> None:
        """Remove a client connection that has ended."""
        self.connections.discard(connection)
        self._removed.set()

    async def wait_until_empty(self) -> None:
        """Wait until all client connections have ended."""
        while self.connections:
            self._removed = trio.Event()
            await self._removed.wait()

    async def wait_until_stopped(self) -> None:
        """Wait until a signal or an operator stops the proxy."""
        await self._stop.wait()


@asynccontextmanager
async def running(
    settings: Settings,
    home: Home,
    *,
    warnings: tuple[str, ...] = (),
    load_settings: Callable[[], Loaded] | None = None,
    demo: "Demo | None" = None,
    drain: float = DRAIN_SECONDS,
    open_store: OpenStore = open_chosen_store,
    origin: Origin = FOREGROUND,
) -> AsyncGenerator[Serving]:
    """Serve while the body runs; leaving it drains and stops. warnings: of reading the settings. load_settings: reads
    them again for a reload, None to keep these. open_store: opens what the proxy keeps beyond its memory. origin: how
    it was started. Raises CommandError and PortTaken before serving."""
    client_key.check(settings, named=client_keys.are_there(home))
    key = client_key.client_key(settings, home)
    token = home.token(OPERATOR_TOKEN)
    # After the tokens were made: what is read holds them as keys that no upstream may get.
    configuration = read(home, settings, warnings)
    listeners = open_listeners(settings, origin.starter)
    ours = [listener.getsockname()[:2] for listener in listeners]
    bound, port = [address for address, _ in ours], int(ours[0][1])
    url = make_url(settings.host, bound, port)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        reserve = stack.enter_context(contextlib.closing(Reserve()))
        log = stack.enter_context(contextlib.closing(_open_log(settings, [key, token])))
        async with trio.open_nursery() as background:
            root = await _start_demo(background, demo) if settings.demo else None
            state = TranslationState(home.token(translation_state.KEY))
            runtime = compose(
                configuration, home, log, demo_root=root, listening=ours, translation_state=state, open_store=open_store
            )
            stack.callback(runtime.close)
            gate = Gate(settings, key, token, bound=bound, url=url)
            run_file = _make_run_file(home, url, ours[0], log, origin)
            load = load_settings or (lambda: Loaded(runtime.settings, {}))
            reloader = Reloader(runtime, gate, run_file, load, start_demo=lambda: _start_demo(background, None))
            accepting = AcceptLoops(listeners, reserve)
            restarter = Restarter(background, home, origin, accepting, run_file, reloader.watch.lock)
            serving = Serving(url, port, key, runtime, reloader.watch, run_file, restarter)
            proxy = Proxy(runtime, gate, Dispatcher(runtime, gate, serving))
            chores = [reserve.fill, *_list_chores(home, origin)]
            await _start_tasks(background, runtime, reloader.watch, run_file, chores)
            async with trio.open_nursery() as clients:
                await origin.wait_for_turn()
                background.start_soon(accepting.run, clients, _make_handler(proxy, serving, reserve, accepting.table))
                background.start_soon(preload, log.add, runtime.loaded, runtime.connections.load_context)
                with run_file.publish():
                    try:
                        yield serving
                    finally:
                        with trio.CancelScope(shield=True):
                            gently = await restarter.end()
                            await accepting.stop(handed_over=gently)
                            await _drain(serving, drain, gently=gently)
                        clients.cancel_scope.cancel()
            runtime.connections.close()
            background.cancel_scope.cancel()


async def _start_tasks(
    background: trio.Nursery,
    runtime: Runtime,
    watch: ConfigWatcher,
    run_file: RunFile,
    chores: Sequence[Callable[[], None]],
) -> None:
    background.start_soon(_start_writers, runtime)
    background.start_soon(Heartbeat(runtime, chores=(ParkedBackends(runtime).look, *chores)).run)
    background.start_soon(runtime.notifier.run)
    background.start_soon(watch.run)
    background.start_soon(run_file.maintain)
    background.start_soon(runtime.guard.run)
    background.start_soon(runtime.client_keys.run)
    if runtime.settings.telemetry_otlp is not None:
        from router.upstream.export.start import make_export

        background.start_soon(make_export(runtime).run)
    await background.start(runtime.refresh_catalogs)
    await count_last_minute(runtime.client_keys, runtime.home)


def _list_chores(home: Home, origin: Origin) -> list[Callable[[], None]]:
    if origin.starter is not None:
        return [BackgroundLog(home).trim]
    log = origin.service.log
    return [BackgroundLog(home, path=log).trim] if log is not None and is_own_output(log) else []


def _make_run_file(home: Home, url: str, bound: tuple[str, int], log: AccessLog, origin: Origin) -> RunFile:
    file = home.at(background_log.NAME) if origin.mode == "detached" else origin.service.log
    run = run_files.Run(
        pid=os.getpid(),
        url=url,
        literal_url=make_literal_url(*bound),
        port=bound[1],
        version=__version__,
        started=time.time(),
        born=processes.find_birth(os.getpid()),
        mode=origin.mode,
        unit=origin.unit,
        log=str(file or ""),
        program=origin.program,
    )
    return RunFile(home, run, log)


def _open_log(settings: Settings, hidden: list[Secret | None]) -> AccessLog:
    log = AccessLog(0, None)
    log.hide(hidden, always=True)
    try:
        configure_log(log, settings)
    except CommandError:
        log.close()
        raise
    return log


async def _start_demo(background: trio.Nursery, demo: "Demo | None") -> str:
    from router.demo import Demo

    return await background.start((demo or Demo()).serve) + "/v1"


def _make_handler(
    proxy: Proxy, serving: Serving, reserve: Reserve, table: ConnectionTable
) -> Callable[[SocketStream], Awaitable[None]]:
    limits = Limits()

    async def serve(stream: SocketStream) -> None:
        connection = Connection(stream, proxy, LOW_FD_LIMITS if reserve.low else limits, table)
        serving.connections.add(connection)
        if serving.draining:
            connection.retire()
        try:
            await connection.serve()
        finally:
            serving.remove_connection(connection)

    return serve


async def _start_writers(runtime: Runtime) -> None:
    # After the preload, which has imported what the writers need.
    await runtime.loaded.wait()
    runtime.start()


async def _drain(serving: Serving, seconds: float, *, gently: bool) -> None:
    serving.draining = True
    idle = GENTLE_SECONDS if gently else 0.0
    for connection in list(serving.connections):
        connection.retire(idle=idle)
    with trio.move_on_after(seconds + idle):
        await serving.wait_until_empty()
    for connection in list(serving.connections):
        connection.cancel(CancelReason.STOPPING)
    with trio.move_on_after(ERROR_EVENT_SECONDS):
        await serving.wait_until_empty()


def run(
    settings: Settings,
    home: Home,
    *,
    warnings: tuple[str, ...] = (),
    load_settings: Callable[[], Loaded] | None = None,
    announce: Callable[[Serving], None] | None = None,
    origin: Origin = FOREGROUND,
) -> int:
    """Serve until a signal or an operator stops the proxy; 0 after an orderly end. Other arguments: as for `running`.
    Raises CommandError."""
    host_limits.apply_limits()
    try:
        serves = running(settings, home, warnings=warnings, load_settings=load_settings, origin=origin)
        run_async(_run, serves, announce, origin.service, clock=AwakeClock())
    except BaseExceptionGroup as group:
        errors, others = group.split(CommandError)
        if errors is not None and others is None:
            first: BaseException = errors
            while isinstance(first, BaseExceptionGroup):
                first = first.exceptions[0]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            raise first from None
        raise
    return 0


async def _run(
    serves: AbstractAsyncContextManager[Serving], announce: Callable[[Serving], None] | None, service: Service
) -> None:
    async with trio.open_nursery() as outer:
        signals = Signals()
        await outer.start(signals.listen)
        async with serves as serving:
            reported = Reported(serving, service, outer)
            signals.attach(reported)
            if announce is not None:
                announce(serving)
            reported.begin()
            gc.enable()
            outer.start_soon(_freeze_objects, serving)
            await serving.wait_until_stopped()
            service.tell_stopping()
        outer.cancel_scope.cancel()


async def _freeze_objects(serving: Serving) -> None:
    """Exclude the loaded modules from garbage collections, which would traverse them each time."""
    gc.freeze()
    await serving.loaded.wait()
    gc.freeze()
