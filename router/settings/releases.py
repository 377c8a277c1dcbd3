"""The address that releases of fairlead are downloaded from, as a setting gives it."""

import ipaddress
from urllib.parse import urlsplit

from router.settings.kinds import Kind


def parse_releases_url(text: str) -> str:
    """The address without a slash at its end: https, or http to this machine. Raises ValueError."""
    text = text.strip().rstrip("/")
    # urlsplit drops line ends and tabs, so an invalid text would pass.
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    url = urlsplit(text)
    host = url.hostname or ""
    if not host or "@" in url.netloc or url.query or url.fragment or url.port == 0:
        raise ValueError
    if url.scheme == "https" or (url.scheme == "http" and is_this_machine(host)):
        return text
    raise ValueError


def is_this_machine(host: str) -> bool:
    """True for `localhost` and loopback addresses."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Releases(Kind, frozen=True):
    """An address of releases; a text with a login or a query is never shown."""

    def hides(self, value: object) -> bool:
        """True for a text that may hold a password or a token."""
        return isinstance(value, str) and ("@" in value or "?" in value)


RELEASES = _Releases(
    "an https:// address without a login, or an http:// address of this machine", "text", parse_releases_url
)
