"""Listening sockets: both loopback families on one port, exclusively; the accept loop."""

import contextlib
import errno
import socket

import pytest
import trio
import trio.testing

from router.net.server.listen import accept, open_listeners


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

        async def serve(stream):
            served.append(trio.current_time())
            stream.close()

        with listening("127.0.0.1") as [listener]:
            async with trio.open_nursery() as loop, trio.open_nursery() as clients:
                slots = trio.Semaphore(1)
                slots.acquire_nowait()
                loop.start_soon(accept, listener, clients, serve, slots)
                async with await trio.open_tcp_stream(*listener.getsockname()) as stream:
                    await trio.sleep(5)
                    assert served == []
                    slots.release()
                    assert await stream.receive_some() == b""
                loop.cancel_scope.cancel()
        assert len(served) == 1

    net.run(main, threshold=0.001)


def test_a_slot_is_free_again_after_each_connection(net):
    """Also when the connection broke: a hundred callers pass through one slot."""

    async def serve(stream):
        await stream.send_all(b"hi")
        stream.abort()

    async def main():
        with listening("127.0.0.1") as [listener]:
            async with trio.open_nursery() as loop, trio.open_nursery() as clients:
                loop.start_soon(accept, listener, clients, serve, trio.Semaphore(1))
                for _ in range(100):
                    async with await trio.open_tcp_stream(*listener.getsockname()) as stream:
                        with contextlib.suppress(trio.BrokenResourceError):
                            assert await stream.receive_some() == b"hi"
                loop.cancel_scope.cancel()

    net.run(main, threshold=0.01)


def test_a_stop_in_the_moment_a_connection_comes(net):
    """Ends the loop in order, and nobody listens any more."""

    async def serve(stream):
        stream.close()

    async def stop_while_connecting():
        with listening("127.0.0.1") as [listener], socket.socket() as client:
            address = listener.getsockname()
            async with trio.open_nursery() as clients:
                async with trio.open_nursery() as loop:
                    loop.start_soon(accept, listener, clients, serve)
                    await trio.testing.wait_all_tasks_blocked()
                    client.connect(address)
                    # One turn of trio's loop: now the accept loop is about to run, and so is this task, in any order.
                    await trio.lowlevel.checkpoint()
                    loop.cancel_scope.cancel()
                with socket.socket() as late:
                    assert late.connect_ex(address) != 0

    async def main():
        for _ in range(30):
            await stop_while_connecting()

    net.run(main, threshold=0.01)
