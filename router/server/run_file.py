"""The run file of a serving proxy: commands find the proxy by it, so that it is written again when it is lost.

A disk that is full, or a folder that was removed, keeps no request from being served: it is tried again, and said.
"""

import contextlib
from collections.abc import Generator

import trio

from router.errors import CommandError
from router.store.home import run_files
from router.store.home.home import Home
from router.telemetry.accesslog import AccessLog

LOOK_SECONDS = 2.0


class Presence:
    """The run file of one proxy. problem: why commands cannot find it, None while they can."""

    def __init__(self, home: Home, run: run_files.Run, log: AccessLog):
        self.problem: str | None = None
        self._home = home
        self._run = run
        self._log = log
        # A home on a network may hang; nobody else waits for it.
        self._thread = trio.CapacityLimiter(1)

    @contextlib.contextmanager
    def shown(self) -> Generator[None]:
        """Be found by commands while the body runs."""
        self._show()
        try:
            yield
        finally:
            with contextlib.suppress(CommandError):
                run_files.remove(self._home, self._run.port)

    async def keep(self) -> None:
        """Look after the run file until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            await trio.to_thread.run_sync(self._look, limiter=self._thread, abandon_on_cancel=True)

    def _look(self) -> None:
        # Without its home there is nothing to be found in, and making it again would undo what its user did.
        if not self._home.there():
            return
        with contextlib.suppress(CommandError):
            if run_files.present(self._home, self._run):
                return
        self._show()

    def _show(self) -> None:
        try:
            run_files.write(self._home, self._run)
        except CommandError as error:
            problem = f"fairlead commands cannot find this proxy: {error}"
            if problem != self.problem:
                self._log.add(f"{problem} It is tried again every {LOOK_SECONDS:g} s.")
            self.problem = problem
        else:
            self.problem = None
