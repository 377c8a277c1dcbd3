"""Opens a tunnel through a proxy: HTTP CONNECT (RFC 9110, 9.3.6) and SOCKS5 (RFC 1928, 1929).

Without I/O: each negotiation is a generator that yields bytes to send (b"" for none), receives the bytes that came, and
returns once the tunnel is open. The proxy resolves names. The three SOCKS5 frames are written here because socksio,
which httpx uses, cannot read a reply that comes in two reads.
"""

import base64
import ipaddress
import struct
from collections.abc import Generator

import h11
import trio

from router.errors import Unreachable
from router.net.stream import RECEIVE_SIZE
from router.settings import ProxyAddress

HEAD_LIMIT = 65536
INTERIM_LIMIT = 10

Negotiation = Generator[bytes, bytes, None]

_REPLIES = {
    1: "it failed",
    2: "its rules do not allow it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "connection refused",
    6: "the time to live expired",
    7: "it does not support CONNECT",
    8: "it does not support this kind of address",
}


async def open_tunnel(stream: trio.abc.Stream, proxy: ProxyAddress, host: str, port: int) -> None:
    """Open a tunnel to a host through a connected proxy. Raises Unreachable with the proxy's reason."""
    negotiation = (negotiate_socks5 if proxy.scheme.startswith("socks5") else negotiate_http)(proxy, host, port)
    out = next(negotiation)
    while True:
        try:
            if out:
                await stream.send_all(out)
            data = bytes(await stream.receive_some(RECEIVE_SIZE))
        except (OSError, trio.BrokenResourceError) as error:
            raise _make_error(proxy, f"closed the connection ({error.__cause__ or error})") from None
        if not data:
            raise _make_error(proxy, f"closed the connection before it reached {_format_authority(host, port)}")
        try:
            out = negotiation.send(data)
        except StopIteration:
            return


def negotiate_http(proxy: ProxyAddress, host: str, port: int) -> Negotiation:
    """Ask an HTTP proxy for a tunnel."""
    authority = _format_authority(host, port)
    headers = [("Host", authority)]
    if proxy.user and proxy.password is not None:
        login = f"{proxy.user}:{proxy.password.reveal()}".encode()
        headers.append(("Proxy-Authorization", "Basic " + base64.b64encode(login).decode("ascii")))
    conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    out = conn.send(h11.Request(method="CONNECT", target=authority, headers=headers)) or b""
    out += conn.send(h11.EndOfMessage()) or b""
    interim = 0
    while interim <= INTERIM_LIMIT:
        try:
            event = conn.next_event()
        except h11.RemoteProtocolError as error:
            # h11 quotes the line, which may repeat the login; the quote is cut off.
            raise _make_error(proxy, f"did not answer in HTTP: {str(error).partition(': bytearray(')[0]}") from None
        if event is h11.NEED_DATA:
            conn.receive_data((yield out))
            out = b""
        elif isinstance(event, h11.Response):
            _check_response(proxy, authority, event, conn.trailing_data[0])
            return
        else:
            interim += 1
    raise _make_error(proxy, "sent interim answers without end")


def _check_response(proxy: ProxyAddress, authority: str, answer: h11.Response, rest: bytes) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        if rest:
            raise _make_error(proxy, f"sent bytes of its own into the tunnel to {authority}")
        return
    if status == 407:
        login = "does not accept the login" if proxy.user else "asks for a login"
        raise _make_error(
            proxy, f"{login} (407): put user and password into the URL of upstream_proxy (or HTTPS_PROXY)"
        )
    if status in (502, 503, 504):
        raise _make_error(proxy, f"could not reach {authority} ({status})")
    raise _make_error(proxy, f"does not allow connections to {authority} ({status})")


def negotiate_socks5(proxy: ProxyAddress, host: str, port: int) -> Negotiation:
    """Ask a SOCKS5 proxy for a tunnel."""
    read = bytearray()
    methods = b"\x00\x02" if proxy.user else b"\x00"
    yield from _send_frame(proxy, read, struct.pack("!BB", 5, len(methods)) + methods)
    version, method = yield from _read_exactly(read, 2)
    if version != 5:
        raise _make_error(proxy, "did not answer in SOCKS5")
    if method == 2 and proxy.user:
        yield from _send_frame(proxy, read, _encode_login(proxy))
        _, status = yield from _read_exactly(read, 2)
        if status:
            raise _make_error(
                proxy, "does not accept the login: correct it in the URL of upstream_proxy (or ALL_PROXY)"
            )
    elif method:
        raise _make_error(
            proxy, "asks for a login: put user and password into the URL of upstream_proxy (or ALL_PROXY)"
        )
    yield from _send_frame(proxy, read, b"\x05\x01\x00" + _encode_address(proxy, host) + struct.pack("!H", port))
    version, reply, _, kind = yield from _read_exactly(read, 4)
    if version != 5 or kind not in (1, 3, 4):
        raise _make_error(proxy, "did not answer in SOCKS5")
    if reply:
        said = _REPLIES.get(reply, f"reply {reply}")
        raise _make_error(proxy, f"could not reach {_format_authority(host, port)}: {said}")
    size = 4 if kind == 1 else 16 if kind == 4 else (yield from _read_exactly(read, 1))[0]
    yield from _read_exactly(read, size + 2)
    if read:
        raise _make_error(proxy, f"sent bytes of its own into the tunnel to {_format_authority(host, port)}")


def _send_frame(proxy: ProxyAddress, read: bytearray, frame: bytes) -> Negotiation:
    if read:
        raise _make_error(proxy, "answered before it was asked")
    read += yield frame


def _read_exactly(read: bytearray, size: int) -> Generator[bytes, bytes, bytes]:
    while len(read) < size:
        read += yield b""
    taken = bytes(read[:size])
    del read[:size]
    return taken


def _encode_login(proxy: ProxyAddress) -> bytes:
    user = proxy.user.encode()
    password = proxy.password.reveal().encode() if proxy.password else b""
    return b"\x01%c%b%c%b" % (len(user), user, len(password), password)


def _encode_address(proxy: ProxyAddress, host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = _encode_name(host)
        if len(name) > 255:
            raise _make_error(proxy, f"cannot be asked for {host}: the name is too long") from None
        return b"\x03%c%b" % (len(name), name)
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


def _format_authority(host: str, port: int) -> str:
    name = _encode_name(host).decode("ascii")
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _encode_name(host: str) -> bytes:
    return host.encode("ascii" if host.isascii() else "idna")


def _make_error(proxy: ProxyAddress, text: str) -> Unreachable:
    return Unreachable(f"The proxy {proxy} {text}.", cause="proxy")
