"""Random histories of client, upstream, cancel and error through the real exchange: one outcome each, and no leak."""

import gc
import random
import re
import socket
from typing import NamedTuple

import pytest
import trio
from trio.testing import MockClock

from router.admin.dispatch import Dispatcher
from router.backends import Backend
from router.host.access import Gate
from router.net.server.connection import Connection
from router.net.server.deadlines import Deadline
from router.net.server.limits import Limits
from router.net.stream import SocketStream
from router.settings import Secret, load
from router.store.config import backends
from router.store.home.home import open_home
from router.telemetry.accesslog import AccessLog
from router.upstream.compose import compose
from router.upstream.configuration import read

from .histories import DONE, PATHS, PROTOCOLS, TERMINAL, Counting, Script, Upstreams

BATCH = 50
LOST = (OSError, trio.ClosedResourceError)
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")
_PING = re.compile(rb"^(?::[^\n]*|event: (?:ping|keepalive)\ndata: [^\n]*)\n\n", re.MULTILINE)
_TAGS = re.compile(rb"t\d+x\d+")


class Answer(NamedTuple):
    """One answer as the client had it. whole: its end was marked."""

    status: int
    lines: bytes
    body: bytes
    whole: bool


def answers_in(text):
    """All answers of a connection; the last may be cut."""
    found = []
    at = 0
    while match := _HEAD.match(text, at):
        at = match.end()
        if match[1] == b"100":
            continue
        length = re.search(rb"(?i)content-length: (\d+)", match[2])
        if length:
            body = text[at : at + int(length[1])]
            whole = len(body) == int(length[1])
            at += len(body)
        else:
            body, at, whole = dechunked(text, at)
        found.append(Answer(int(match[1]), match[2], body, whole))
    # What is left is a head that was cut, and nothing of ours.
    assert text[at:].startswith(b"HTTP/1.1 "[: len(text) - at]), text[at : at + 200]
    assert b"\r\n\r\n" not in text[at:]
    return found


