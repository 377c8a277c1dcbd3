"""Signals of a serving process: the first stops it, a second ends it at once, and SIGHUP stops or reloads it."""

import os
import signal
import sys

import pytest
import trio
import trio.testing

from router.server.signals import Signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

TERM, INT = signal.SIGTERM, signal.SIGINT
# A number, as Windows has no such name.
HUP = 1


class Serving:
    """A proxy that records its calls."""

    def __init__(self):
        self.told = []

    def stop(self):
        """A stop."""
        self.told.append("stop")

    def format_stop(self):
        """Nothing to say."""
        return ""

    def reload(self):
        """A reload."""
        self.told.append("reload")


@pytest.fixture
def received(monkeypatch):
    """Runs a process that gets these signals, the first ones before it serves; the calls of its proxy."""

    def run(*numbers, early=(), terminal=False):
        serving = Serving()
        monkeypatch.setattr(os, "isatty", lambda number: terminal)
        monkeypatch.setattr(os, "_exit", serving.told.append)

        async def send(number):
            signal.raise_signal(number)
            await trio.testing.wait_all_tasks_blocked()

        async def main():
            async with trio.open_nursery() as nursery:
                signals = Signals()
                await nursery.start(signals.listen)
                for number in early:
                    await send(number)
                signals.attach(serving)
                for number in numbers:
                    await send(number)
                nursery.cancel_scope.cancel()

        trio.run(main)
        return serving.told

    return run


@pytest.mark.parametrize(
    ("numbers", "terminal", "told"),
    [
        ((TERM,), False, ["stop"]),
        ((INT,), True, ["stop"]),
        ((TERM, TERM), False, ["stop", 143]),
        ((INT, TERM), True, ["stop", 143]),
        ((TERM, INT), False, ["stop", 130]),
        ((HUP, HUP), False, ["reload", "reload"]),
        ((HUP,), True, ["stop"]),
        ((HUP, HUP), True, ["stop", 129]),
        ((HUP, TERM), False, ["reload", "stop"]),
        ((TERM, HUP), False, ["stop"]),
    ],
)
def test_what_a_signal_does(received, numbers, terminal, told):
    """SIGHUP stops a process with a terminal, which was closed, and reloads one without."""
    assert received(*numbers, terminal=terminal) == told


@pytest.mark.parametrize(("early", "told"), [((TERM,), ["stop"]), ((HUP,), []), ((TERM, INT), [130, "stop"])])
def test_a_signal_before_the_proxy_serves(received, early, told):
    """A stop is carried out once there is a proxy; a reload is not needed, as it reads the files anyway."""
    assert received(early=early) == told
