"""A restart without a gap: this process starts its program again, hands it the listening sockets, and then ends.

Rules of this file: what is started is what started this process, with the same arguments and environment; a request
names nothing of it. The sockets stay bound throughout. One of the two accepts at a time: this process pauses, says that
it is the other's turn, and hears that it serves; who connects meanwhile waits. Until then any failure ends the other
process, and this one goes on. A process that has had its turn is not ended: what would stop this one stops it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol, TypeVar

import trio

from router import __version__
from router.errors import CommandError, Conflict
from router.host.own_program import BackgroundProgram, find_words, name_program, start_again
from router.host.service.managed import LABEL, TASK, Service
from router.host.service.unit import find_service_unit
from router.host.starter import Report, Starter
from router.net.loopback import make_literal_url
from router.operator_api.status import Restarted
from router.server import background_log
from router.server.accepting import Accepting
from router.server.background_log import open_log
from router.server.run_file import RunFile
from router.store.home import processes, run_files
from router.store.home.home import Home
from router.store.home.permissions import shown
from router.telemetry.accesslog import AccessLog

READY_SECONDS = 10.0
TURN_SECONDS = 3.0
_OTHERWISE = "Stop and start it: fairlead stop, then fairlead proxy --detach"

T = TypeVar("T")


class Origin(NamedTuple):
    """How this process was started."""

    mode: Literal["foreground", "detached", "tied", "worker", "user unit", "system unit", "launch agent", "task"]
    #: What starts its program, and with which arguments; empty for one that cannot start itself again.
    words: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    #: What it is started again with.
    environ: Mapping[str, str] = {}
    #: None where nothing waits for its start.
    starter: Starter | None = None
    #: The systemd unit, launch agent or task that it is run for, else empty.
    unit: str = ""
    #: What runs it.
    service: Service = Service()

    @property
    def program(self) -> str:
        """The file that was started."""
        return name_program(self.words or find_words())

    async def wait_for_turn(self) -> None:
        """Wait until a process that hands its port over accepts no more."""
        if self.starter is not None and self.starter.sockets:
            await trio.to_thread.run_sync(self.starter.wait_for_turn, abandon_on_cancel=True)


FOREGROUND = Origin("foreground")


def find_origin(environ: Mapping[str, str], service: Service) -> Origin:
    """How this process was started, where nothing waits for its start."""
    if service.kind == "launchd":
        return Origin("launch agent", unit=LABEL, service=service)
    if service.kind == "tasks":
        return Origin("task", unit=TASK, service=service)
    unit = find_service_unit(environ, known=service.kind == "systemd")
    if unit is None:
        return Origin("foreground", service=service)
    return Origin("user unit" if unit.user else "system unit", unit=unit.name, service=service)


class Stoppable(Protocol):
    """The part of a serving proxy that a restart acts on."""

    @property
    def stopping(self) -> bool:
        """True once it was told to stop."""
        ...

    def stop(self) -> None:
        """Begin to stop."""
        ...


class _Attempt:
    """One restart."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        #: True from when the other process gets its turn.
        self.committed = False
        self.aborted = False
        self.report: Report | None = None
        self.problem = ""


