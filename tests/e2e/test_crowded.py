"""A crowd of idle connections that show no key, renewed for ever: who has a key, and the operator, are served."""

import socket

import pytest
import trio

from router.net.server.connection_table import ConnectionTable
from router.server import serve

from ..patience import PATIENCE
from .flock import flock, once
from .pools import pooled, served, until
from .wire import request

KEY = "client-key-0123456789-0123456789-01"
BODY = b'{"model":"m","messages":[{"role":"user","content":"hi"}]}'


@pytest.fixture(autouse=True)
def few_places(monkeypatch):
    """The usual number would need thousands of descriptors."""
    monkeypatch.setattr(serve, "ConnectionTable", lambda: ConnectionTable(40, strong=8, door=2))


async def crowd(port, beginning, counts):
    """Connect for ever, each time a connection was closed."""

    async def one():
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
                async with stream:
                    counts.append(1)
                    if beginning:
                        await stream.send_all(beginning)
                    while await stream.receive_some(65536):
                        pass
            except (OSError, trio.BrokenResourceError):
                await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for _ in range(60):
            nursery.start_soon(one)


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nX-",
        request("/v1/chat/completions", BODY),
        request("/livez"),
    ],
    ids=["idle", "half a head", "refused", "live"],
)
def test_a_crowd_without_a_key_keeps_nobody_out(tmp_path, beginning):
    """Requests with the key and as many of the operator's, each on a connection of its own, are answered."""

    async def main():
        counts = []
        async with (
            flock({}) as up,
            served(tmp_path, pooled("box", up.root), api_key=KEY, require_key="on") as serving,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(crowd, serving.port, beginning, counts)
            await until(lambda: len(counts) >= 60)
            operator = (tmp_path / "home" / "operator.token").read_text().strip()
            with trio.fail_after(PATIENCE):
                for _ in range(6):
                    found = await once(serving.port, "/v1/chat/completions", BODY, [("authorization", f"Bearer {KEY}")])
                    assert found.status == 200
                    found = await once(serving.port, "/status", b"", [("authorization", f"Bearer {operator}")], "GET")
                    assert found.status == 200
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_running_requests_are_not_crowded_out(tmp_path):
    """Streams of the owner go on while hundreds of strangers come."""

    async def main():
        counts, answers = [], []
        async with (
            flock({}) as up,
            served(tmp_path, pooled("box", up.root), api_key=KEY, require_key="on") as serving,
            trio.open_nursery() as nursery,
        ):
            streams = []
            for _ in range(6):
                stream = await trio.open_tcp_stream("127.0.0.1", serving.port)
                # The head is there, and half of the body: the request is authenticated and runs.
                head = request("/v1/chat/completions", BODY, (b"Authorization", b"Bearer " + KEY.encode()))
                await stream.send_all(head[:-5])
                streams.append((stream, head[-5:]))
            await trio.sleep(0.2)
            nursery.start_soon(crowd, serving.port, b"", counts)
            await until(lambda: len(counts) >= 60)
            for stream, rest in streams:
                await stream.send_all(rest)
                answers.append((await stream.receive_some(65536))[:12])
                await stream.aclose()
            nursery.cancel_scope.cancel()
        return answers

    assert trio.run(main) == [b"HTTP/1.1 200"] * 6


def test_a_listener_that_does_not_answer_is_told(tmp_path, capsys):
    """`stop` does not say that no proxy runs while the process of one lives."""
    from router.cli import stop
    from router.errors import CommandError
    from router.store.home import run_files
    from router.store.home.home import open_home

    from .processes import make_home

    home = open_home({"FAIRLEAD_HOME": str(make_home(tmp_path))})
    with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
        port = silent.getsockname()[1]
        import os

        run_files.write(
            home, run_files.Run(pid=os.getpid(), url=f"http://127.0.0.1:{port}", port=port, version="0", started=1.0)
        )
        with pytest.raises(CommandError, match="no proxy of this home answers"):
            trio.run(stop._stop, home, None)
    assert "does not answer" in capsys.readouterr().err
