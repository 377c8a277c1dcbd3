"""TCP connections over real sockets: address families raced, names looked up aside, silence noticed."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
import trio

from router.errors import Unavailable, Unreachable
from router.net.client import dial
from router.net.client.dial import allows_link_local, connect, end_when_silent, resolve_in_threads

from ...patience import PATIENCE

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="uses what only Linux has")


class Addresses(trio.abc.HostnameResolver):
    """Resolves every name to these addresses, in this order."""

    def __init__(self, *addresses):
        self.addresses = addresses

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in self.addresses]
        return [
            (family, socket.SOCK_STREAM, 0, "", (address, port))
            for family, address in zip(families, self.addresses, strict=True)
        ]

    async def getnameinfo(self, sockaddr, flags):
        raise AssertionError(sockaddr)


def listening(family, host, port=0, backlog=16):
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(backlog)
    return sock


def full(sock):
    """Connections that take up a listener's queue, so that a further one is never answered."""
    taken = []
    for _ in range(8):
        one = socket.socket(sock.family)
        one.setblocking(False)
        one.connect_ex(sock.getsockname())
        taken.append(one)
    return taken


@LINUX
def test_a_family_that_leads_nowhere_costs_a_quarter_second():
    """Half of the internet's broken IPv6: the first address takes no connection, the second family serves."""
    with listening(socket.AF_INET6, "::1", backlog=0) as six:
        taken = full(six)
        with listening(socket.AF_INET, "127.0.0.1", six.getsockname()[1]) as four:

            async def main():
                trio.socket.set_custom_hostname_resolver(Addresses("::1", "127.0.0.1"))
                began = trio.current_time()
                stream = await connect("two.example", four.getsockname()[1], "it")
                stream.close()
                return trio.current_time() - began

            assert 0.2 < trio.run(main) < 2
        for one in taken:
            one.close()


def test_a_family_that_is_refused_costs_nothing():
    """The next address is tried at once."""
    with listening(socket.AF_INET, "127.0.0.1") as four:

        async def main():
            trio.socket.set_custom_hostname_resolver(Addresses("::1", "127.0.0.1"))
            began = trio.current_time()
            (await connect("two.example", four.getsockname()[1], "it")).close()
            return trio.current_time() - began

        assert trio.run(main) < 0.2


@pytest.fixture
def stuck(monkeypatch):
    """Look-ups of names in `hang.example` take until the test ends."""
    release, usual = threading.Event(), socket.getaddrinfo

    def look_up(host, *arguments, **options):
        if arguments[-1] & socket.AI_NUMERICHOST:  # trio asks so first, and waits for it
            return usual(host, *arguments, **options)
        if b"hang.example" in (host if isinstance(host, bytes) else str(host).encode()):
            release.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return usual("127.0.0.1", *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield
    release.set()


def test_a_look_up_that_hangs_is_left_at_once(stuck):
    """A deadline holds, and what is cancelled does not wait for the thread."""

    async def main():
        began = time.monotonic()
        with trio.move_on_after(0.1) as scope:
            await connect("hang.example", 1, "it")
        assert scope.cancelled_caught
        return time.monotonic() - began

    assert trio.run(main) < 1


def test_look_ups_that_hang_hold_up_no_other_name(stuck):
    """A hundred of them, and neither another name nor other work in threads waits."""

    async def main():
        with listening(socket.AF_INET, "127.0.0.1") as four:
            async with trio.open_nursery() as nursery:
                for _ in range(100):
                    nursery.start_soon(connect, "hang.example", 1, "it")
                await trio.sleep(0.1)
                assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0
                with trio.fail_after(PATIENCE / 2):
                    (await connect("good.example", four.getsockname()[1], "it")).close()
                    assert await trio.to_thread.run_sync(lambda: 7) == 7
                nursery.cancel_scope.cancel()

    before = threading.active_count()
    trio.run(main)
    assert threading.active_count() - before < 20


def test_a_resolver_that_is_set_stays():
    """A program that embeds the router may have its own."""

    async def main():
        own = Addresses("127.0.0.1")
        trio.socket.set_custom_hostname_resolver(own)
        resolve_in_threads()
        resolve_in_threads()
        return trio.socket.set_custom_hostname_resolver(None) is own

    assert trio.run(main)


def test_a_name_that_is_none_is_named():
    """A label of over 63 characters cannot even be asked for."""

    async def main():
        with pytest.raises(Unreachable, match=r"no host's name|not be resolved"):
            await connect("a" * 70 + ".example", 80, "it")

    trio.run(main)


@LINUX
def test_no_descriptor_left_is_said_so():
    """503 with retry-after: the upstream is not at fault."""
    import resource

    async def main(address):
        with pytest.raises(Unavailable, match="file descriptor") as caught:
            await connect(*address, "it")
        assert caught.value.retry_after == 1

    async def starved(address):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            await main(address)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with listening(socket.AF_INET, "127.0.0.1") as four:
        trio.run(starved, four.getsockname())


def fill(sock):
    """Send until the peer's window and our buffer are full."""
    with contextlib.suppress(BlockingIOError):
        while True:
            sock.send(b"x" * 65536)


@LINUX
@pytest.mark.parametrize("near", [False, True])
def test_a_peer_that_takes_nothing_is_given_up(near):
    """Unacknowledged data ends a connection; on this machine it does not: a local server may read late."""
    with listening(socket.AF_INET, "127.0.0.1") as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        end_when_silent(ours, 1, local=near)
        ours.setblocking(False)
        fill(ours)
        ours.setblocking(True)
        ours.settimeout(3)
        with pytest.raises(OSError, match="timed out"):
            ours.recv(1)
        # settimeout's own error has no number.
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        ours.settimeout(0)
        if near:
            with pytest.raises(BlockingIOError):
                ours.recv(1)
        else:
            assert ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000
        ours.close()
        theirs.close()


BLACKHOLE = """
import socket, subprocess, sys, time
import trio
from router.net.client import dial
from router.net.client.exchange import UpstreamExchange, UpstreamDisconnected
from router.net.client.pool import ConnectionPool, Origin, UpstreamConnection
from router.net.headers import to_lines

def ip(*words):
    subprocess.run(["ip", *words], check=True)

ip("link", "set", "lo", "up")
ip("address", "add", "10.99.0.1/32", "dev", "lo")
listener = socket.create_server(("10.99.0.1", 0))

async def main():
    connections = ConnectionPool()
    connection = await connections.dial(Origin("http", "10.99.0.1", listener.getsockname()[1]))
    peer, _ = listener.accept()
    exchange = UpstreamExchange(connections, connection)
    await exchange.send(b"POST", b"/", to_lines([(b"Host", b"x"), (b"Content-Length", b"0")]), ())
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
    await exchange.head()
    if "sending" in sys.argv:
        ip("link", "set", "lo", "down")
        connection.socket.try_send([b"x"])
    else:
        ip("link", "set", "lo", "down")
    began = time.monotonic()
    try:
        await exchange.read()
    except UpstreamDisconnected as broken:
        print(round(time.monotonic() - began), broken)

trio.run(main)
"""


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("unshare") and shutil.which("ip")), reason="needs network namespaces")
@pytest.mark.parametrize("what", ["waiting", "sending"])
def test_a_network_that_swallows_everything_is_noticed(what):
    """An established connection whose network is gone ends after some 20 s, with and without data under way."""
    command = ["unshare", "--map-root-user", "--net", sys.executable, "-c", BLACKHOLE, what]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if "unshare" in done.stderr:
        pytest.skip("no network namespace may be made here")
    assert done.stderr == ""
    seconds, _, said = done.stdout.strip().partition(" ")
    assert dial.SILENCE_SECONDS - 1 <= int(seconds) <= 2 * dial.SILENCE_SECONDS
    assert "nothing was acknowledged" in said


