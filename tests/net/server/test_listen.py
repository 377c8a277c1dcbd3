"""Listening sockets: both loopback families on one port, exclusively; the accept loop."""

import contextlib
import errno
import os
import socket
import subprocess
import sys

import pytest
import trio
import trio.testing

from router.net.loopback import find_companion, has_address
from router.net.server.listen import AddressTaken, accept, hold_port, open_listeners

from ...patience import PATIENCE


@contextlib.contextmanager
def listening(host, port=0):
    listeners = open_listeners(host, port)
    try:
        yield listeners
    finally:
        for listener in listeners:
            listener.close()


def test_localhost_is_both_loopback_families_on_one_port():
    """A free port is free on both, and nothing but loopback is bound."""
    with listening("localhost") as listeners:
        wanted = {"127.0.0.1", "::1"} if has_address("::1") else {"127.0.0.1"}
        assert {listener.getsockname()[0] for listener in listeners} == wanted
        [port] = {listener.getsockname()[1] for listener in listeners}
        assert port > 0
        for address in wanted:
            with socket.create_connection((address, port), timeout=PATIENCE):
                pass


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_is_one_listener(host):
    """Of its own family alone."""
    if host == "::1" and not has_address("::1"):
        pytest.skip("no IPv6 here")
    with listening(host) as listeners:
        assert [listener.getsockname()[0] for listener in listeners] == [host]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_taken_port_is_an_error(host):
    """EADDRINUSE, whoever has it and on whichever of the two families; nothing stays bound after it."""
    if host == "::1" and not has_address("::1"):
        pytest.skip("no IPv6 here")
    with listening(host) as listeners:
        port = listeners[0].getsockname()[1]
        with pytest.raises(OSError) as caught:  # noqa: PT011
            open_listeners(host, port)
        assert caught.value.errno == errno.EADDRINUSE
    with listening(host, port):
        pass


@pytest.mark.skipif(not has_address("::1"), reason="no IPv6 here")
def test_a_port_taken_on_one_family_is_taken():
    """A program on [::1] alone would get half of the requests."""
    with listening("::1") as listeners:
        port = listeners[0].getsockname()[1]
        with pytest.raises(OSError) as caught:  # noqa: PT011
            open_listeners("localhost", port)
        assert caught.value.errno == errno.EADDRINUSE
        with listening("127.0.0.1", port):
            pass


@contextlib.contextmanager
def held(host, port=0):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(listener) for listener in hold_port(host, port)]


PAIRS = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "::1": "::1", "0.0.0.0": "0.0.0.0", "::": "::"}


@pytest.mark.skipif(not has_address("::1"), reason="no IPv6 here")
@pytest.mark.parametrize("host", [*PAIRS, "LocalHost", "[::1]", "127.1", "0"])
def test_both_addresses_of_localhost_are_held(host):
    """Whatever the spelling of a host that loopback reaches: the family left free would be another user's to take."""
    with held(host) as listeners:
        first, second = [listener.getsockname()[:2] for listener in listeners]
        assert first[1] == second[1]
        assert first[0] == PAIRS.get(host, first[0])
        assert second[0] == find_companion(first[0])
        for address in ("127.0.0.1", "::1"):
            with socket.create_connection((address, first[1]), timeout=PATIENCE):
                pass


def test_other_loopback_address_is_held_alone():
    """It is announced as it is, and `localhost` does not lead there."""
    with held("127.0.0.2") as [listener]:
        assert listener.getsockname()[0] == "127.0.0.2"


@pytest.mark.skipif(not has_address("::1"), reason="no IPv6 here")
@pytest.mark.parametrize(("host", "other"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1"), ("0.0.0.0", "::1")])
def test_taken_companion_is_an_error(host, other):
    """It names the address, and nothing stays bound."""
    with listening(other) as listeners:
        port = listeners[0].getsockname()[1]
        with pytest.raises(AddressTaken) as caught:
            hold_port(host, port)
        assert (caught.value.errno, caught.value.companion) == (errno.EADDRINUSE, other)
        with listening(host, port):
            pass


def test_without_ipv6_the_other_address_serves_alone(monkeypatch):
    """Nobody can bind ::1 then, as an attempt shows; without a free descriptor nothing is shown: refused."""
    real = socket.socket.bind

    def refuse(error):
        def bind(sock, address):
            if address[0] == "::1":
                raise OSError(error, os.strerror(error))
            real(sock, address)

        # The class of C cannot be changed.
        monkeypatch.setattr("router.net.loopback.socket.socket", type("Socket", (socket.socket,), {"bind": bind}))

    for absent in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        refuse(absent)
        with held("localhost") as [listener]:
            assert listener.getsockname()[0] == "127.0.0.1"
    refuse(errno.EMFILE)
    with pytest.raises(OSError, match="open files"):
        hold_port("localhost", 0)


TAKES = """
import os, socket, sys
os.setuid(int(sys.argv[3]))
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
for options in ((), (socket.SO_REUSEADDR,), (socket.SO_REUSEPORT,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT)):
    for mapped in (0, 1):
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            for option in options:
                sock.setsockopt(socket.SOL_SOCKET, option, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, mapped)
            try:
                sock.bind((sys.argv[1], int(sys.argv[2])))
                sock.listen()
                print("listens")
            except OSError as error:
                assert error.errno in (22, 98, 99), error
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux error numbers")
@pytest.mark.skipif(not has_address("::1"), reason="no IPv6 here")
@pytest.mark.parametrize("user", [0, 1])
@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
def test_held_port_is_shared_with_nobody(address, user):
    """Whatever options another process of this or another user sets, on the address, a wider or a mapped one."""
    if os.getuid() not in (0, user):
        pytest.skip("only root can become another user")
    with held("localhost") as listeners:
        port = str(listeners[0].getsockname()[1])
        done = subprocess.run(
            [getattr(sys, "_base_executable", sys.executable), "-I", "-c", TAKES, address, port, str(user)],
            check=True,
            capture_output=True,
            text=True,
        )
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX descriptors")
def test_listeners_are_not_inherited():
    """By no program that is started while they are open, also where it closes nothing."""
    with held("localhost") as listeners:
        for listener in listeners:
            assert not listener.get_inheritable()
        looks = "import os,sys\nfor n in sys.argv[1:]:\n try: os.fstat(int(n)); print(n)\n except OSError: pass"
        numbers = [str(listener.fileno()) for listener in listeners]
        done = subprocess.run(
            [sys.executable, "-c", looks, *numbers], check=True, capture_output=True, text=True, close_fds=False
        )
    assert done.stdout == ""


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
