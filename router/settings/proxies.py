"""The address of an upstream proxy as a setting or an environment variable gives it."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from router.backends.hosts import clean_host
from router.settings.kinds import Kind, Secret

PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}

# Bytes of the user name or of the password in SOCKS5 (RFC 1929).
_LOGIN_LIMIT = 255


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """The address of a proxy and its login; the text form is without the login."""

    #: A key of PORTS, or `off` for no proxy.
    scheme: str
    host: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: Secret | None = None

    def __str__(self) -> str:
        if self.scheme == "off":
            return "off"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{'set@' if self.user else ''}{host}:{self.port}"


OFF = ProxyAddress("off")


def parse_proxy_address(text: str) -> ProxyAddress:
    """The address from a URL; the default scheme is http. Raises ValueError."""
    text = text.strip()
    if text.lower() == "off":
        return OFF
    # urlsplit drops line ends and tabs, so an invalid text would pass.
    if re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError
    url = urlsplit(text if "://" in text else f"http://{text}")
    if url.scheme not in PORTS or url.path not in ("", "/") or url.query or url.fragment:
        raise ValueError
    host = url.hostname or ""
    clean_host(host if host.isascii() else host.encode("idna").decode("ascii"))
    user, password = unquote(url.username or ""), unquote(url.password or "")
    if not user and password:
        raise ValueError
    if any(len(part.encode()) > _LOGIN_LIMIT or not part.isprintable() for part in (user, password)):
        raise ValueError
    port = PORTS[url.scheme] if url.port is None else url.port
    if not port:
        raise ValueError
    return ProxyAddress(url.scheme, host, port, user, Secret(password) if user else None)


class _Proxy(Kind, frozen=True):
    """A proxy's address; a text with a login is never shown."""

    def hides(self, value: object) -> bool:
        """True for a text that may hold a password."""
        return isinstance(value, str) and "@" in value


PROXY = _Proxy(
    "off, or a URL such as http://proxy.example:3128 or socks5://127.0.0.1:1080", "text", parse_proxy_address
)
