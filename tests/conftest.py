"""A relay between a scripted upstream and a client on a socket pair, on a clock that jumps; a home and runtimes."""

import contextlib
import os
import signal
import socket
import sys
import time
from typing import NamedTuple

import h11
import pytest
import trio
from hypothesis import HealthCheck, settings
from trio.testing import MockClock

from router.exchange.client_response.relay import Relay
from router.exchange.client_response.stream_timeouts import StreamTimeouts
from router.host.memory_bound import MemoryBound
from router.net.server.connection import Connection, Request
from router.net.server.limits import Limits
from router.net.stream import SocketStream
from router.settings import Settings
from router.store.config import backends
from router.store.home.home import open_home
from router.telemetry.accesslog import AccessLog
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.wire.protocols import BY_NAME, PLAIN
from router.wire.raw.content_coding import Decoder
from router.wire.tap import Tap

from .patience import PATIENCE
from .session import (
    pytest_collection,
    pytest_collection_finish,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_xdist_auto_num_workers,
    tmp_path,
)

__all__ = [
    "pytest_collection",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_xdist_auto_num_workers",
    "tmp_path",
]

# A shell starts what it runs in the background with these ignored, and programs that are started inherit that; nohup
# ignores a hangup.
for _number in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Without bytecode on disk, each of the many processes that the tests start compiles the sources anew, and pytest every
# test module: a third of the whole run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A busy machine is no failure of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
# Nothing of a test has to outlive a power failure, and thousands of tests write a home.
os.fsync = lambda _: None

REQUEST = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


class Upstream:
    """What an upstream exchange gives: bytes, exceptions, and numbers, which are seconds of silence before the next."""

    def __init__(self, *script):
        self._script = []
        wait = 0.0
        for step in script:
            if isinstance(step, int | float):
                wait += step
            else:
                self._script.append((wait, step))
                wait = 0.0
        self._last = wait
        self._due = None

    async def read(self):
        wait, step = self._script[0] if self._script else (self._last, b"")
        if self._due is None:
            self._due = trio.current_time() + wait
        await trio.sleep_until(self._due)  # when cancelled, the next read goes on waiting for the same moment
        self._due = None
        if not self._script:
            self._last = 0
            return []
        del self._script[0]
        if isinstance(step, Exception):
            raise step
        return [step]

    def drop(self):
        self._script.clear()


class Seen(NamedTuple):
    """How a relay went. got: (seconds, bytes) of the body as the client had them. whole: its end was marked.

    outcome: what `run` returned or raised. why: what cut it, and when.
    """

    got: list
    began: float | None
    whole: bool
    outcome: object
    why: tuple | None
    tap: Tap
    committed: bool

    @property
    def body(self):
        return b"".join(data for _, data in self.got)


class Application:
    """Runs one relay."""

    def __init__(self, protocol, script, *, pace, coding, hide_usage, bound=1 << 30):
        self._dialect = BY_NAME[protocol].dialect if protocol in BY_NAME else PLAIN
        self._upstream = Upstream(*script)
        self._pace = pace
        self._coding = coding
        self.tap = Tap(self._dialect, hide_usage=hide_usage)
        self.outcome = "cut"
        self.began = self.why = None
        self.committed = False
        self.buffers = MemoryBound(bound)

    async def __call__(self, connection, request):
        def begin():
            if connection.started:
                return []  # a stream that was committed in time has announced itself
            self.began = trio.current_time() - request.arrived
            return connection.frame_head(200, [(b"content-type", b"text/event-stream")])

        async def cut(why):
            self.why = (why, trio.current_time() - request.arrived)
            self.committed = relay.committed
            connection.abort()

        connection.on_cancel = cut
        now = trio.current_time()
        commit_by, end_by, idle = self._pace
        pace = StreamTimeouts(commit_by=now + commit_by, end_by=now + end_by, idle=idle)
        upstream = self._upstream
        decoder = Decoder(self._coding) if self._coding else None
        relay = Relay(connection, upstream, self.tap, self._dialect, pace, begin, self.buffers.reserve, decoder=decoder)
        try:
            self.outcome = await relay.run()
        except Exception as error:
            self.outcome = error
        connection.on_cancel = None
        self.committed = relay.committed
        if not connection.started:
            await connection.respond(502, [])
        connection.retire()

    def format_refusal(self, error):
        raise AssertionError(error)

    def report_crash(self, error):
        raise error


