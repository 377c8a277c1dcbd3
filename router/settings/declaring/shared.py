"""What the settings of a team are made of: the address of its server, its name, its time zone."""

import ipaddress
import re
from datetime import UTC as UTC_ZONE
from datetime import tzinfo
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from router.settings.kinds import Kind, choice

#: What `shared.on_loss` may be: refuse what a process holds no share for, or count on alone.
REFUSE, ALLOW = "refuse", "allow"
UTC = "UTC"
_PORT = 6379
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,31}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


class ServerAddress(NamedTuple):
    """Where the server of a team is."""

    #: '' for a Unix socket.
    host: str
    port: int
    #: Of a Unix socket, else ''.
    path: str = ""
    tls: bool = False
    user: str = ""
    database: int = 0

    @property
    def shown(self) -> str:
        """As messages name it: without the user."""
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> ServerAddress:
    """The address that a URL names: rediss://[USER@]HOST[:PORT][/DATABASE], redis:// of this machine, or
    unix:///PATH[?db=N]. Raises ValueError for others, and for one with a password."""
    parts = urlsplit(text.strip())
    if parts.scheme not in ("redis", "rediss", "unix") or parts.password is not None or parts.fragment:
        raise ValueError
    user = unquote(parts.username or "")
    if parts.scheme == "unix":
        path, query = unquote(parts.path), parts.query
        if parts.hostname or not path.startswith("/") or not path.isprintable():
            raise ValueError
        return ServerAddress("", 0, path, user=user, database=_parse_database(query.removeprefix("db=")))
    host, tls = parts.hostname or "", parts.scheme == "rediss"
    if not host or not host.isascii() or not host.isprintable() or parts.query or not (tls or is_loopback(host)):
        raise ValueError
    return ServerAddress(host, parts.port or _PORT, "", tls, user, _parse_database(parts.path.lstrip("/")))


def is_loopback(host: str) -> bool:
    """True for an address or name of this machine, to which nothing is encrypted."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _parse_database(text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 5:
        raise ValueError
    return int(text)


def _parse_url(text: str) -> str:
    parse_address(text)
    return text.strip()


def _parse_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError
    return text


def _parse_zone(text: str) -> str:
    if not _ZONE.fullmatch(text):
        raise ValueError
    find_zone(text)
    return text


def find_zone(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError for one that this machine does not know."""
    if name == UTC:
        return UTC_ZONE
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError from None


URL = Kind(
    "rediss://HOST:PORT, unix:///PATH, or redis:// of this machine, without a password (shared.password)",
    "text",
    _parse_url,
)
NAME = Kind("1 to 32 of a-z, 0-9, - and _, a letter or digit first", "text", _parse_name)
ZONE = Kind("the name of a time zone, such as UTC or Europe/Berlin", "text", _parse_zone)
ON_LOSS = choice(REFUSE, ALLOW)
