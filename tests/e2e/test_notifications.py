"""What the desktop is told of while a proxy serves: a program in the place of the desktop's keeps each text."""

import sys

import pytest
import trio

from router.server import heartbeat, parked_backends

from .flock import flock, once
from .pools import KEYS, configured, message, pooled, served, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the other systems' programs are their own")


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Returns the texts that the desktop was given."""
    program, kept = tmp_path / "notify-send", tmp_path / "told"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$4" >> {kept}\n')
    program.chmod(0o755)
    kept.touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(parked_backends, "LEAST_SECONDS", 0.01)
    return lambda: kept.read_text().splitlines()


def test_parked_and_back(tmp_path, told):
    """Once when no account of a backend is ready, whatever is asked meanwhile, and once when one is again."""

    async def main():
        modes = {KEYS[0]: "429-9", KEYS[1]: "429-5"}
        settings = {"notify": "parked,back", "queue_timeout": "1ms"}
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **settings) as serving:
            for _ in range(3):
                answer = await once(serving.port, "/v1/messages", message(stream=False))
                assert answer.status == 429
            await until(told)
            [parked] = told()
            up.modes.clear()
            await until(lambda: len(told()) == 2)
            assert (await once(serving.port, "/v1/messages", message(stream=False))).status == 200
            await trio.sleep(0.3)  # some beats more
            return parked

    parked = trio.run(main)
    assert parked.startswith("fairlead: no account of box is ready: a1 parked until ")
    assert ", a0 parked until " in parked
    assert not any(key in line for key in KEYS for line in told())
    assert told()[1:] == ["fairlead: box can serve again: its account a1 is ready."]


@pytest.mark.parametrize(("settings", "kept"), [({"notify": "halt"}, True), ({"notify": "budget"}, False)])
def test_a_halt(tmp_path, told, settings, kept):
    """Told of where that kind is wanted; a budget that is nearly used up is another kind."""

    async def main():
        configured(tmp_path, "guard.day_usd = 0.004\n[prices.m]\ninput = 1000\noutput = 1000\n")
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, KEYS[:1]), **settings) as serving:
            found = [await once(serving.port, "/v1/messages", message(stream=False)) for _ in range(2)]
            assert [one.status for one in found] == [200, 402]
            await until(told)

    trio.run(main)
    [line] = told()
    assert line.startswith("fairlead guard: halted until " if kept else "fairlead guard: 100 % of the daily budget")
