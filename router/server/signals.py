"""Signals of a serving process."""

import contextlib
import os
import signal
import sys
from typing import Protocol

import trio


class Stoppable(Protocol):
    """The part of a serving proxy that signals act on."""

    def stop(self) -> None:
        """Begin to stop."""
        ...

    def format_stop(self) -> str:
        """What a user at a terminal is told when it stops; '' when it can end at once."""
        ...

    def reload(self) -> object:
        """Request a reload."""
        ...


class Signals:
    """Signals of a serving process: the first stops it, a second one ends it at once; SIGHUP may mean reload."""

    def __init__(self) -> None:
        # A closed terminal sends SIGHUP too; without one it is the customary request to reload.
        self._has_terminal = os.isatty(0) or os.isatty(2)
        self._serving: Stoppable | None = None
        self._stopping = False

    def attach(self, serving: Stoppable) -> None:
        """Set the proxy that the signals act on, and stop it if a signal to stop came before."""
        self._serving = serving
        if self._stopping:
            serving.stop()

    async def listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Handle signals until cancelled."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if sys.platform == "win32":
            numbers.append(signal.SIGBREAK)
        else:
            numbers.append(signal.SIGHUP)
        with trio.open_signal_receiver(*numbers) as received:
            task_status.started()
            async for number in received:
                self._handle(number)

    def _handle(self, number: int) -> None:
        reloads = sys.platform != "win32" and number == signal.SIGHUP and not self._has_terminal
        if reloads:
            if self._serving is not None and not self._stopping:
                self._serving.reload()
        elif self._stopping:
            os._exit(128 + number)
        else:
            self._stopping = True
            if self._serving is not None:
                self._tell(self._serving.format_stop())
                self._serving.stop()

    def _tell(self, text: str) -> None:
        if text and os.isatty(2):
            # Over the "^C" that the terminal shows.
            with contextlib.suppress(OSError):
                os.write(2, f"\r{text}\n".encode())