class Book(trio.abc.HostnameResolver):
    """A resolver that the program around us has set: every name has this address."""

    def __init__(self, address):
        self._address = address

    async def getaddrinfo(self, host, port, *_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self._address, port))]

    async def getnameinfo(self, sockaddr, flags):
        raise NotImplementedError


def look_up_as(*addresses, asked):
    """The system's look-up of names, by which every name has these addresses. asked: gets the names."""

    def found(name, port, family=0, kind=0, proto=0, flags=0):
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "no address")
        asked.append(name)
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port)) for one in addresses]

    return found


def looked_up(monkeypatch, host, *addresses, link_local=False):
    """The addresses that a connection to a host would be tried at, of those that the system's look-up gives."""
    asked = []

    async def main():
        resolve_in_threads()
        token = allows_link_local.set(link_local)
        try:
            return [entry[4][0] for entry in await trio.socket.getaddrinfo(host, 80, type=1)]
        finally:
            allows_link_local.reset(token)

    with monkeypatch.context() as patch:
        patch.setattr("socket.getaddrinfo", look_up_as(*addresses, asked=asked))
        return trio.run(main), asked


@pytest.mark.parametrize(
    ("addresses", "allowed", "left"),
    [
        (("169.254.169.254", "192.0.2.1"), False, ["192.0.2.1"]),
        (("fe80::1%2", "10.0.0.7"), False, ["10.0.0.7"]),
        (("10.0.0.7", "fd00:ec2::254", "::ffff:169.254.169.254"), True, ["10.0.0.7"]),
        (("169.254.7.7",), True, ["169.254.7.7"]),
    ],
)
def test_a_name_does_not_lead_to_a_link_local_address(monkeypatch, addresses, allowed, left):
    """Where it has others; where it has none, the user must have allowed it."""
    assert looked_up(monkeypatch, "box.example", *addresses, link_local=allowed)[0] == left


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_a_name_with_nothing_but_link_local_addresses_is_refused(monkeypatch, address):
    """Whoever owns the name cannot point fairlead to where a cloud gives out credentials."""
    monkeypatch.setattr("socket.getaddrinfo", look_up_as(address, asked=[]))
    with pytest.raises(Unreachable, match="link-local, which only --insecure-http"):
        trio.run(connect, "box.example", 80, "it")


def test_names_below_localhost_are_this_machine(monkeypatch):
    """No name server is asked for them: it could answer with any address."""
    assert looked_up(monkeypatch, "models.localhost", "127.0.0.1") == (["127.0.0.1"], [b"localhost"])
    assert looked_up(monkeypatch, "localhost.example", "192.0.2.1") == (["192.0.2.1"], [b"localhost.example"])


def test_a_resolver_of_the_program_around_is_judged_by_its_peer(monkeypatch):
    """A connection that it made to such an address is closed before a byte is sent."""
    monkeypatch.setattr("router.net.client.dial.is_link_local", lambda text: text == "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        async def main(allowed):
            trio.socket.set_custom_hostname_resolver(Book("127.0.0.1"))
            (await connect("box.example", port, "it", link_local=allowed)).close()

        with pytest.raises(Unreachable, match="it was not asked"):
            trio.run(main, False)
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(1) == b""
        trio.run(main, True)
