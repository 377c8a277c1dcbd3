"""Listening sockets: both loopback families on one port, exclusively; the accept loop."""

import contextlib
import errno
import socket

import pytest
import trio

from router.net.listen import CONNECTION_LIMIT, accept, open_listeners


@contextlib.contextmanager
def listening(host, port=0):
    listeners = open_listeners(host, port)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def test_localhost_is_both_loopback_families_on_one_port():
    """A free port is free on both, and nothing but loopback is bound."""
    with listening("localhost") as listeners:
        wanted = {"127.0.0.1", "::1"} if has_ipv6() else {"127.0.0.1"}
        assert {listener.getsockname()[0] for listener in listeners} == wanted
        [port] = {listener.getsockname()[1] for listener in listeners}
        assert port > 0
        for address in wanted:
            with socket.create_connection((address, port), timeout=5):
                pass


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_one_listener(host):
    """Of its own family alone."""
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    with listening(host) as listeners:
        assert [listener.getsockname()[0] for listener in listeners] == [host]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_taken_port_is_an_error(host):
    """EADDRINUSE, whoever has it and on whichever of the two families; nothing stays bound after it."""
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 here")
    with listening(host) as listeners:
        port = listeners[0].getsockname()[1]
        with pytest.raises(OSError) as caught:  # noqa: PT011
            open_listeners(host, port)
        assert caught.value.errno == errno.EADDRINUSE
    with listening(host, port):
        pass


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_a_port_taken_on_one_family_is_taken():
    """A program on [::1] alone would get half of the requests."""
    with listening("::1") as listeners:
        port = listeners[0].getsockname()[1]
        with pytest.raises(OSError) as caught:  # noqa: PT011
            open_listeners("localhost", port)
        assert caught.value.errno == errno.EADDRINUSE
        with listening("127.0.0.1", port):
            pass


def test_an_address_of_no_interface_is_an_error():
    """The caller says what cannot be had."""
    with pytest.raises(OSError, match=r".+"):
        open_listeners("192.0.2.1", 0)


def test_each_connection_is_served_by_a_task(net):
    """Until the loop is cancelled."""
    served = []

    async def serve(stream):
        served.append(stream)
        await stream.send_all(b"hi")
        stream.close()

    async def main():
        with listening("127.0.0.1") as [listener]:
            address = listener.getsockname()
            async with trio.open_nursery() as loop, trio.open_nursery() as clients:
                loop.start_soon(accept, listener, clients, serve)
                for _ in range(3):
                    async with await trio.open_tcp_stream(*address) as stream:
                        assert await stream.receive_some() == b"hi"
                loop.cancel_scope.cancel()

    net.run(main, threshold=0.01)
    assert len(set(served)) == 3


def test_over_the_limit_connections_wait(net):
    """They are not refused and not served, until a task ends."""

    async def main():
        served = []
        release = trio.Event()

        async def serve(stream):
            served.append(trio.current_time())
            stream.close()

        with listening("127.0.0.1") as [listener]:
            async with trio.open_nursery() as loop, trio.open_nursery() as clients:
                for _ in range(CONNECTION_LIMIT):
                    clients.start_soon(release.wait)
                loop.start_soon(accept, listener, clients, serve)
                async with await trio.open_tcp_stream(*listener.getsockname()) as stream:
                    await trio.sleep(5)
                    assert served == []
                    release.set()
                    assert await stream.receive_some() == b""
                loop.cancel_scope.cancel()
        assert len(served) == 1

    net.run(main, threshold=0.001)
