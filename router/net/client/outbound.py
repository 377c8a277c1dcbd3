"""How upstreams are reached: through which proxy, and with which trusted roots beside the system's."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from router.errors import CommandError
from router.net.client.tls import read_roots
from router.settings import ProxyAddress, Settings
from router.settings.proxies import OFF, parse_proxy_address
from router.wire.raw.whole_numbers import parse_whole


@dataclass(frozen=True, slots=True)
class Outbound:
    """The proxies, trusted roots and headers of outgoing connections."""

    #: The proxy to https:// upstreams.
    secure: ProxyAddress | None = None
    #: The proxy to http:// upstreams.
    plain: ProxyAddress | None = None
    #: Names, addresses and networks that are reached without a proxy, `*` for all.
    bypass: tuple[str, ...] = ()
    #: Further trusted certificates in PEM, '' for none.
    roots: str = ""
    #: Lower-case name -> value: what fairlead's own requests to one backend carry beside its key.
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Link-local addresses may be connected to: the user allowed it for this backend.
    link_local: bool = False

    def find_proxy(self, scheme: str, host: str, port: int) -> ProxyAddress | None:
        """The proxy to an upstream; None to connect directly, which is always so for this machine."""
        proxy = self.secure if scheme == "https" else self.plain
        if proxy is None or is_loopback(host) or any(_covers(entry, host.lower(), port) for entry in self.bypass):
            return None
        return proxy

    def find_proxy_to(self, url: str) -> ProxyAddress | None:
        """The proxy to the host of a URL, None to connect directly."""
        parts = urlsplit(url)
        return self.find_proxy(
            parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        )


DIRECT = Outbound()


def read_outbound(settings: Settings, environ: Mapping[str, str]) -> Outbound:
    """What settings and environment say; reads the file of roots. Raises CommandError."""
    secure = plain = settings.upstream_proxy
    if secure is None:
        secure = _read_variable(environ, "https_proxy")
        plain = _read_variable(environ, "http_proxy")
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return Outbound(
        None if secure == OFF else secure,
        None if plain == OFF else plain,
        tuple(entry for entry in listed.lower().replace(",", " ").split() if entry),
        read_roots(settings.tls_ca_file) if settings.tls_ca_file else "",
    )


def _read_variable(environ: Mapping[str, str], own: str) -> ProxyAddress | None:
    for name in (own, own.upper(), "all_proxy", "ALL_PROXY"):
        text = environ.get(name, "").strip()
        if text:
            try:
                return parse_proxy_address(text)
            except ValueError:
                raise CommandError(
                    f"${name} is not a valid proxy address; expected a URL such as http://proxy.example:3128.",
                    "Or go without a proxy:   fairlead config set upstream_proxy off",
                ) from None
    return None


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    address = _parse_address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _parse_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _covers(entry: str, host: str, port: int) -> bool:
    """True when an entry of NO_PROXY names the host: a name and its subdomains, an address, a network, each with or
    without a port."""
    if entry == "*":
        return True
    address = _parse_address(host)
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, number = entry.rpartition(":")
    if colon and number.isdecimal() and (":" not in name or name.endswith("]")):
        if parse_whole(number, 0, 65535) != port:
            return False
        entry = name
    if address is not None:
        return _parse_address(entry) == address
    entry = entry.removeprefix("*").lstrip(".").rstrip(".")
    host = host.rstrip(".")
    return bool(entry) and (host == entry or host.endswith("." + entry))
