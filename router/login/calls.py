"""Requests to an issuer: what is sent, and what its answers mean.

Rules of this file: 10 seconds and 8 MiB an answer, no redirect is followed, nothing of an issuer's answer is shown with
a secret in it. Sources: RFC 6749 (2.3.1, 5.1, 5.2), RFC 8628 (3.5).
"""

import base64
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, cast
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from router.errors import CommandError
from router.net.client.outbound import DIRECT, Outbound
from router.net.control.request import Answer, ControlError, clean, send
from router.redaction import Redactor
from router.store.keys.logins import ClientAuth
from router.store.keys.secrets import KEY_LIMIT, check_key

SECONDS = 10.0
#: Longer lives are cut: a token of so many seconds is renewed before.
LONGEST_LIFE = 400 * 86_400.0
_DETAIL = 160

#: Sends a request: method, URL, headers, body. Raises ControlError.
Send = Callable[[str, str, Mapping[str, str], bytes | None], Awaitable[Answer]]


class IssuerError(CommandError):
    """An issuer did not do what it was asked. code: of RFC 6749 5.2 and others, '' without one. passing: it may pass by
    itself."""

    def __init__(self, message: str, hint: str = "", *, code: str = "", passing: bool = False):
        super().__init__(message, hint)
        self.code = code
        self.passing = passing


class Client(NamedTuple):
    """The client at an issuer, which its user registered there."""

    id: str
    secret: str = ""
    auth: ClientAuth = "none"

    def __repr__(self) -> str:
        return f"Client({self.id})"

    def sign(self, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and form of a request to an endpoint that knows the client (RFC 6749, 2.3.1)."""
        if self.auth == "basic":
            pair = f"{quote_plus(self.id)}:{quote_plus(self.secret)}".encode()
            return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}, dict(form)
        secret = {"client_secret": self.secret} if self.auth == "post" else {}
        return {}, {**form, "client_id": self.id, **secret}


class Grant(NamedTuple):
    """What a token endpoint gave."""

    access: str
    #: '' where it gave none.
    refresh: str
    #: Seconds from the answer on; None where it did not say.
    lifetime: float | None
    #: As it was granted, '' where it is what was asked for.
    scope: str

    def __repr__(self) -> str:
        return "Grant(set)"


def make_send(outbound: Outbound = DIRECT) -> Send:
    """How requests go to issuers."""
    way = replace(outbound, headers={}, link_local=False)

    async def ask(method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        return await send(method, url, {"accept": "application/json", **headers}, body, SECONDS, way)

    return ask


async def post_form(
    ask: Send, url: str, form: Mapping[str, str], client: Client | None, *, hide: Iterable[str] = ()
) -> Answer:
    """POST a form. client: who signs it. hide: what no message may repeat, beside the client's secret. Raises
    IssuerError when no answer came, and for a redirect."""
    headers, fields = client.sign(form) if client is not None else ({}, dict(form))
    headers = {**headers, "content-type": "application/x-www-form-urlencoded"}
    try:
        answer = await ask("POST", url, headers, urlencode(fields).encode())
    except ControlError as error:
        hidden = Redactor([one for one in (*hide, client.secret if client else "") if one])
        raise IssuerError(f"{hidden.redact_text(str(error))}.", passing=True) from None
    refuse_redirect(answer, url)
    return answer


def refuse_redirect(answer: Answer, url: str) -> None:
    """Raise IssuerError for an answer that leads elsewhere: what is sent to an issuer goes to no other place."""
    if 300 <= answer.status < 400:
        target = clean(urlsplit(answer.headers.get("location", "")).netloc) or "another path"
        raise IssuerError(f"{urlsplit(url).netloc} redirects to {target} ({answer.status}), which is not followed.")


def read_object(answer: Answer) -> dict[str, object] | None:
    """The JSON object that an answer is, None when it is none."""
    try:
        data = cast("object", msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("dict[str, object]", data) if isinstance(data, dict) else None


def make_refusal(answer: Answer, url: str, hide: Iterable[str] = ()) -> IssuerError | None:
    """The error that an answer is, None for a success. GitHub, and servers like it, tell errors with 200, so the body
    is looked at too. hide: what no message may repeat."""
    data = read_object(answer) or {}
    code = data.get("error")
    if 200 <= answer.status < 300 and not code:
        return None
    host = urlsplit(url).netloc
    hidden = Redactor([one for one in hide if one])
    named = clean(hidden.redact_text(code), 60) if isinstance(code, str) else ""
    passing = not named and (answer.status >= 500 or answer.status in (408, 429))
    passing = passing or named in ("temporarily_unavailable", "server_error", "slow_down")
    detail = data.get("error_description")
    said = clean(hidden.redact_text(detail[: 4 * _DETAIL]), _DETAIL) if isinstance(detail, str) else ""
    what = f"{answer.status} {named}".strip()
    text = f"{host} answered {what}{f': {said}' if said else ''}"
    return IssuerError(text if text.endswith(".") else f"{text}.", code=named, passing=passing)


def read_grant(answer: Answer, url: str) -> Grant:
    """What a successful answer of a token endpoint gives (RFC 6749, 5.1). Raises IssuerError when it cannot be used;
    then nothing of it is."""
    data, host = read_object(answer), urlsplit(url).netloc
    if data is None:
        raise IssuerError(f"{host} answered {answer.status}, but not with a token in JSON.", passing=True)
    kind = data.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        named = clean(kind, 40) if isinstance(kind, str) else "no type that is named"
        raise IssuerError(f"{host} gave a token of {named}; fairlead can use Bearer tokens alone.")
    try:
        access = check_key(_read_text(data, "access_token"), f"the access token of {host}")
    except CommandError as error:
        raise IssuerError(str(error)) from None
    refresh = data.get("refresh_token")
    if refresh is not None and not _is_token(refresh):
        raise IssuerError(f"the refresh token of {host} is not one that can be sent back.")
    scope = _read_text(data, "scope")
    return Grant(access, _read_text(data, "refresh_token"), read_seconds(data.get("expires_in")), clean(scope, 1000))


def _read_text(data: Mapping[str, object], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _is_token(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= KEY_LIMIT and value.isascii() and value.isprintable()


def read_seconds(value: object, *, limit: float = LONGEST_LIFE) -> float | None:
    """A number of seconds, which some issuers write as a string; None for none, and for one that means nothing. limit:
    longer ones are cut."""
    try:
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        return None
    return min(number, limit) if number > 0 else None
