"""More than a proxy can take at a time: what it holds stays within its bounds, others are served meanwhile, and within
five seconds of the end all is as before.

The figures: packaging/reference/speed.md for memory, router/host/memory_bound.py for the bound of all buffers.
"""

import contextlib
import re
import statistics
import sys

import pytest
import trio

from .crowd import BEGIN, EVENT, FINISH, Sample, Troubled, memory, message, serves
from .processes import Proxy, backend
from .upstream import END, chunk, plain, stream_head

#: Bytes a stream, of small bodies.
PER_STREAM = 30_000
#: Streams before those that are measured. With their two ends and a test of 60 they stay below 256 descriptors.
FIRST = 20
#: Of a reader that does not read: what one read of the upstream brought, and what the benchmark allows a stream.
PER_SLOW_READER = 30_000 + 65_536
BUFFERS = 256 << 20
MIB = 1 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@contextlib.asynccontextmanager
async def beside(folder, answer):
    """A proxy process before an upstream in this trio run; gives the proxy, warm."""
    async with trio.open_nursery() as nursery:
        port = await nursery.start(Troubled(seed=1, answer=answer).listen)
        options = {"backends": [backend("box", f"http://127.0.0.1:{port}/v1")]}
        with await in_thread(lambda: Proxy(folder, **options)) as proxy:
            await in_thread(proxy.settled, "box")
            await in_thread(proxy.loaded)
            for _ in range(3):
                assert await in_thread(serves, proxy.port)
            yield proxy
        nursery.cancel_scope.cancel()


async def in_thread(function, *arguments):
    return await trio.to_thread.run_sync(function, *arguments)


async def recovers(proxy):
    """Serves normally, with nothing left of the load, within five seconds."""
    with trio.fail_after(5):
        assert await in_thread(serves, proxy.port)
        while True:
            sample = await in_thread(Sample, proxy)
            if sample["clients"] == 1 and not sample["buffered"]:
                return sample
            await trio.sleep(0.1)


async def begun(port, stack, data, *, window=None):
    """A connection that asked for a stream; with a window, one that the system may hold little of."""
    sock = trio.socket.socket()
    if window:
        sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, window)
    await sock.connect(("127.0.0.1", port))
    stream = await stack.enter_async_context(trio.SocketStream(sock))
    await stream.send_all(data)
    return stream


# Open streams


async def open_streams(folder, count):
    """Open so many streams and leave them open; bytes of memory for each. The first ones, which take pages that others
    share, are opened before."""

    async def answer(stream, body):
        await stream.send_all(stream_head() + chunk(BEGIN % b"x") + chunk(EVENT % b"x"))
        await stream.receive_some(1)

    async with beside(folder, answer) as proxy, contextlib.AsyncExitStack() as stack:

        async def open_more(number):
            for _ in range(number):
                stream = await begun(proxy.port, stack, message(b"mark-1"))
                data = b""
                while b"text_delta" not in data:
                    piece = await stream.receive_some(4096)
                    assert piece, data
                    data += piece

        await open_more(FIRST)
        before = memory(proxy.process.pid)
        await open_more(count)
        each = (memory(proxy.process.pid) - before) / count
        assert await in_thread(serves, proxy.port)
        await stack.aclose()
        await recovers(proxy)
    return each


def test_open_streams(tmp_path):
    """Sixty of them stay within the memory that the benchmark allows a stream."""
    assert trio.run(open_streams, tmp_path, 60) < 1.5 * PER_STREAM


@pytest.mark.slow
def test_a_thousand_open_streams(tmp_path, descriptors):
    """The same with a thousand: as many as a backend serves at a time, those before them included."""
    each = trio.run(open_streams, tmp_path, 1000 - FIRST)
    print(f"1,000 open streams: {each / 1000:.1f} KB each")
    assert each < PER_STREAM


# Readers that do not read


