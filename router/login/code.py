"""The authorization code with PKCE: the URL for the browser, the check of what comes back, and the exchange.

Sources: RFC 6749 (4.1), RFC 7636 (S256 alone), RFC 9207 (`iss`), RFC 8252 (7.3), RFC 9700 (2.1).
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from router.login.calls import Client, Grant, IssuerError, Send, make_refusal, post_form, read_grant
from router.login.metadata import Metadata, require_endpoint
from router.net.control.request import clean

#: Characters of one that is typed: all issuers' have more.
SHORTEST_CODE = 8
_PARAMETERS = 100
_CODE = re.compile(r"[\x21-\x7e]{1,8192}")


class Secrets(NamedTuple):
    """What belongs to one attempt to log in."""

    #: RFC 7636 4.1: 43 characters, of 32 random bytes.
    verifier: str
    #: 128 random bits.
    state: str

    def __repr__(self) -> str:
        return "Secrets(set)"

    @property
    def challenge(self) -> str:
        """RFC 7636 4.2."""
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


class Refused(NamedTuple):
    """The issuer, or its user, refused."""

    error: IssuerError


class Foreign(NamedTuple):
    """It does not belong to this attempt, and says nothing of it. why: for the user."""

    why: str


#: What came back: the code, a refusal, or something else.
Returned = str | Refused | Foreign


class Expected(NamedTuple):
    """What an answer to the browser must hold."""

    state: str
    issuer: str
    #: `iss` must be there (RFC 9207, 2.4).
    names_itself: bool

    def __repr__(self) -> str:
        return f"Expected({self.issuer})"


def make_secrets() -> Secrets:
    """New ones."""
    return Secrets(secrets.token_urlsafe(32), secrets.token_urlsafe(16))


def check_pkce(found: Metadata) -> None:
    """Raise IssuerError where S256 is not among the methods that an issuer names."""
    methods = found.code_challenge_methods_supported
    if methods is not None and "S256" not in methods:
        raise IssuerError(f"{clean(found.issuer)} does not support PKCE with S256, without which a code can be stolen.")


def make_url(
    endpoint: str, client_id: str, redirect_uri: str, own: Secrets, *, scope: str = "", audience: str = ""
) -> str:
    """The URL that the user opens."""
    fields = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "state": own.state,
        "code_challenge": own.challenge,
        "code_challenge_method": "S256",
        **({"scope": scope} if scope else {}),
        **({"audience": audience} if audience else {}),
    }
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(fields)}"


def read_parameters(query: str) -> Mapping[str, str] | None:
    """The parameters of a query; None for one that cannot be read, or that names one of them twice (RFC 6749, 3.1)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_PARAMETERS)
    except ValueError:
        return None
    return dict(pairs) if len({name for name, _ in pairs}) == len(pairs) else None


def judge(parameters: Mapping[str, str] | None, expected: Expected) -> Returned:
    """What the browser brought."""
    if parameters is None:
        return Foreign("its parameters cannot be read")
    state = parameters.get("state", "")
    if not hmac.compare_digest(state.encode(), expected.state.encode()):
        return Foreign("it has another state: it belongs to another login, or someone else made it")
    issuer = parameters.get("iss")
    if issuer is None and expected.names_itself:
        return Refused(IssuerError(f"the answer does not say that it is of {expected.issuer}, as it must (RFC 9207)."))
    if issuer is not None and issuer.rstrip("/") != expected.issuer.rstrip("/"):
        return Refused(IssuerError(f"the answer is of {clean(issuer)}, not of {expected.issuer}; it was not used."))
    if "error" in parameters:
        said = clean(parameters.get("error_description", ""), 160)
        code = clean(parameters["error"], 60)
        text = f"{urlsplit(expected.issuer).netloc} refused: {code}{f', {said}' if said else ''}"
        return Refused(IssuerError(f"{text.rstrip('.')}.", code=code))
    return judge_code(parameters.get("code", ""))


def judge_code(code: str) -> Returned:
    """A code, or why it cannot be one."""
    return code if _CODE.fullmatch(code) else Foreign("it has no code")


def judge_pasted(text: str, expected: Expected) -> Returned:
    """What the user pasted: the URL that the browser ended at, its query, or the code alone. A code alone is still tied
    to this attempt, by the verifier."""
    line = text.strip()
    if "://" in line or line.startswith("?"):
        return judge(read_parameters(line.partition("?")[2].partition("#")[0]), expected)
    if "=" in line and "code=" in line:
        return judge(read_parameters(line), expected)
    return judge_typed(line)


def judge_typed(line: str) -> Returned:
    """A code that a user gave alone, which a stray word is not to be taken for."""
    return judge_code(line) if len(line) >= SHORTEST_CODE else Foreign("it is too short for a code")


async def exchange(ask: Send, found: Metadata, client: Client, code: str, redirect_uri: str, own: Secrets) -> Grant:
    """Give the code for tokens. Raises IssuerError."""
    url = require_endpoint(found, "token_endpoint")
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": own.verifier,
    }
    hide = (code, own.verifier)
    answer = await post_form(ask, url, form, client, hide=hide)
    refusal = make_refusal(answer, url, (*hide, client.secret))
    if refusal is not None:
        raise refusal
    return read_grant(answer, url)
