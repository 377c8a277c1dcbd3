"""How far a connection to a host comes: its name, each of its addresses by family, and its certificate.

Rules of this file: nothing is sent beyond the handshake; a certificate that is not trusted is read all the same, and
only to say whose it is; each step ends within the seconds that are given.
"""

import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import NamedTuple, cast

import trio

from router.net.client.tls import describe_tls_failure, make_client_context
from router.net.control.request import clean

_Names = tuple[tuple[tuple[str, str], ...], ...]


class Resolved(NamedTuple):
    """The addresses of a name."""

    v4: tuple[str, ...]
    v6: tuple[str, ...]
    ms: float


class Connection(NamedTuple):
    """What came of connecting to an address."""

    ms: float
    #: Why there is no connection, "" when there is.
    problem: str = ""
    #: Nothing came back at all, as where packets are dropped on the way.
    silent: bool = False


class Certificate(NamedTuple):
    """The certificate of a host that was trusted."""

    #: The organisation that signed it, else the common name; "" where it has none.
    issuer: str
    #: Seconds since 1970.
    expires: float
    ms: float
    #: Its chain ends at an authority that browsers ship, not only at one that was added here.
    public: bool


async def resolve(host: str, seconds: float) -> Resolved | str:
    """The addresses of a name, or why there are none."""
    started = time.perf_counter()
    try:
        with trio.fail_after(seconds):
            found = await trio.to_thread.run_sync(
                lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), abandon_on_cancel=True
            )
    except trio.TooSlowError:
        return f"its name was not resolved within {seconds:g} s"
    except OSError as error:
        return f"its name cannot be resolved ({clean(error.strerror or str(error))})"
    ms = (time.perf_counter() - started) * 1000
    v4, v6 = (
        tuple(dict.fromkeys(str(one[4][0]) for one in found if one[0] == family))
        for family in (socket.AF_INET, socket.AF_INET6)
    )
    return Resolved(v4, v6, ms)


async def connect(address: str, port: int, seconds: float) -> Connection:
    """Connect to one address."""
    started = time.perf_counter()
    try:
        with trio.fail_after(seconds):
            # Not by `open_tcp_stream`, which would look the address up as a name.
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with trio.socket.socket(family, socket.SOCK_STREAM) as connection:
                await connection.connect((address, port))
    except trio.TooSlowError:
        return Connection(0.0, f"no answer within {seconds:g} s", silent=True)
    except OSError as error:
        # trio's own text repeats the address.
        return Connection(0.0, (os.strerror(error.errno) if error.errno else clean(str(error))).lower())
    return Connection((time.perf_counter() - started) * 1000)


async def read_certificate(host: str, address: str, port: int, roots: str, seconds: float) -> Certificate | str:
    """The host's certificate, or why it was not accepted. roots: further trusted ones in PEM."""
    try:
        with trio.fail_after(seconds):
            context = await trio.to_thread.run_sync(make_client_context, roots)
            started = time.perf_counter()
            peer = await _shake_hands(host, address, port, context)
            ms = (time.perf_counter() - started) * 1000
            public = await _is_public(host, address, port)
    except trio.TooSlowError:
        return f"its TLS handshake was not done within {seconds:g} s"
    except (OSError, trio.BrokenResourceError) as error:
        return describe_tls_failure(error, host)
    expires = peer.get("notAfter")
    end = float(ssl.cert_time_to_seconds(expires)) if isinstance(expires, str) else 0.0
    return Certificate(_find_name(cast("_Names", peer.get("issuer", ()))), end, ms, public)


async def _is_public(host: str, address: str, port: int) -> bool:
    """True where the roots that browsers ship are enough to trust the host."""
    import certifi

    context = ssl.create_default_context(cafile=certifi.where())
    try:
        await _shake_hands(host, address, port, context)
    except (OSError, trio.BrokenResourceError):
        return False
    return True


async def _shake_hands(host: str, address: str, port: int, context: ssl.SSLContext) -> Mapping[str, object]:
    """The certificate that the host showed. Raises OSError, trio.BrokenResourceError."""
    stream = await trio.open_tcp_stream(address, port)
    async with stream:
        tls = trio.SSLStream(stream, context, server_hostname=host, https_compatible=True)
        await tls.do_handshake()
        return cast("Mapping[str, object]", tls.getpeercert() or {})


def _find_name(issuer: _Names) -> str:
    parts = {key: value for part in issuer for key, value in part}
    return clean(parts.get("organizationName") or parts.get("commonName") or "", 80)
