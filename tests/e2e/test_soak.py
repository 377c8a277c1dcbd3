"""Hours of a coding agent's day in minutes: many streams, random faults on both sides, and nothing that grows."""

import os
import statistics
import sys

import pytest
import trio

from .crowd import Clients, Sample, Troubled, serves
from .processes import Proxy, backend, until

STREAMS = 200
#: Of private memory between the second and the last part of a run; a leak of 100 bytes a request would pass it.
GROWTH = 4 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


async def soak(folder, seconds, *, streams=STREAMS, every=10.0):
    """Run for so long; the tally, and samples taken on the way."""
    samples = []
    async with trio.open_nursery() as nursery:
        troubled = Troubled(seed=1, pace=0.5)
        port = await nursery.start(troubled.listen)
        options = {"backends": [backend("box", f"http://127.0.0.1:{port}/v1")]}
        with await trio.to_thread.run_sync(lambda: Proxy(folder, **options)) as proxy:
            await trio.to_thread.run_sync(proxy.settled, "box")
            clients = Clients(proxy.port, seed=2)
            async with trio.open_nursery() as crowd:
                for _ in range(streams):
                    crowd.start_soon(clients.one)
                end = trio.current_time() + seconds
                while trio.current_time() < end:
                    await trio.sleep(every)
                    samples.append(await trio.to_thread.run_sync(Sample, proxy))
                    if "FAIRLEAD_SOAK_LOG" in os.environ:
                        print(clients.tally.all, samples[-1], flush=True)
                crowd.cancel_scope.cancel()
            after = await trio.to_thread.run_sync(lambda: until(lambda: at_rest(proxy), 15))
            assert await trio.to_thread.run_sync(serves, proxy.port)
        nursery.cancel_scope.cancel()
    return clients.tally, samples, after


def at_rest(proxy):
    """A sample once no client is left, else None. The one that asks is a client."""
    sample = Sample(proxy)
    return sample if sample["clients"] == 1 and not sample["buffered"] else None


def check(tally, samples, after):
    """Every answer is its own and has an end; what is held does not grow."""
    assert tally.mixed == 0
    assert tally.bad == []
    assert after is not None
    assert after["upstream"] <= 128
    quarter = max(len(samples) // 4, 1)
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]

    def grown(what):
        return statistics.mean(one[what] for one in late) - statistics.mean(one[what] for one in early)

    assert grown("memory") < GROWTH, [one["memory"] >> 20 for one in samples]
    assert grown("descriptors") < 50, [one["descriptors"] for one in samples]
    # A heartbeat counts them every 5 s: the first samples of a short run have no count yet.
    counted = [one["tasks"] for one in samples if one["tasks"]]
    quarter = max(len(counted) // 4, 1)
    assert statistics.mean(counted[-quarter:]) - statistics.mean(counted[:quarter]) < 50, counted


def test_a_short_soak(tmp_path):
    """Twelve seconds of it."""
    tally, samples, after = trio.run(lambda: soak(tmp_path, 12, streams=60, every=1.0))
    assert tally.all > 50
    check(tally, samples, after)


@pytest.mark.slow
def test_soak(tmp_path):
    """Twenty minutes at 200 streams: memory, tasks and descriptors are flat. FAIRLEAD_SOAK_SECONDS shortens it."""
    tally, samples, after = trio.run(lambda: soak(tmp_path, float(os.environ.get("FAIRLEAD_SOAK_SECONDS", "1200"))))
    print(tally, samples[len(samples) // 4], samples[-1], after)
    check(tally, samples, after)
