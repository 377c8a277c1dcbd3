"""Takes up changes of the configuration: at a command's word, at SIGHUP, or when a look at the files shows one.

One task does it, one reload at a time; whoever asks meanwhile waits for the next. Files are looked at and read in a
thread of their own: a home on a network may hang, and requests go on.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable

import trio

from router.store.home.home import Home

LOOK_SECONDS = 2.0
#: What is looked at: files, and folders with all their files.
FILES = ("config.toml",)
FOLDERS = ("backends",)

Signature = tuple[tuple[str, int, int, int], ...]


class Watch:
    """The task that reloads. reload: reads the configuration anew and takes it up; never raises CommandError.
    others: files outside the home that the configuration names now."""

    def __init__(self, home: Home, reload: Callable[[], Awaitable[None]], others: Callable[[], Iterable[str]] = tuple):
        self._home = home
        self._reload = reload
        self._others = others
        self._thread = trio.CapacityLimiter(1)
        self._asked = trio.Event()
        self._done = trio.Event()

    def ask(self) -> trio.Event:
        """Ask for a reload that begins after now; the event is set when it is done."""
        self._asked.set()
        return self._done

    async def run(self) -> None:
        """Reload when asked, and when the files have changed; until cancelled."""
        # The first look finds a change in any case: files may have changed since the proxy read them at its start.
        seen: Signature | None = None
        while True:
            with trio.move_on_after(LOOK_SECONDS):
                await self._asked.wait()
            asked, done = self._asked.is_set(), self._done
            if asked:
                self._asked, self._done = trio.Event(), trio.Event()
            # Before the reload: what changes while it reads is seen at the next look.
            now = await self._look()
            if asked or now != seen:
                seen = now
                await self._reload()
            if asked:
                done.set()

    async def _look(self) -> Signature:
        return await trio.to_thread.run_sync(signature, self._home, tuple(self._others()), limiter=self._thread)


def signature(home: Home, others: Iterable[str] = ()) -> Signature:
    """What changes when a file of the configuration does, or the home itself: name, inode, size and time of each.
    others: files outside the home, which may be links."""
    names = list(FILES)
    for folder in FOLDERS:
        try:
            names += [f"{folder}/{name}" for name in sorted(os.listdir(home.at(folder)))]
        except OSError:
            continue
    found: list[tuple[str, int, int, int]] = []
    looks = [*((name, os.lstat, home.at(name)) for name in names), *((name, os.stat, name) for name in others)]
    for name, look, path in looks:
        try:
            state = look(path)
        except OSError:
            continue
        found.append((name, state.st_ino, state.st_size, state.st_mtime_ns))
    with contextlib.suppress(OSError):
        found.append(("", os.stat(home.path).st_ino, 0, 0))
    return tuple(found)
