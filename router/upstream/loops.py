"""Backends whose URL is one that this proxy itself listens on: a request to one would come back for ever.

Another fairlead, on this machine or elsewhere, is a backend like others.
"""

import ipaddress
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

from router.backends import Backend
from router.net.addresses import find_local_addresses
from router.policy.routing.gaps import Gap

#: Address and port of a listening socket.
Address = tuple[str, int]

_LOOPBACK = frozenset(("127.0.0.1", "::1"))
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not bound to


def find_loop(backend: Backend, listening: Collection[Address]) -> Gap | None:
    """Why the backend is not used: it leads to one of these addresses; None when it leads elsewhere."""
    url = urlsplit(backend.root)
    port = url.port or (443 if url.scheme == "https" else 80)
    bound = {address for address, number in listening if number == port}
    if not bound:
        return None
    reached = _resolve(url.hostname or "")
    if reached & bound or (bound & _ANY.keys() and reached & {*_LOOPBACK, *find_local_addresses()}):
        why = f"points to this proxy itself ({backend.root})"
        return Gap(backend.name, why, f"fairlead backend set {backend.name} --base-url URL", loops=True)
    return None


def _resolve(host: str) -> frozenset[str]:
    """The addresses of this machine that a host means, as far as they are known without asking a name server."""
    if host == "localhost" or host.endswith(".localhost"):
        return _LOOPBACK
    if host == socket.gethostname().lower():
        return frozenset(find_local_addresses())
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return frozenset()
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return frozenset((_ANY.get(str(address), str(address)),))