async def received(stream):
    """What the client gets of the answer: timed pieces, and whether it was whole."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="POST", target="/", headers=[("Host", "localhost"), ("Content-Length", "0")]))
    reader.send(h11.EndOfMessage())
    began = trio.current_time()
    got = []
    with contextlib.suppress(OSError, h11.RemoteProtocolError):
        while True:
            data = await stream.receive_some(65536)
            reader.receive_data(data)
            piece = b""
            while (event := reader.next_event()) is not h11.NEED_DATA:
                if isinstance(event, h11.Data):
                    piece += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    return [*got, *([(trio.current_time() - began, piece)] if piece else [])], True
            if piece:
                got.append((trio.current_time() - began, piece))
            if not data:
                break
    return got, False


def relayed_stream(protocol, *script, pace=(240, 1800, 300), coding=b"", hide_usage=False, bound=1 << 30, jump=0.0):
    """Relay a scripted stream to its end. pace: commit_by, end_by and idle, in seconds. bound: of all buffers.

    jump: real seconds in which nothing moves before the clock jumps: it does not wait for threads."""
    application = Application(protocol, script, pace=pace, coding=coding, hide_usage=hide_usage, bound=bound)

    async def main():
        ours, theirs = socket.socketpair()
        client = SocketStream(theirs)
        with contextlib.closing(client), trio.fail_after(86_400):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Connection(SocketStream(ours), application, Limits()).serve)
                await client.send_all(REQUEST)
                got, whole = await received(client)
                client.close()
        return Seen(
            got, application.began, whole, application.outcome, application.why, application.tap, application.committed
        )

    return trio.run(main, clock=MockClock(autojump_threshold=jump))


@pytest.fixture(scope="session")
def relayed():
    """Relays a scripted stream."""
    return relayed_stream


@pytest.fixture
def home(tmp_path):
    """A home of its own."""
    return open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})


@pytest.fixture
def silent_log():
    """An access log that writes nowhere."""
    log = AccessLog(0, None)
    yield log
    log.close()


def pytest_make_parametrize_id(val):
    """Name gzip data by its kind: it holds the time it was made, and all workers must name a test the same."""
    return "gzip" if isinstance(val, bytes) and val.startswith(b"\x1f\x8b") else None


@pytest.fixture
def made(home, silent_log):
    """Makes runtimes from backends, and closes what they opened."""
    runtimes = []

    def make(*stored, environ=None, demo_root=None, settings=None):
        for one in stored:
            backends.save(home, one)
        configuration = read(home, settings or Settings())
        runtimes.append(compose(configuration, home, silent_log, demo_root=demo_root, environ=environ or {}))
        return runtimes[-1]

    yield make
    for runtime in runtimes:
        runtime.close()


def asked_for(method="GET", target="/", **fields):
    """A request as a connection reads it; underscores in names stand for hyphens."""
    headers = [(name.replace("_", "-"), value) for name, value in fields.items()]
    event = h11.Request(method=method, target=target, headers=[("Host", "localhost:3456"), *headers])

    async def main():
        return Request(event)

    return trio.run(main)


@pytest.fixture(scope="session")
def asked():
    """Makes requests."""
    return asked_for


def waited_for(condition, seconds=PATIENCE):
    """Wait until the condition holds, for what another thread does."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.fixture(scope="session")
def eventually():
    """Waits for another thread."""
    return waited_for
