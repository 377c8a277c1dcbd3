"""What an issuer says of itself: its endpoints, by OpenID Connect Discovery 1.0 (4) or RFC 8414 (3).

Rules of this file: what is asked for is what the document must name as its issuer; endpoints are https, but for an
issuer on this machine, which may name others on it.
"""

from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from router.backends.known import clean_url
from router.errors import CommandError
from router.login.calls import IssuerError, Send, make_refusal, read_object, refuse_redirect
from router.net.client.outbound import is_loopback
from router.net.control.request import ControlError, clean
from router.store.keys.logins import ClientAuth

URL_LIMIT = 2048
_ENDPOINTS = (*("authorization_endpoint", "token_endpoint", "device_authorization_endpoint", "revocation_endpoint"),)


class Metadata(msgspec.Struct, kw_only=True):
    """The fields of the document that are used; all others are passed over."""

    issuer: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    revocation_endpoint: str | None = None
    code_challenge_methods_supported: list[str] | None = None
    #: RFC 9207: the answer to the browser names its issuer.
    authorization_response_iss_parameter_supported: bool | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None

    @property
    def names_itself(self) -> bool:
        """True when each answer to the browser must name its issuer."""
        return bool(self.authorization_response_iss_parameter_supported)

    def choose_auth(self, secret: str) -> ClientAuth:
        """How a client with this secret, '' for none, says who it is: `basic` is what all servers must know."""
        methods = self.token_endpoint_auth_methods_supported
        if not secret:
            return "none"
        only_post = methods is not None and "client_secret_basic" not in methods and "client_secret_post" in methods
        return "post" if only_post else "basic"


def check_issuer(url: str) -> str:
    """The URL of an issuer as its user gave it, without surrounding space. Raises CommandError."""
    issuer = url.strip()
    try:
        clean_url(issuer)
    except ValueError as error:
        raise CommandError(f"--issuer cannot be used: {error}.") from None
    if not is_secure(issuer, issuer):
        raise CommandError(
            "--issuer begins with http://, and a login's tokens would be readable on the way.", "Give it with https://."
        )
    return issuer


def is_secure(url: str, issuer: str) -> bool:
    """True for a URL that a login's secrets may go to: https, or this machine for an issuer that is on it."""
    try:
        place, own = urlsplit(url), urlsplit(issuer)
        host, port = place.hostname or "", place.port
    except ValueError:
        return False
    if not host or port == 0 or place.username is not None or place.fragment or not url.isascii():
        return False
    if not url.isprintable() or " " in url or len(url) > URL_LIMIT:
        return False
    local = own.scheme == "http" and is_loopback(own.hostname or "")
    return place.scheme == "https" or (place.scheme == "http" and local and is_loopback(host))


async def discover(ask: Send, issuer: str) -> Metadata:
    """What an issuer says of itself. Raises IssuerError."""
    missing: IssuerError | None = None
    for url in list_places(issuer):
        found = await _fetch(ask, url)
        if isinstance(found, IssuerError):
            missing = missing or found
            continue
        _check(found, issuer)
        return found
    assert missing is not None
    raise IssuerError(
        f"{issuer} does not say where its login is: {missing}", "Is --issuer right? It is the URL before /.well-known/."
    )


def list_places(issuer: str) -> tuple[str, str]:
    """Where the document may be: below the issuer (OpenID Connect), or between its host and its path (RFC 8414)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    below = urlunsplit((parts.scheme, parts.netloc, f"{path}/.well-known/openid-configuration", "", ""))
    return below, urlunsplit((parts.scheme, parts.netloc, f"/.well-known/oauth-authorization-server{path}", "", ""))


async def _fetch(ask: Send, url: str) -> Metadata | IssuerError:
    """The document at a URL, the error when there is none. Raises IssuerError for one that is not to be used."""
    try:
        answer = await ask("GET", url, {}, None)
    except ControlError as error:
        raise IssuerError(f"{error}.", passing=True) from None
    refuse_redirect(answer, url)
    if 400 <= answer.status < 500:
        return IssuerError(f"{urlsplit(url).path} is not there ({answer.status}).")
    refusal = make_refusal(answer, url)
    if refusal is not None:
        raise refusal
    data = read_object(answer)
    if data is None:
        return IssuerError(f"{urlsplit(url).path} is not in JSON.")
    try:
        return msgspec.convert(data, type=Metadata)
    except msgspec.ValidationError as error:
        raise IssuerError(f"{url} is not a description of an issuer: {clean(str(error))}.") from None


def _check(found: Metadata, issuer: str) -> None:
    """Raise IssuerError for a document that is another issuer's, or sends secrets where anyone can read them."""
    # Some issuers end in a slash, which users leave out; the place of the document is the same.
    if found.issuer.rstrip("/") != issuer.rstrip("/"):
        raise IssuerError(
            f"{issuer} says that it is {clean(found.issuer)}.",
            "Give that one with --issuer, if it is who you log in to. (At Microsoft, the issuer names your tenant.)",
        )
    for field in _ENDPOINTS:
        url = getattr(found, field)
        if url and not is_secure(url, issuer):
            raise IssuerError(
                f"{issuer} names {clean(url)} as its {field}, which is not a URL with https://, so nothing is sent."
            )


def require_endpoint(found: Metadata, field: Literal["authorization_endpoint", "token_endpoint"]) -> str:
    """An endpoint that a login needs. Raises IssuerError."""
    url = getattr(found, field)
    if not url:
        raise IssuerError(f"{clean(found.issuer)} names no {field}.")
    return url
