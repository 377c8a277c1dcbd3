"""The nursery of a proxy: listeners, client connections, background work, and the order in which they end.

Stopping: for drain.delay, connections are still accepted, /readyz is 503, and each answer tells its client to close;
then no new connections, idle ones closed; drain.time for running requests; then every open stream ends with its
protocol's error event; then the rest is cancelled. A second signal exits at once. After a restart the port is the
next process's already, and a connection ends by an answer that tells its client to close, or idle for GENTLE_SECONDS.
"""

import contextlib
import gc
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Literal

import trio

from router.errors import CommandError
from router.host import limits as host_limits
from router.host.access import Gate
from router.host.clock import AwakeClock
from router.host.event_loop import run_async
from router.host.service.managed import Service
from router.net.descriptors import Reserve
from router.net.loopback import make_url
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.net.server.connection_table import ConnectionTable
from router.net.server.limits import Limits
from router.net.stream import SocketStream
from router.operator_api.status import ProcessStatus, Restarted
from router.server.accepting import ALONE, Accepting, Role
from router.server.application import Proxy
from router.server.background_log import BackgroundLog, is_own_output
from router.server.heartbeat import Heartbeat
from router.server.listeners import open_listeners
from router.server.parked_backends import ParkedBackends
from router.server.preload import preload
from router.server.reload import Reloader, configure_log
from router.server.reported import Reported
from router.server.restart import FOREGROUND, Origin, Restarter, make_run_file
from router.server.run_file import RunFile
from router.server.signals import Signals
from router.server.watch import ConfigWatcher
from router.settings import Loaded, Secret, Settings
from router.store.home import client_key
from router.store.home.home import Home
from router.store.interfaces import OpenStore
from router.store.keys import client_keys
from router.store.opening import open_store as open_chosen_store
from router.store.own_tokens import read_operator_token, read_seal_key
from router.telemetry.accesslog import AccessLog
from router.upstream.catalogs import FIRST_LOAD_SECONDS
from router.upstream.client_keys.minutes import count_last_minute
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.upstream.runtime import Runtime
from router.upstream.shared.in_step import keep_in_step
from router.upstream.translation_state import TranslationState

if TYPE_CHECKING:
    from router.admin.ask import Others
    from router.demo import Demo

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
        #: How long an idle connection may stay, since each is to close after its next answer; None until it stops.
        self.idle: float | None = None
        #: True once another process has the port, so that idle connections are given time.
        self.handed_over = False
        #: The other processes that serve the port, None where there are none.
        self.others: Others | None = None
        self._ready = False
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
        count, delay = sum(connection.busy for connection in self.connections), self.runtime.settings.drain_delay
        answers = f"{count} open answer{'' if count == 1 else 's'}"
        again = "Press Ctrl-C again to end at once."
        if delay:
            return f"Stopping: it still accepts for {delay:g} s, then up to {self.ends_within - delay:g} s. {again}"
        return f"Stopping: {answers}, up to {self.ends_within:g} s. {again}" if count else ""

    @property
    def ends_within(self) -> float:
        """Seconds from a stop to the error event that an open answer gets at the latest."""
        return self.runtime.settings.drain_delay + self.runtime.settings.drain_time

    @property
    def readiness(self) -> Literal["starting", "ready", "draining"]:
        """Whether a load balancer should send requests here. It starts until everything is loaded and the models of
        each backend are known, or could not be learned; a later reload does not make it start again."""
        if self.stopping:
            return "draining"
        if not self._ready:
            late = trio.current_time() >= self.started + FIRST_LOAD_SECONDS
            self._ready = self.loaded.is_set() and (late or not self.runtime.catalogs.loading)
        return "ready" if self._ready else "starting"

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
    drain: float | None = None,
    open_store: OpenStore = open_chosen_store,
    origin: Origin = FOREGROUND,
    role: Role = ALONE,
) -> AsyncGenerator[Serving]:
    """Serve while the body runs; leaving it drains and stops. warnings: of reading the settings. load_settings: reads
    them again for a reload, None to keep these. drain: seconds that open answers have in the place of drain.time, and
    without drain.delay. open_store: opens what the proxy keeps beyond its memory. origin: how it was started. role:
    what it is where several processes serve the port. Raises CommandError and PortTaken before serving."""
    client_key.check(settings, named=client_keys.are_there(home))
    key = client_key.client_key(settings, home)
    token = read_operator_token(home, settings, os.environ)
    # After the tokens were made: what is read holds them as keys that no upstream may get.
    configuration = read(home, settings, warnings)
    listeners = open_listeners(settings, origin.starter.sockets if origin.starter is not None else role.sockets)
    ours = [listener.getsockname()[:2] for listener in listeners]
    bound, port = [address for address, _ in ours], int(ours[0][1])
    url = make_url(settings.host, bound, port)
    with contextlib.ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        reserve = stack.enter_context(contextlib.closing(Reserve()))
        log = stack.enter_context(contextlib.closing(_open_log(settings, [key, token, configuration.metrics_token])))
        async with trio.open_nursery() as background:
            root = await _start_demo(background, demo) if settings.demo else None
            state = TranslationState(read_seal_key(home, settings, os.environ))
            runtime = compose(
                configuration, home, log, demo_root=root, listening=ours, translation_state=state, open_store=open_store
            )
            stack.callback(runtime.close)
            gate = Gate(settings, key, token, metrics_token=configuration.metrics_token, bound=bound, url=url)
            run_file = make_run_file(home, url, ours[0], log, origin)
            load = load_settings or (lambda: Loaded(runtime.settings, {}))
            reloader = Reloader(runtime, gate, run_file, load, start_demo=lambda: _start_demo(background, None))
            accepting = role.make_accepting(listeners, reserve)
            restarter = Restarter(background, home, origin, accepting, run_file, reloader.watch.lock)
            serving = Serving(url, port, key, runtime, reloader.watch, run_file, restarter)
            proxy = Proxy(runtime, gate, role.make_own_paths(runtime, gate, serving))
            await _start_tasks(background, runtime, reloader.watch, run_file, _list_chores(home, origin, reserve))
            async with trio.open_nursery() as clients:
                await role.begin(background, serving)
                await origin.wait_for_turn()
                background.start_soon(accepting.run, clients, _make_handler(proxy, serving, reserve, accepting.table))
                background.start_soon(preload, log.add, runtime.loaded, runtime.connections.load_context)
                with run_file.publish():
                    try:
                        yield serving
                    finally:
                        with trio.CancelScope(shield=True):
                            await _end(serving, accepting, drain, role)
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
    background.start_soon(keep_in_step, runtime, watch.request_reload)
    if runtime.settings.telemetry_otlp is not None:
        from router.upstream.export.start import make_export

        background.start_soon(make_export(runtime).run)
    await background.start(runtime.refresh_catalogs)
    await count_last_minute(runtime.client_keys, runtime.home)


