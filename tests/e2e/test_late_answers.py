"""Upstreams that send more than they were asked for, later: nobody gets an answer to another request."""

import contextlib
import json
import re

import pytest
import trio

from .flock import once
from .pools import served
from .processes import backend

PATH = "/v1/chat/completions"
ENDS = 2048
LISTED = b'{"object":"list","data":[{"id":"m"}]}'
MARK = re.compile(rb"mark-\d+")
EXTRA = b"mark-999999"
ENDED = (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)


def answer(mark, status=b"200 OK"):
    """A Chat answer that names what it answers."""
    message = {"role": "assistant", "content": mark.decode()}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    body = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "created": 1, "choices": [choice]})
    data = LISTED if not mark else body.encode()
    return b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (status, len(data), data)


class Chatty:
    """Answers each request after a moment, and sends one answer more some time later."""

    def __init__(self, late):
        self.late = late
        self.accepted = 0
        self.status = b"200 OK"

    async def serve(self, *, task_status=trio.TASK_STATUS_IGNORED):
        """Serve on a free port."""
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=512)
        self.root = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/v1"
        await trio.serve_listeners(self._connection, [listener], task_status=task_status)

    async def _connection(self, stream):
        self.accepted += 1
        try:
            async with trio.open_nursery() as nursery:
                with contextlib.suppress(*ENDED):
                    await self._talk(stream, nursery)
                nursery.cancel_scope.cancel()
        finally:
            await trio.aclose_forcefully(stream)

    async def _talk(self, stream, nursery):
        rest = b""
        while True:
            while b"\r\n\r\n" not in rest:
                rest += await self._more(stream)
            head, _, rest = rest.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            size = int(length[1]) if length else 0
            while len(rest) < size:
                rest += await self._more(stream)
            body, rest = rest[:size], rest[size:]
            mark = MARK.search(body)
            await trio.sleep(0.005)
            await stream.send_all(answer(mark[0] if mark else b"", self.status))
            if self.late is not None and mark:
                nursery.start_soon(self._say_more, stream)

    async def _more(self, stream):
        data = await stream.receive_some(65536)
        if not data:
            raise trio.BrokenResourceError
        return data

    async def _say_more(self, stream):
        await trio.sleep(self.late)
        with contextlib.suppress(*ENDED):
            await stream.send_all(answer(EXTRA))


async def asked(port, count, parallel):
    """Ask so many times; how many answers were to another request."""
    wrong, statuses = [], set()
    limiter = trio.CapacityLimiter(parallel)

    async def one(number):
        async with limiter:
            mark = f"mark-{number}"
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": mark}]}).encode()
            found = await once(port, PATH, body)
            statuses.add(found.status)
            if json.loads(found.body)["choices"][0]["message"]["content"] != mark:
                wrong.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return len(wrong), statuses


@pytest.fixture
def descriptors():
    """Enough for all ends of the connections, of which this process holds three."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < ENDS:
        pytest.skip("this system gives a process too few descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ENDS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("parallel", [200, 20, 3])
def test_a_late_answer_reaches_no_other_request(tmp_path, parallel):
    """A second answer 150 ms after each first one, and 200 requests: each gets its own."""

    async def main():
        async with trio.open_nursery() as nursery:
            up = Chatty(0.15)
            await nursery.start(up.serve)
            async with served(tmp_path, backend("box", up.root)) as serving:
                found = await asked(serving.port, 200, parallel)
            nursery.cancel_scope.cancel()
        return found

    assert trio.run(main) == (0, {200})


def test_a_connection_is_used_again_where_nothing_is_late(tmp_path):
    """After its first rest, a connection serves on: hundreds of requests take a few of them."""

    async def main():
        async with trio.open_nursery() as nursery:
            up = Chatty(None)
            await nursery.start(up.serve)
            async with served(tmp_path, backend("box", up.root)) as serving:
                await asked(serving.port, 4, 4)
                await trio.sleep(0.3)
                before = up.accepted
                found = await asked(serving.port, 200, 4)
            nursery.cancel_scope.cancel()
        return found, up.accepted - before

    found, dialled = trio.run(main)
    assert found == (0, {200})
    assert dialled <= 2
