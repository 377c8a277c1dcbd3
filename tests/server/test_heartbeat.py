"""The heartbeat in virtual time: a jump of the clocks or another network begins deadlines anew and drops idle ones."""

import contextlib
import socket

import pytest
import trio
from trio.testing import MockClock

from router.host.clock import ClockReading
from router.host.health import STALLED_SECONDS
from router.net.client.pool import Origin, UpstreamConnection
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection
from router.net.server.limits import Limits
from router.net.stream import SocketStream
from router.server.heartbeat import BEAT_SECONDS, Heartbeat
from router.settings import Settings
from router.upstream.compose import compose
from router.upstream.configuration import Configuration

ORIGIN = Origin("http", "127.0.0.1", 9)


class Machine:
    """The clocks and the network as a test sets them. slept, set_by: seconds besides trio's own."""

    def __init__(self):
        self.slept = self.set_by = 0.0
        self.network = ("192.168.1.7", "")

    def clocks(self):
        now = trio.current_time()
        return ClockReading(now, 1e9 + now + self.slept + self.set_by, now + self.slept)

    def addresses(self):
        return self.network


def beating(home, silent_log, use):
    """Run `use(runtime, machine)` while the heartbeat runs."""
    machine = Machine()

    async def main():
        runtime = compose(Configuration(Settings(demo=False), ()), home, silent_log)
        heart = Heartbeat(runtime, clocks=machine.clocks, addresses=machine.addresses)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart.run)
            await trio.sleep(BEAT_SECONDS / 2)
            await use(runtime, machine)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


@contextlib.contextmanager
def kept(runtime):
    """An idle connection in the pool of the proxy."""
    runtime.connections.configure({ORIGIN}, "")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = UpstreamConnection(ORIGIN, SocketStream(ours), SocketStream(ours))
        runtime.connections.open += 1
        connection.reader.start(b"GET")
        connection.reader.receive(b"HTTP/1.1 204 No\r\n\r\n")
        connection.reader.read_head()
        connection.reader.read_body()
        runtime.connections.release(connection)
        yield


class Waiting:
    """An application whose answer never begins."""

    async def __call__(self, connection, request):
        async def cut(why):
            self.cut = (why, trio.current_time())

        connection.on_cancel = cut
        connection.set_deadline(300, CancelReason.SILENT)
        await trio.sleep_forever()


@contextlib.asynccontextmanager
async def waiting(runtime):
    """A request that waits for its answer, with a deadline of 300 s; returns the reason that it was cut for."""
    ours, theirs = socket.socketpair()
    application = Waiting()
    connection = Connection(SocketStream(ours), application, Limits())
    runtime.health.clients.add(connection)
    with theirs:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connection.serve)
            theirs.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
            while not connection.busy:
                await trio.lowlevel.checkpoint()
            yield application
            nursery.cancel_scope.cancel()
    runtime.health.clients.discard(connection)


def sleep(machine):
    machine.slept += 3600


def correct(machine):
    machine.set_by -= 60


def move(machine):
    machine.network = ("10.0.0.3", "")


@pytest.mark.parametrize("happen", [sleep, correct, move])
def test_deadlines_begin_anew(home, silent_log, happen):
    """Idle connections are closed, running requests get their whole time again, and the jump is counted once."""

    async def use(runtime, machine):
        async with waiting(runtime) as application:
            begin = trio.current_time()
            await trio.sleep(200)
            with kept(runtime):
                await trio.sleep(30)
                assert runtime.connections.idle == 1
                happen(machine)
                await trio.sleep(BEAT_SECONDS)
                assert runtime.connections.idle == 0
            await trio.sleep(290)
            assert not hasattr(application, "cut")
            await trio.sleep(20)
            why, at = application.cut
        assert why is CancelReason.SILENT
        assert at - begin == pytest.approx(530, abs=BEAT_SECONDS + 1)
        assert (runtime.health.jumps, runtime.health.moves) == ((0, 1) if happen is move else (1, 0))

    beating(home, silent_log, use)


def test_nothing_happens_by_itself(home, silent_log):
    """Hours of beats, a drift and a small correction begin nothing anew."""

    async def use(runtime, machine):
        for _ in range(1000):
            machine.set_by += 0.01
            await trio.sleep(BEAT_SECONDS)
        machine.set_by -= 9
        await trio.sleep(2 * BEAT_SECONDS)
        assert (runtime.health.jumps, runtime.health.moves) == (0, 0)

    beating(home, silent_log, use)


def test_stalled(home, silent_log):
    """When requests wait and none is answered, that is shown after a while with the time, until the next answer."""

    async def use(runtime, machine):
        health = runtime.health
        await trio.sleep(1000)
        assert health.stalled is None
        async with waiting(runtime):
            for _ in range(30):
                await trio.sleep(BEAT_SECONDS)
                health.answered = trio.current_time()
                assert health.stalled is None
            await trio.sleep(STALLED_SECONDS - BEAT_SECONDS)
            assert health.stalled is None
            assert health.waiting == 1
            await trio.sleep(3 * BEAT_SECONDS)
            assert health.stalled == pytest.approx(STALLED_SECONDS + 2 * BEAT_SECONDS, abs=2 * BEAT_SECONDS)
            health.answered = trio.current_time()
            assert health.stalled is None

    beating(home, silent_log, use)


def test_lag(home, silent_log):
    """The event loop's lag: the last one, and the largest of a minute."""

    async def use(runtime, machine):
        health = runtime.health
        health.record_lag(0.5)
        health.record_lag(0.1)
        assert (health.lag, health.worst_lag) == (0.1, 0.5)
        health.record_lag(-0.001)
        assert health.lag == 0
        await trio.sleep(30)
        assert health.worst_lag == 0.5
        await trio.sleep(60)
        assert health.worst_lag == 0

    beating(home, silent_log, use)