def dechunked(text, at):
    """Body, offset behind it, and whether the last chunk came."""
    pieces = []
    while (end := text.find(b"\r\n", at)) >= 0:
        size = int(text[at:end], 16)
        pieces.append(text[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
        if size == 0:
            return b"".join(pieces), at, text[at - 2 : at] == b"\r\n"
        if at > len(text):
            break
    return b"".join(pieces), len(text), False


class History:
    """One client connection, its requests, and what may go wrong on its side."""

    def __init__(self, chance, number, scripts):
        self._chance = chance
        self.requests = []
        self.scripts = []
        self.text = b""
        self._read_to, self._answers = 0, []
        self._news = trio.Event()
        for at in range(chance.choice((1, 1, 2, 4))):
            script = Script(chance, chance.choice(PROTOCOLS), b"t%dx%d" % (number, at), stream=chance.random() < 0.6)
            scripts[script.tag] = script
            self.scripts.append(script)
            self.requests.append(self._request(script))
        #: How and after how many seconds or bytes it leaves; None for a patient one.
        self.leaves = chance.choice(("close", "abort", "half_close")) if chance.random() < 0.4 else None
        self._leave_after = chance.choice((0.0005, 0.002, 1.0, 20.0, 130.0, 400.0)) * chance.random()
        self._pipelined = chance.random() < 0.2
        self._slow = chance.random() < 0.03

    def _request(self, script):
        asks = b'"stream":true,' if script.stream else b""
        pad = b"x" * self._chance.choice((0, 100, 70_000))
        body = b'{"model":"box:m",%b"tag":"%b","messages":[],"pad":"%b"}' % (asks, script.tag, pad)
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" % PATHS[script.protocol]
        if self._chance.random() < 0.1:
            return b"%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (head, len(body), body)
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)

    async def run(self, stream):
        """Send, read, and leave."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._read, stream, nursery.cancel_scope)
            if self.leaves is not None:
                nursery.start_soon(self._leave, stream, nursery.cancel_scope)
            await self._send(stream)
        stream.close()

    async def _send(self, stream):
        try:
            for at, request in enumerate(self.requests):
                if self._slow:
                    await stream.send_all(request[: len(request) // 2])
                    await trio.sleep(self._chance.choice((5.0, 45.0)))
                    request = request[len(request) // 2 :]
                await stream.send_all(request)
                while not self._pipelined and len(self._found()) <= at:
                    await self._news.wait()
        except LOST:
            return

    async def _read(self, stream, scope):
        try:
            while data := await stream.receive_some(65536):
                self.text += data
                self._news.set()
                self._news = trio.Event()
                if not self.leaves and sum(answer.whole for answer in self._found()) == len(self.requests):
                    break
        except LOST:
            pass
        scope.cancel()

    def _found(self):
        """The answers that came so far; they are read again only where more came."""
        if self._read_to != len(self.text):
            self._read_to, self._answers = len(self.text), answers_in(self.text)
        return self._answers

    async def _leave(self, stream, scope):
        await trio.sleep(self._leave_after)
        getattr(stream, self.leaves)()
        if self.leaves != "half_close":
            scope.cancel()

    def check(self):
        """What the client may have seen."""
        found = self._found()
        assert len(found) <= len(self.scripts)
        for answer, script in zip(found, self.scripts, strict=False):
            tags = set(_TAGS.findall(answer.body + answer.lines))
            assert tags <= {script.tag}, f"{script.tag} got {tags}"
            assert answer.whole or answer is found[-1]
            if answer.status == 200:
                self._check_good(answer, script)
            elif answer.whole:
                assert b"error" in answer.body
                assert not script.good or self._slow or b"could not be reached" in answer.body, "a good answer is lost"
        if self.leaves is None:
            # All are answered, or the last answer was cut and ended the connection.
            assert len(found) == len(self.scripts) or not found[-1].whole or b"close" in found[-1].lines.lower()

    def _check_good(self, answer, script):
        if b"text/event-stream" in answer.lines:
            last = answer.body.rstrip().split(b"\n\n")[-1]
            good, failed = any(mark in last for mark in TERMINAL[script.protocol]), b"error" in last
            assert good or (failed and not script.good) or (not answer.whole and self.leaves)
        if script.good and answer.whole:
            body = _PING.sub(b"", answer.body)
            assert body == script.body or (script.late_end and body + DONE == script.body)


class Unasked:
    """No history asks for the operator's endpoints, which show these."""

    url = ""
    started = 0.0
    problems = ()


async def histories(folder, count):
    """Run them, BATCH at a time, on one proxy."""
    home = open_home({"FAIRLEAD_HOME": str(folder / "home")})
    # Callers with accounts of their own: a 429 of one history parks nothing for the others.
    backends.save(home, Backend(name="box", root="http://127.0.0.1:9/v1", protocols=PROTOCOLS, auth="client"))
    settings = load({"FAIRLEAD_DEMO": "off"}, {})
    log = AccessLog(0, None)
    async with trio.open_nursery() as nursery:
        upstreams = Upstreams(nursery, random.Random(count))
        runtime = compose(read(home, settings), home, log, connections=upstreams)
        gate = Gate(settings, None, Secret("token"))
        proxy = Counting(runtime, gate, Dispatcher(runtime, gate, Unasked()))
        entries = []
        runtime.recorder.listeners.add(entries.append)
        Deadline(lambda: None).cancel()  # the task that meets them all starts with the first
        baseline = trio.lowlevel.current_statistics().tasks_living
        for first in range(0, count, BATCH):
            batch = [History(random.Random(f"history {n}"), n, upstreams.scripts) for n in range(first, first + BATCH)]
            await together(proxy, batch)
            for history in batch:
                check(history)
            assert proxy.crashes == []
            assert len(entries) == len({entry.id for entry in entries}) == proxy.begun + proxy.unread
            assert sum(entry.path == "(malformed)" for entry in entries) == proxy.unread
            assert all(entry.status for entry in entries)
            assert runtime.memory.reserved == 0
            assert upstreams.open == upstreams.idle
            if not (first + BATCH) % 5000:
                print(f"histories: {first + BATCH}", flush=True)
            entries.clear()
            proxy.begun = proxy.unread = 0
            upstreams.scripts.clear()
            if chance_to_close(first):
                upstreams.close()
                await trio.sleep(5000)  # an upstream that waits sees only then that it is alone
                assert upstreams.open == 0
                assert trio.lowlevel.current_statistics().tasks_living == baseline
        nursery.cancel_scope.cancel()
    runtime.ledger.close()
    log.close()


def chance_to_close(first):
    """True for one batch in four: the others begin with connections of the one before."""
    return first // BATCH % 4 == 3


def check(history):
    """Say which history it was."""
    try:
        history.check()
    except AssertionError as error:
        steps = [step if not isinstance(step, bytes) else step[:60] for s in history.scripts for step in s.steps]
        raise AssertionError(f"{history.leaves} {steps}\n{history.text[-1500:]!r}") from error


async def together(proxy, batch):
    """All of a batch at once, each on a connection of its own, to the end of their connections."""
    async with trio.open_nursery() as nursery:
        for history in batch:
            ours, theirs = socket.socketpair()
            nursery.start_soon(Connection(SocketStream(ours), proxy, Limits()).serve)
            nursery.start_soon(history.run, SocketStream(theirs))


async def run_at_once(work, *arguments, **_):
    """In the place of trio.to_thread.run_sync: the clock would jump over deadlines while a thread works."""
    await trio.lowlevel.checkpoint()
    return work(*arguments)


@pytest.mark.parametrize("count", [1000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_histories(tmp_path, count, monkeypatch):
    """Each request has exactly one record; an answer is whole, or says that it is not; nothing is left behind."""
    monkeypatch.setattr(trio.to_thread, "run_sync", run_at_once)

    async def main():
        with trio.fail_after(1e9):
            await histories(tmp_path, count)

    trio.run(main, clock=MockClock(autojump_threshold=0))
    gc.collect()
