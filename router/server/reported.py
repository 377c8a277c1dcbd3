"""What a service manager is told of a serving proxy: that it serves, reloads, lives, and stops."""

from collections.abc import Callable
from typing import Protocol

import trio

from router import __version__
from router.host.service.managed import Service


class _Serving(Protocol):
    """The part of a serving proxy that is reported."""

    url: str
    reload: Callable[[], trio.Event]

    def stop(self) -> None: ...

    def format_stop(self) -> str: ...


class Reported:
    """A serving proxy on which signals act, and whose reloads its manager is told of. nursery: of its tasks."""

    def __init__(self, serving: _Serving, service: Service, nursery: trio.Nursery):
        self._serving = serving
        self._service = service
        self._nursery = nursery
        self._reloads = 0

    def begin(self) -> None:
        """Say that it serves; from now on the manager gets the signs of life that it wants."""
        self._tell_ready()
        if self._service.watchdog:
            self._nursery.start_soon(self._feed)

    def stop(self) -> None:
        """Begin to stop."""
        self._serving.stop()

    def format_stop(self) -> str:
        """As `Stoppable` has it."""
        return self._serving.format_stop()

    def reload(self) -> None:
        """Request a reload; the manager is told when it begins and when all are done."""
        done = self._serving.reload()
        self._service.tell_reloading()
        self._reloads += 1
        self._nursery.start_soon(self._wait, done)

    async def _wait(self, done: trio.Event) -> None:
        await done.wait()
        self._reloads -= 1
        if not self._reloads:
            self._tell_ready()

    def _tell_ready(self) -> None:
        self._service.tell_ready(f"fairlead {__version__} serves on {self._serving.url}")

    async def _feed(self) -> None:
        """Give signs of life, by the loop that serves: while something holds it up there are none."""
        while True:
            self._service.tell_alive()
            await trio.sleep(self._service.watchdog / 3)
