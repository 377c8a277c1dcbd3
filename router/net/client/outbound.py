"""How upstreams are reached: through which proxy, and which roots are trusted beside the system's."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from router.errors import CommandError
from router.net.client.tls import read_roots
from router.settings import ProxyAddress, Settings
from router.settings.proxies import OFF, parse_proxy_address


@dataclass(frozen=True, slots=True)
class Outbound:
    """The way out. secure, plain: the proxy for https:// and for http:// upstreams. bypass: names, addresses and
    networks that are reached without one, `*` for all. roots: certificates in PEM, '' for none. headers: what
    fairlead's own requests to one backend carry beside its key, by lower-case name."""

    secure: ProxyAddress | None = None
    plain: ProxyAddress | None = None
    bypass: tuple[str, ...] = ()
    roots: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def proxy(self, scheme: str, host: str, port: int) -> ProxyAddress | None:
        """The proxy to that upstream; None to connect directly, as always to this machine."""
        proxy = self.secure if scheme == "https" else self.plain
        if proxy is None or is_loopback(host) or any(_covers(entry, host.lower(), port) for entry in self.bypass):
            return None
        return proxy

    def proxy_to(self, url: str) -> ProxyAddress | None:
        """The proxy to the host of a URL, None to connect directly."""
        parts = urlsplit(url)
        return self.proxy(parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80))


DIRECT = Outbound()


def outbound(settings: Settings, environ: Mapping[str, str]) -> Outbound:
    """The way out as settings and environment give it; reads the file of roots. Raises CommandError."""
    secure = plain = settings.upstream_proxy
    if secure is None:
        secure = _from_environment(environ, "https_proxy")
        plain = _from_environment(environ, "http_proxy")
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return Outbound(
        None if secure == OFF else secure,
        None if plain == OFF else plain,
        tuple(entry for entry in listed.lower().replace(",", " ").split() if entry),
        read_roots(settings.tls_ca_file) if settings.tls_ca_file else "",
    )


def _from_environment(environ: Mapping[str, str], own: str) -> ProxyAddress | None:
    for name in (own, own.upper(), "all_proxy", "ALL_PROXY"):
        text = environ.get(name, "").strip()
        if text:
            try:
                return parse_proxy_address(text)
            except ValueError:
                raise CommandError(
                    f"${name} is no proxy's address; expected a URL such as http://proxy.example:3128.",
                    "Or go without:   fairlead config set upstream_proxy off",
                ) from None
    return None


def is_loopback(host: str) -> bool:
    """True for names and addresses of this machine."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _covers(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY names the host: a name and all below it, an address, a network, each with or
    without a port."""
    if entry == "*":
        return True
    address = _address(host)
    if address is not None and "/" in entry:
        try:
            return address in ipaddress.ip_network(entry, strict=False)
        except ValueError:
            return False
    name, colon, number = entry.rpartition(":")
    if colon and number.isdigit() and (":" not in name or name.endswith("]")):
        if int(number[:6]) != port:
            return False
        entry = name
    if address is not None:
        return _address(entry) == address
    entry = entry.removeprefix("*").lstrip(".").rstrip(".")
    host = host.rstrip(".")
    return bool(entry) and (host == entry or host.endswith("." + entry))
