"""The run file of a serving proxy: commands find the proxy by it, so it is written again when it is lost.

A full disk or a removed folder does not stop requests from being served: writing is tried again, and the problem is
reported.
"""

import contextlib
import threading
from collections.abc import Generator

import msgspec
import trio

from router.errors import CommandError
from router.operator_api.status import ProcessStatus
from router.store.home import run_files
from router.store.home.home import Home
from router.telemetry.accesslog import AccessLog

CHECK_SECONDS = 2.0


class RunFile:
    """The run file of one proxy. published: False for a process whose port has its run file from another one."""

    def __init__(self, home: Home, run: run_files.Run, log: AccessLog, *, published: bool = True):
        #: Why commands cannot find the proxy, None while they can.
        self.problem: str | None = None
        self._home = home
        self._run = run
        self._log = log
        # A home on a network may hang: its thread is not shared with other work.
        self._thread = trio.CapacityLimiter(1)
        # True while it is another process's to write, and once this one ends.
        self._handed_over = not published
        self._published = published
        # Held over a look at the file and what follows from it: a thread that found it lost may not write it after its
        # end.
        self._lock = threading.Lock()

    @property
    def unit_restart(self) -> str:
        """The command that restarts a proxy that a service manager runs, '' for any other."""
        return run_files.format_unit_restart(self._run)

    def report(self) -> ProcessStatus:
        """How this process was started, for operators."""
        return ProcessStatus(mode=self._run.mode, unit=self._run.unit, log=self._run.log or None)

    async def hand_over(self) -> None:
        """Leave the file to the process that takes the port over."""
        self._handed_over = True
        # A write that has begun ends first.
        async with self._thread:
            pass

    async def take_back(self) -> None:
        """Write the file again, since the other process has failed."""
        self._handed_over = False
        await trio.to_thread.run_sync(self._rewrite, limiter=self._thread)

    @contextlib.contextmanager
    def publish(self) -> Generator[None]:
        """Keep the run file in place while the body runs, and remove it at the end."""
        if not self._published:
            yield
            return
        self._write()
        try:
            yield
        finally:
            with self._lock, contextlib.suppress(CommandError):
                self._handed_over = True
                run_files.remove(self._home, self._run.port)

    async def note_refusal(self, error: CommandError | None) -> None:
        """Keep in the file why the configuration in the home is not in use, None when it is: commands show it."""
        message, fix = ("", "") if error is None else (str(error), error.hint)
        if (self._run.refused, self._run.fix) != (message, fix):
            self._run = msgspec.structs.replace(self._run, refused=message, fix=fix)
            await trio.to_thread.run_sync(self._rewrite, limiter=self._thread)

    async def maintain(self) -> None:
        """Write the run file again when it is lost, until cancelled."""
        while True:
            await trio.sleep(CHECK_SECONDS)
            await trio.to_thread.run_sync(self._restore, limiter=self._thread, abandon_on_cancel=True)

    def _restore(self) -> None:
        with self._lock:
            # A removed home is not made again: that would undo what its user did.
            if self._handed_over or not self._home.there():
                return
            with contextlib.suppress(CommandError):
                if run_files.present(self._home, self._run):
                    return
            self._write()

    def _rewrite(self) -> None:
        with self._lock:
            if not self._handed_over and self._home.there():
                self._write()

    def _write(self) -> None:
        try:
            run_files.write(self._home, self._run)
        except CommandError as error:
            problem = f"fairlead commands cannot find this proxy: {error}"
            if problem != self.problem:
                self._log.add(f"{problem} It is tried again every {CHECK_SECONDS:g} s.")
            self.problem = problem
        else:
            self.problem = None