async def slow_readers(folder, count, event=EVENT % (b"x" * 900)):
    """Streams that run on, to readers that read nothing; bytes of memory for each, and the buffers that are counted."""
    piece = chunk(event) * max(1, 16384 // len(event))

    async def answer(stream, body):
        await stream.send_all(stream_head() + chunk(BEGIN % b"x"))
        while True:
            await stream.send_all(piece)

    async with beside(folder, answer) as proxy:
        before = memory(proxy.process.pid)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                await begun(proxy.port, stack, message(b"mark-1"), window=4096)
            held = [0]
            with trio.move_on_after(60):
                # Until they are all stuck: what the system takes for each comes first.
                while len(held) < 9 or held[-1] > 1.01 * held[-5]:
                    await trio.sleep(0.5)
                    held.append(memory(proxy.process.pid) - before)
            assert await in_thread(serves, proxy.port)
            sample = await in_thread(Sample, proxy)
        await recovers(proxy)
    return max(held) / count, sample


def test_slow_readers(tmp_path):
    """Sixty readers that read nothing: each holds one read of its upstream, and the others are served."""
    each, sample = trio.run(slow_readers, tmp_path, 60)
    assert each < 1.5 * PER_SLOW_READER
    assert sample["buffered"] <= BUFFERS


@pytest.mark.slow
def test_a_thousand_slow_readers(tmp_path, descriptors):
    """The same with as many as a backend serves at a time, one place left for the others."""
    each, sample = trio.run(slow_readers, tmp_path, 999)
    print(f"999 slow readers: {each / 1000:.1f} KB each, {sample}")
    assert each < PER_SLOW_READER
    assert sample["buffered"] <= BUFFERS


@pytest.mark.slow
def test_slow_readers_of_large_events(tmp_path):
    """Events of 7 MiB to eighty readers that read nothing, 560 MiB in all: what is held stays within the bound."""
    each, _ = trio.run(slow_readers, tmp_path, 80, EVENT % (b"x" * (7 * MIB)))
    assert 80 * each < 1.3 * BUFFERS, f"{80 * each / MIB:.0f} MiB"


# Large bodies


async def large_bodies(folder, count, size, seconds):
    """Bodies of `size` bytes beside a stream of 200 events a second: the delays of its events with and without them,
    and the statuses of those that were sent."""
    sent = {}

    async def answer(stream, body):
        if b'"stream":true' not in body[:200]:
            await stream.send_all(plain(b'{"id":"msg_1","type":"message","content":[]}'))
            return
        await stream.send_all(stream_head() + chunk(BEGIN % b"x"))
        began = trio.current_time()
        for number in range(int(seconds * 200)):
            await trio.sleep_until(began + number / 200)
            sent[number] = trio.current_time()
            await stream.send_all(chunk(EVENT % (b"number-%d." % number)))
        await stream.send_all(chunk(FINISH) + END)

    statuses = []
    delays = []

    async def read(port):
        async with contextlib.AsyncExitStack() as stack:
            stream = await begun(port, stack, message(b"mark-1"))
            while True:
                data = await stream.receive_some(65536)
                now = trio.current_time()
                delays.extend((now, now - sent[int(number)]) for number in re.findall(rb"number-(\d+)\.", data))
                if b"message_stop" in data or not data:
                    return

    async with beside(folder, answer) as proxy:
        request = message(b"mark-2", stream=False, padding=b"x" * size)

        async def post():
            async with contextlib.AsyncExitStack() as stack:
                stream = await begun(proxy.port, stack, b"")
                async with trio.open_nursery() as nursery:

                    async def send():
                        with contextlib.suppress(trio.BrokenResourceError):
                            for at in range(0, len(request), MIB):
                                await stream.send_all(request[at : at + MIB])

                    nursery.start_soon(send)
                    with contextlib.suppress(trio.BrokenResourceError):
                        data = await stream.receive_some(4096)
                        statuses.append(int(data.split(b" ")[1]))
                    nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, proxy.port)
            await trio.sleep(1)
            begin = trio.current_time()
            async with trio.open_nursery() as posting:
                for _ in range(count):
                    posting.start_soon(post)
            end = trio.current_time()
        print((await recovers(proxy))["lag"], "ms of lag at most")
    quiet = [delay for at, delay in delays if not begin <= at <= end]
    loud = [delay for at, delay in delays if begin <= at <= end]
    return quiet, loud, statuses


def test_large_bodies(tmp_path):
    """Six bodies of 16 MiB beside 200 events a second: all are answered, and every event comes."""
    quiet, loud, statuses = trio.run(large_bodies, tmp_path, 6, 15 * MIB, 4)
    assert statuses == [200] * 6
    assert len(quiet) + len(loud) == 800


@pytest.mark.slow
def test_twenty_bodies_of_64_mib(tmp_path):
    """Those that the bound of all buffers refuses get 503; no event is late by more than 50 ms for them."""
    quiet, loud, statuses = trio.run(large_bodies, tmp_path, 20, 64 * MIB - 400, 30)
    for name, found in (("quiet", quiet), ("loud", loud)):
        print(f"{name}: p50 {statistics.median(found) * 1e3:.1f}, max {max(found) * 1e3:.1f} ms of {len(found)} events")
    print(f"20 bodies of 64 MiB: {sorted(statuses)}")
    assert set(statuses) <= {200, 503}
    assert 200 in statuses
    assert max(loud) < 0.05