def _list_chores(home: Home, origin: Origin, reserve: Reserve) -> list[Callable[[], None]]:
    if origin.starter is not None:
        return [reserve.fill, BackgroundLog(home).trim]
    log = origin.service.log
    return [reserve.fill, *([BackgroundLog(home, path=log).trim] if log is not None and is_own_output(log) else [])]


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
        if serving.idle is not None:
            connection.retire(idle=serving.idle)
        try:
            await connection.serve()
        finally:
            serving.remove_connection(connection)

    return serve


async def _start_writers(runtime: Runtime) -> None:
    # After the preload, which has imported what the writers need.
    await runtime.loaded.wait()
    runtime.start()


async def _end(serving: Serving, accepting: Accepting, drain: float | None, role: Role) -> None:
    gently = handed_over = await serving.restarter.end() or serving.handed_over
    role.tell_stop(handed_over=handed_over)
    if drain is None and not handed_over:
        gently = await _leave(serving)
    await accepting.stop(handed_over=handed_over)
    await _drain(serving, drain, gently=gently)
    await role.end(serving.ends_within + ERROR_EVENT_SECONDS + GENTLE_SECONDS)


async def _leave(serving: Serving) -> bool:
    """Go on accepting until load balancers have seen that this proxy is not ready; True if there was such a time."""
    delay = serving.runtime.settings.drain_delay
    if not delay:
        return False
    # Not shorter: who has such a connection may send a request on it at any moment.
    serving.idle = delay + GENTLE_SECONDS
    for connection in list(serving.connections):
        connection.retire(idle=serving.idle)
    await trio.sleep(delay)
    return True


async def _drain(serving: Serving, seconds: float | None, *, gently: bool) -> None:
    serving.idle = idle = GENTLE_SECONDS if gently else 0.0
    for connection in list(serving.connections):
        connection.retire(idle=idle)
    with trio.move_on_after((serving.runtime.settings.drain_time if seconds is None else seconds) + idle):
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
    role: Role = ALONE,
) -> int:
    """Serve until a signal or an operator stops the proxy; 0 after an orderly end. Other arguments: as for `running`.
    Raises CommandError."""
    host_limits.apply_limits()
    try:
        serves = running(settings, home, warnings=warnings, load_settings=load_settings, origin=origin, role=role)
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
            service.tell_stopping(serving.ends_within + ERROR_EVENT_SECONDS)
        outer.cancel_scope.cancel()


async def _freeze_objects(serving: Serving) -> None:
    """Exclude the loaded modules from garbage collections, which would traverse them each time."""
    gc.freeze()
    await serving.loaded.wait()
    gc.freeze()
