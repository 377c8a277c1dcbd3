"""TCP connections to upstreams and their proxies: names resolved in threads, address families raced, dead peers found.

A look-up that hangs keeps its thread: each name has a few threads of its own, so that it cannot block other names.
"""

import socket
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, cast
from weakref import WeakValueDictionary

import trio

from router.backends.hosts import is_link_local
from router.errors import Unreachable
from router.net.client.outbound import is_loopback
from router.net.descriptors import has_free, is_exhaustion, make_exhausted_error
from router.net.stream import SocketStream

LOOKUPS_PER_NAME = 4
_REFUSED = "its address is link-local, which only --insecure-http of `fairlead backend set` allows"
#: A peer that acknowledges nothing for so long is lost: it was cut off, or this machine changed its network.
SILENCE_SECONDS = 20
_PROBE_AFTER, _PROBE_EVERY = 15, 5


class _ThreadResolver(trio.abc.HostnameResolver):
    def __init__(self) -> None:
        self._limiters: WeakValueDictionary[object, trio.CapacityLimiter] = WeakValueDictionary()

    async def getaddrinfo(
        self,
        host: bytes | None,
        port: Any,
        family: int = 0,
        type: int = 0,  # noqa: A002
        proto: int = 0,
        flags: int = 0,
    ) -> Any:
        if host is not None and host.rstrip(b".").endswith(b".localhost"):
            host = b"localhost"  # else some resolvers ask a name server (RFC 6761, 6.3)
        limiter = self._limiters.setdefault(host, trio.CapacityLimiter(LOOKUPS_PER_NAME))
        found = await trio.to_thread.run_sync(
            socket.getaddrinfo, host, port, family, type, proto, flags, abandon_on_cancel=True, limiter=limiter
        )
        return _drop_link_local(found)

    async def getnameinfo(self, sockaddr: Any, flags: int) -> tuple[str, str]:
        return await trio.to_thread.run_sync(socket.getnameinfo, sockaddr, flags, abandon_on_cancel=True)


#: Link-local addresses may be connected to; set for the look-ups of one task. A name's owner can point it to the
#: address at which a cloud gives out credentials, so it needs the user's permission.
allows_link_local: ContextVar[bool] = ContextVar("allows_link_local", default=False)


def _drop_link_local(found: Any) -> Any:
    """The addresses of a name without link-local ones; these too where there are no others and they are allowed."""
    kept = [entry for entry in found if not is_link_local(str(entry[4][0]))]
    if kept or not found:
        return kept
    if allows_link_local.get():
        return found
    raise socket.gaierror(socket.EAI_FAIL, _REFUSED)


_resolver: trio.lowlevel.RunVar[_ThreadResolver] = trio.lowlevel.RunVar("names")


def resolve_in_threads() -> None:
    """Make this trio run look up each name in threads of its own. A resolver that is set already stays."""
    try:
        _resolver.get()
    except LookupError:
        _resolver.set(_ThreadResolver())
        previous = trio.socket.set_custom_hostname_resolver(_resolver.get())
        if previous is not None:
            trio.socket.set_custom_hostname_resolver(previous)


async def connect(host: str, port: int, peer: str, *, link_local: bool = False) -> SocketStream:
    """Open a TCP connection; trio races the addresses of both families (RFC 8305). peer: its name in errors.
    link_local: link-local addresses are allowed.

    Raises Unreachable with the cause, Unavailable when no descriptor is left.
    """
    resolve_in_threads()
    token = allows_link_local.set(link_local)
    try:
        stream = await trio.open_tcp_stream(host, port)
    except socket.gaierror as error:
        if not has_free():
            raise make_exhausted_error() from None
        raise Unreachable(f"The name {host} could not be resolved: {error.strerror}.", cause="name") from None
    except UnicodeError:
        raise Unreachable(f"The name {host} could not be resolved: not a valid host name.", cause="name") from None
    except OSError as error:
        seen = list(_iter_failures(error))
        if any(is_exhaustion(one) for one in seen):
            raise make_exhausted_error() from None
        # The error of the first address stands for all of them.
        if isinstance(seen[0], ConnectionRefusedError):
            raise Unreachable(f"{peer} refused the connection.", cause="refused") from None
        raise Unreachable(f"{peer} could not be reached: {(seen[0].strerror or str(seen[0])).lower()}.") from None
    finally:
        allows_link_local.reset(token)
    # The file descriptor moves to a plain socket; trio's wrapper keeps none.
    family, kind, proto = stream.socket.family, stream.socket.type, stream.socket.proto
    sock = socket.socket(family, kind, proto, fileno=stream.socket.detach())
    if not link_local and is_link_local(str(sock.getpeername()[0])):
        # Not by our look-up: the host is an address, or the program around us has a resolver of its own.
        sock.close()
        raise Unreachable(f"{peer} was not asked: {_REFUSED}.")
    end_when_silent(sock, SILENCE_SECONDS, local=is_loopback(host))
    return SocketStream(sock)


def end_when_silent(sock: socket.socket, seconds: int, *, local: bool) -> None:
    """Make the system end a connection whose peer acknowledges nothing for `seconds`, as far as it can.

    local: the peer is on this machine. Unacknowledged data is then no sign of a lost peer: a busy local server may
    leave a request unread for long.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = {"TCP_KEEPIDLE": _PROBE_AFTER, "TCP_KEEPALIVE": _PROBE_AFTER, "TCP_KEEPINTVL": _PROBE_EVERY}
    options["TCP_KEEPCNT"] = 1 + seconds // _PROBE_EVERY
    if not local:
        options["TCP_USER_TIMEOUT"] = seconds * 1000
    for name, value in options.items():
        option = getattr(socket, name, None)
        if option is not None:
            try:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)
            except OSError:
                continue  # older systems support fewer of them
    if sys.platform == "darwin" and not local:
        retransmit_limit = 0x80  # TCP_RXT_CONNDROPTIME, seconds; the socket module has no name for it
        sock.setsockopt(socket.IPPROTO_TCP, retransmit_limit, seconds)


def _iter_failures(error: OSError) -> Iterator[OSError]:
    """The error of each address, which trio gathers behind one, and that one last."""
    group = error.__cause__
    if isinstance(group, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", group).exceptions:
            if isinstance(one, OSError):
                yield one
    yield error
