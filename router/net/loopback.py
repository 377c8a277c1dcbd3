"""Which addresses a proxy holds for its `host`, and the URL by which this machine's clients reach exactly these.

Rules of this file: a URL names only what is bound. `localhost` means both loopback addresses to clients, and which one
they try first is theirs to choose: whoever holds the other one gets their keys and prompts. So a host that is reached
over one of the two holds both, and a name is announced only when both are held. Imports nothing that takes time.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

#: What `localhost` means.
LOCALHOST = ("127.0.0.1", "::1")

# The loopback address of the other family, by what is bound.
_COMPANIONS = {
    "127.0.0.1": "::1",
    "::1": "127.0.0.1",
    "0.0.0.0": "::1",  # noqa: S104 - compared with, not bound to
    "::": "127.0.0.1",
}
_REACHED_AT = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to
# The machine has no such address, or this process may not use its family: then it is not announced either.
_ABSENT = {
    errno.EADDRNOTAVAIL,
    errno.EAFNOSUPPORT,
    errno.EPROTONOSUPPORT,
    errno.EINVAL,
    errno.EACCES,
    errno.EPERM,
}


def find_companion(address: str) -> str | None:
    """The loopback address that is to be held beside a bound one; None where the machine has none, or none belongs."""
    companion = _COMPANIONS.get(address)
    return companion if companion is not None and has_address(companion) else None


def has_address(address: str) -> bool:
    """True when this process can bind the address: with IPv6 switched off nobody can bind ::1. Raises OSError when that
    cannot be found out, as without a free descriptor."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if family == socket.AF_INET6 and not socket.has_ipv6:
        return False
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True


def make_url(host: str, bound: Sequence[str], port: int) -> str:
    """The URL for clients on this machine. bound: the addresses that are bound, the host's own first."""
    if is_localhost(host) and {*LOCALHOST} <= {*bound}:
        return f"http://localhost:{port}"
    return make_literal_url(bound[0], port)


def make_literal_url(address: str, port: int) -> str:
    """The URL with an address of this machine that a listener on this address is reached at."""
    address = _REACHED_AT.get(address, address)
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def predict_url(host: str, port: int) -> str:
    """The URL that a proxy with these settings would have."""
    bare = host.strip("[]")
    own = "127.0.0.1" if is_localhost(host) else bare
    try:
        own = str(ipaddress.ip_address(own))
    except ValueError:
        # A name, which is looked up when it is bound.
        return f"http://{bare}:{port}"
    try:
        companion = find_companion(own)
    except OSError:
        companion = None
    return make_url(host, [own, *([companion] if companion else [])], port)


def list_literal_urls(url: str) -> tuple[str, ...]:
    """The URLs with an address in the place of a name: what a connection reached is known only of these."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 80
    addresses: Iterable[str] = LOCALHOST if is_localhost(host) else (host,)
    return tuple(make_literal_url(address, port) for address in addresses)


def is_localhost(host: str) -> bool:
    """True for the name, in any capitals."""
    return host.lower() == "localhost"


def normalize(address: str) -> str:
    """An address in one spelling, without a zone; a name stays as it is."""
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return address
