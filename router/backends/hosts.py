"""What the host of a URL is: how it is written, and how near it is. No I/O.

How near a host is decides what goes there. http:// shows keys and texts to everyone on the way, so it is for this
machine and private networks; a link-local address is where clouds give out a machine's own credentials, so that
https:// to one needs the user's permission too.

- `here`: localhost and names below it, 127.0.0.0/8, ::1, and the unspecified addresses, which mean this machine.
- `private`: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 and fc00::/7 (RFC 1918, RFC 4193), a container's host, and names
  below .local. These are answered on the same network by multicast DNS: who could answer in another's name there could
  take over a private address too.
- `link-local`: 169.254.0.0/16, fe80::/10, and the addresses and names at which clouds answer metadata requests.
- `public`: all others. The shared space of providers (100.64.0.0/10) has many customers, 240.0.0.0/4 and the ranges for
  documentation and tests belong to nobody: none of them is a network of the user's own.

An IPv6 address that stands for an IPv4 one (mapped, 6to4, NAT64) is what that one is.
"""

import ipaddress
import re
from typing import Literal

Nearness = Literal["here", "private", "link-local", "public"]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
# What the system's resolver may read as an address: `2852039166`, `0xa9fea9fe`, `169.254.43518`, `0251.0376.1`.
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_ZONE = re.compile(r"[A-Za-z0-9._~-]{1,32}")

_PRIVATE = tuple(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# Outside of the link-local ranges: AWS, Google Cloud, Alibaba Cloud, Azure, Oracle Cloud.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_METADATA_NAMES = frozenset(
    (
        *("metadata", "metadata.google.internal", "metadata.goog", "metadata.azure.internal"),
        *("instance-data", "instance-data.ec2.internal", "metadata.tencentyun.com"),
    )
)


def clean_host(host: str) -> str:
    """The host in lower case, without the brackets of an IPv6 address. Raises ValueError with what is wrong with it."""
    if ":" in host:
        return _clean_ipv6(host.strip("[]"))
    name = host.lower()
    if "%" in name:
        raise ValueError("its host has a %, which only the zone of a link-local IPv6 address may have")
    if not _NAME.fullmatch(name):
        raise ValueError("its host or port is malformed")
    if _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]) and _parse(name) is None:
        # Also a name under a top-level domain of digits, of which there is none.
        raise ValueError("its host is an address that is not written as four numbers from 0 to 255, as in 127.0.0.1")
    return name


def _clean_ipv6(host: str) -> str:
    text, mark, zone = host.partition("%")
    address = _parse(text)
    if address is None:
        raise ValueError("its host or port is malformed")
    if mark and not (address.is_link_local and _ZONE.fullmatch(zone)):
        raise ValueError("its host has a %, which only the zone of a link-local IPv6 address may have")
    # Names of interfaces have capitals.
    return text.lower() + mark + zone


def find_nearness(host: str) -> Nearness:
    """How near a host is, with brackets or without."""
    name = host.strip("[]").lower().rstrip(".")
    if name in _METADATA_NAMES:
        return "link-local"
    if name == "localhost" or name.endswith(".localhost"):
        return "here"
    if name == "host.docker.internal" or name.endswith(".local"):
        return "private"
    text, mark, _ = name.partition("%")
    address = _parse(text)
    if address is None or (mark and not address.is_link_local):
        return "public"
    return judge_address(address)


def judge_address(address: Address) -> Nearness:
    """How near an address is."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return judge_address(address.ipv4_mapped)
        inner = _find_inner(address)
        if inner is not None:
            return "link-local" if judge_address(inner) == "link-local" else "public"
    if address.is_link_local or address in _METADATA:
        return "link-local"
    if address.is_loopback or address.is_unspecified:
        return "here"
    return "private" if any(address in network for network in _PRIVATE) else "public"


def is_link_local(text: str) -> bool:
    """True for the text of a link-local address, with its zone or without."""
    address = _parse(text.partition("%")[0])
    return address is not None and judge_address(address) == "link-local"


def _find_inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a translator on the way makes of this one."""
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def _parse(text: str) -> Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