class Restarter:
    """The restarts of one proxy. nursery: in which they are carried out, also when their caller leaves. reloading: the
    lock that puts reloads off."""

    def __init__(
        self,
        nursery: trio.Nursery,
        home: Home,
        origin: Origin,
        accepting: Accepting,
        run_file: RunFile,
        reloading: trio.Lock,
    ):
        self._nursery = nursery
        self._home = home
        self._origin = origin
        self._accepting = accepting
        self._run_file = run_file
        self._reloading = reloading
        self._attempt: _Attempt | None = None

    async def restart(self, serving: Stoppable) -> Restarted:
        """Hand over to a new process. Raises Conflict, and then this one goes on to serve."""
        if sys.platform == "win32":
            raise Conflict(f"A port cannot be handed to another process on Windows. {_OTHERWISE}.")
        if self._origin.mode == "tied":
            raise Conflict("This proxy serves one `fairlead run`, and ends with it.")
        if self._origin.starter is None:
            again = self._run_file.unit_restart
            pid = os.getpid()
            raise Conflict(
                f"This proxy runs for {self._origin.unit} (pid {pid}); this restarts it: {again}"
                if again
                else f"This proxy runs in the foreground (pid {pid}): end it there and start it again."
            )
        if serving.stopping:
            raise Conflict("This proxy is stopping.")
        if self._attempt is not None:
            raise Conflict("A restart is under way already.")
        attempt = self._attempt = _Attempt()
        self._nursery.start_soon(self._carry_out, attempt, serving)
        await attempt.ended.wait()
        if attempt.report is None:
            if attempt.aborted:
                raise Conflict("This proxy was told to stop meanwhile.")
            raise Conflict(f"The proxy goes on to serve, since it could not be restarted: {attempt.problem}")
        return Restarted(status="restarted", pid=attempt.report.pid, version=attempt.report.version)

    async def end(self) -> bool:
        """End a restart that is under way, since this process stops; True once another process serves."""
        attempt = self._attempt
        if attempt is None:
            return False
        if not attempt.committed:
            attempt.aborted = True
            attempt.scope.cancel()
        await attempt.ended.wait()
        return attempt.report is not None

    async def _carry_out(self, attempt: _Attempt, serving: Stoppable) -> None:
        try:
            with attempt.scope:
                attempt.scope.deadline = trio.current_time() + READY_SECONDS
                # A reload that has begun ends first, and none begins before there is one process again.
                async with self._reloading:
                    attempt.report = await self._hand_over(attempt)
            if attempt.report is None:
                attempt.problem = f"the new process did not serve within {READY_SECONDS:g} s."
        except CommandError as error:
            attempt.problem = f"{error} {error.hint}".strip()
        except (OSError, ValueError) as error:
            program = self._origin.program
            attempt.problem = f"{program} cannot be started: {getattr(error, 'strerror', None) or error}."
        finally:
            if attempt.report is None:
                self._attempt = None
            attempt.ended.set()
        if attempt.report is not None:
            if serving.stopping and sys.platform != "win32":
                # Who told this process to stop meant the proxy, and it is the other one now.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(attempt.report.pid, signal.SIGTERM)
            serving.stop()

    async def _hand_over(self, attempt: _Attempt) -> Report:
        """Start the program and let it serve; what it says of that. Raises CommandError, OSError, ValueError."""
        program = await trio.to_thread.run_sync(self._start)
        try:
            await _await_report(program, "ready")
            # Not later: a process that may serve is not to be ended by a signal to this one.
            attempt.committed = True
            attempt.scope.deadline = trio.current_time() + TURN_SECONDS
            await self._accepting.pause()
            await self._run_file.hand_over()
            await trio.to_thread.run_sync(program.give_turn)
            report = await _await_report(program, "serving")
        except BaseException:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(program.kill)
                self._accepting.resume()
                await self._run_file.take_back()
            raise
        program.let_go()
        return report

    def _start(self) -> BackgroundProgram:
        if not self._home.there():
            # A new one would serve without this one's backends and tokens.
            raise CommandError(f"its home {shown(self._home.path)} was removed.")
        log = open_log(self._home)
        try:
            origin = self._origin
            sockets = self._accepting.descriptors
            return start_again(origin.words, origin.arguments, origin.environ, log=log, sockets=sockets)
        finally:
            os.close(log)


def make_run_file(home: Home, url: str, bound: tuple[str, int], log: AccessLog, origin: Origin) -> RunFile:
    """The run file of this process. bound: address and port that it listens on."""
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
    return RunFile(home, run, log, published=origin.mode != "worker")


async def _await_report(program: BackgroundProgram, kind: Literal["ready", "serving"]) -> Report:
    """The report of this kind. Raises CommandError for any other."""
    report = await _run_abandoned(program.read_report)
    if report.kind == "taken":
        raise CommandError(f"port {report.port} is taken.")
    if report.kind != kind:
        raise CommandError(report.message or f"it said {report.kind} where {kind} was due.", report.hint)
    return report


async def _run_abandoned(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)
