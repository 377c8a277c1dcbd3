"""The listener on this machine, over real sockets: what it takes, and what changes nothing."""

import re
import socket

import pytest
import trio

from router.errors import CommandError
from router.login.callback import listen
from router.login.calls import IssuerError
from router.login.code import Expected, Refused, judge
from router.net.loopback import has_address

from ..patience import PATIENCE

EXPECTED = Expected("st", "https://login.example", names_itself=False)
GOOD = "/callback?code=c-1&state=st"


async def send(port, target, *, method="GET", host=None, address="127.0.0.1", raw=None):
    """Status, head and body of an answer."""
    stream = await trio.open_tcp_stream(address, port)
    async with stream:
        named = host if host is not None else f"127.0.0.1:{port}"
        head = raw if raw is not None else f"{method} {target} HTTP/1.1\r\nHost: {named}\r\n\r\n".encode()
        await stream.send_all(head)
        data = b""
        while piece := await stream.receive_some():
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head[9:12]), head.decode().lower(), body.decode()


def listened(use, *, port=0):
    """Run `use(callback)` beside a listener; its result and the notes."""
    notes = []

    async def main():
        with trio.fail_after(PATIENCE):
            async with listen("/callback", port, lambda found: judge(found, EXPECTED), notes.append) as callback:
                found = await use(callback)
        return found, callback.result, notes

    return trio.run(main)


def test_the_answer_is_taken_once():
    """The first with the right state counts; another after it is told that it comes late."""

    async def use(callback):
        first = await send(callback.port, GOOD)
        return first, await send(callback.port, "/callback?code=c-2&state=st")

    ((status, head, body), (late, *_)), result, notes = listened(use)
    assert (status, late, result, notes) == (200, 410, "c-1", [])
    assert "Go back to the terminal" in body
    assert "c-1" not in head + body
    for field in ("cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'", "nosniff"):
        assert field in head


def test_the_page_runs_its_own_script_alone():
    """The policy allows by its hash the one script, which takes the code out of the address bar."""
    import base64
    import hashlib

    async def use(callback):
        return await send(callback.port, GOOD)

    (_, head, body), _, _ = listened(use)
    script = re.search("<script>(.*)</script>", body)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert script == "history.replaceState(null,'',location.pathname)"
    assert f"script-src 'sha256-{digest}'".lower() in head


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"target": "/favicon.ico"}, 404),
        ({"target": "/"}, 404),
        ({"target": "/callback/?code=c&state=st"}, 404),
        ({"target": GOOD, "method": "POST"}, 405),
        ({"target": GOOD, "method": "HEAD"}, 405),
        ({"target": GOOD, "host": "evil.example"}, 404),
        ({"target": GOOD, "host": "localhost"}, 404),
        ({"target": GOOD, "host": "127.0.0.1:1"}, 404),
        ({"target": "/callback?code=c&state=wrong"}, 400),
        ({"target": "/callback"}, 400),
        ({"target": "/callback?code=c&state=st&state=st"}, 400),
        ({"target": "", "raw": b"nonsense\r\n\r\n"}, 400),
        ({"target": "", "raw": b"GET /callback?code=c&state=st HTTP/1.1\r\n\r\n"}, 400),
    ],
)
def test_what_does_not_belong_changes_nothing(options, status):
    """Stray requests, rebound names, other states: the right answer is still taken after them."""

    async def use(callback):
        stray = await send(callback.port, **options)
        assert callback.result is None
        return stray, await send(callback.port, GOOD)

    (stray, good), result, _ = listened(use)
    assert (stray[0], good[0], result) == (status, 200, "c-1")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_both_loopback_addresses_are_held(host):
    """`localhost` may mean either; only this machine reaches them."""

    async def use(callback):
        address = host.strip("[]")
        return await send(callback.port, GOOD, host=f"{host}:{callback.port}", address=address)

    if host == "[::1]" and not has_address("::1"):
        pytest.skip("no IPv6 here")
    (status, *_), result, _ = listened(use)
    assert (status, result) == (200, "c-1")


def test_a_refusal_ends_it():
    """The issuer's error comes with the state, and is an answer too."""

    async def use(callback):
        return await send(callback.port, "/callback?error=access_denied&state=st")

    (status, *_), result, _ = listened(use)
    assert status == 403
    assert isinstance(result, Refused)
    assert isinstance(result.error, IssuerError)


def test_wrong_state_is_noted_without_what_came():
    """The user is told that something came; neither code nor state is repeated."""

    async def use(callback):
        return await send(callback.port, "/callback?code=stolen&state=forged")

    _, result, notes = listened(use)
    assert result is None
    assert len(notes) == 1
    assert not re.search("stolen|forged", notes[0])


def test_a_page_cannot_fill_the_terminal():
    """Any page in the browser can send such requests: a few are told of."""

    async def use(callback):
        for _ in range(8):
            await send(callback.port, "/callback?code=stolen&state=forged")

    _, result, notes = listened(use)
    assert (result, len(notes)) == (None, 3)


def test_idle_connections_do_not_delay_the_end():
    """A browser that opened a connection in advance is not waited for."""

    async def main():
        async with listen("/callback", 0, lambda found: judge(found, EXPECTED), print) as callback:
            idle = await trio.open_tcp_stream("127.0.0.1", callback.port)
            await send(callback.port, GOOD)
            began = trio.current_time()
        await idle.aclose()
        return trio.current_time() - began

    assert trio.run(main) < 1.5


def test_the_port_is_free_again():
    """After the login nothing listens."""

    async def use(callback):
        return callback.port

    port, _, _ = listened(use)
    with pytest.raises(OSError, match=r".*"):
        socket.create_connection(("127.0.0.1", port), 1).close()


def test_a_taken_port_is_told():
    """A port that --redirect-uri names may be another program's."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        async def use(callback):
            raise AssertionError

        with pytest.raises(CommandError, match=f"port {port} is taken"):
            listened(use, port=port)
