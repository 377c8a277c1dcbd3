"""Reloads the configuration: when a command or SIGHUP requests it, and when its files have changed.

One task runs one reload at a time; requests made meanwhile are answered by the next. Files are checked and read in a
thread, since a home on a network may hang while requests are served.
"""

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import trio

from router.store.captures import armed
from router.store.home.home import Home

POLL_SECONDS = 2.0
#: What is watched: files, and folders with all their files.
FILES = ("config.toml", armed.FILE)
FOLDERS = ("backends", "keys")

Signature = tuple[tuple[str, int, int, int], ...]


class ConfigWatcher:
    """The task that reloads. reload: reads the configuration again and applies it; never raises CommandError.
    list_other_files: gives the files outside the home that the configuration names now."""

    def __init__(
        self, home: Home, reload: Callable[[], Awaitable[None]], list_other_files: Callable[[], Iterable[str]] = tuple
    ):
        self._home = home
        self._reload = reload
        self._list_other_files = list_other_files
        self._thread = trio.CapacityLimiter(1)
        self._asked = trio.Event()
        self._done = trio.Event()
        #: Held while a reload runs; whoever holds it puts reloads off.
        self.lock = trio.Lock()

    def request_reload(self) -> trio.Event:
        """Request a reload that begins after now; the event is set when it is done."""
        self._asked.set()
        return self._done

    async def run(self) -> None:
        """Reload when requested, and when the files have changed; until cancelled."""
        # The first check always counts as a change: files may have changed since the proxy read them at its start.
        seen: Signature | None = None
        while True:
            with trio.move_on_after(POLL_SECONDS):
                await self._asked.wait()
            asked, done = self._asked.is_set(), self._done
            if asked:
                self._asked, self._done = trio.Event(), trio.Event()
            async with self.lock:
                # Before the reload: changes made while it reads are found by the next check.
                now = await self._read_signature()
                if asked or now != seen:
                    seen = now
                    await self._reload()
            if asked:
                done.set()

    async def _read_signature(self) -> Signature:
        return await trio.to_thread.run_sync(
            read_signature, self._home, tuple(self._list_other_files()), limiter=self._thread
        )


def read_signature(home: Home, others: Iterable[str] = ()) -> Signature:
    """Name, inode, size and time of each file of the configuration, and the home's inode, which differ after a change.
    others: files outside the home, which may be links."""
    names = list(FILES)
    for folder in FOLDERS:
        try:
            names += [f"{folder}/{name}" for name in sorted(os.listdir(home.at(folder)))]
        except OSError:
            continue
    found: list[tuple[str, int, int, int]] = []
    # Of a folder that is only read, the files may be links, of which what they lead to changes.
    looks = [(name, os.stat if home.is_read_only(name) else os.lstat, home.at(name)) for name in names]
    looks += [(name, os.stat, Path(name)) for name in others]
    for name, look, path in looks:
        try:
            state = look(path)
        except OSError:
            continue
        found.append((name, state.st_ino, state.st_size, state.st_mtime_ns))
    with contextlib.suppress(OSError):
        found.append(("", os.stat(home.path).st_ino, 0, 0))
    return tuple(found)
