"""Waits for one request of a tool, which a running proxy captures though history.capture is off."""

import contextlib
from pathlib import Path

import trio

from router.cli.common.layout import note
from router.cli.common.running_proxy import proven
from router.errors import CommandError
from router.net.control.request import ControlError
from router.store.captures.armed import Armed, arm, disarm
from router.store.captures.find import list_captures, read_capture
from router.store.captures.format import Capture
from router.store.home.home import Home

#: How long a request is waited for, and how long its answer may take. After the first of these times proxies capture
#: nothing, also where this command was killed.
PATIENCE_SECONDS = 600.0
_ANSWER_SECONDS = 1800.0
_POLL_SECONDS = 0.2


async def wait_next(home: Home, client: str) -> tuple[Path, Capture]:
    """The capture of the next request of a client. Raises CommandError when no proxy runs, or none comes."""
    proxies = await proven(home)
    if not proxies:
        raise CommandError("no proxy is running that could capture a request.", "Start it:   fairlead proxy")
    there = {path.name for path in list_captures(home)}
    armed = arm(home, client, PATIENCE_SECONDS)
    try:
        for _, proxy in proxies:
            with contextlib.suppress(ControlError):  # it looks for changes by itself too
                await proxy.reload()
        note(f"The next request of {client} is captured. Send it now; Ctrl-C ends the wait.")
        with trio.move_on_after(PATIENCE_SECONDS + _ANSWER_SECONDS):
            while True:
                found = await trio.to_thread.run_sync(_find_new, home, there, armed)
                if found is not None:
                    return found
                await trio.sleep(_POLL_SECONDS)
    finally:
        disarm(home)
    raise CommandError(f"no request of {client} came in time.")


def _find_new(home: Home, there: set[str], armed: Armed) -> tuple[Path, Capture] | None:
    """The first capture of the client that was not there before."""
    for path in reversed(list_captures(home)):
        if path.name not in there and path.read_bytes().endswith(b"}\n"):
            capture = read_capture(path)
            if armed.fits(capture.meta.client, armed.until - 1):
                return path, capture
    return None
