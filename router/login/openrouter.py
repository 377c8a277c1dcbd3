"""OpenRouter's login for any program (PKCE without a registered client): the key that the user gets is permanent.

Source: openrouter.ai/docs, "OAuth PKCE". The browser goes to AUTHORIZE with `callback_url` and an S256 challenge; it
comes back with `code` alone. There is no `state`: 128 random bits in the path of the callback take its place. The code
is given for the key at EXCHANGE, as JSON; `/key` tells label, usage and limit of a key.
"""

import secrets
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from router.errors import CommandError
from router.login.calls import IssuerError, Send, make_refusal, read_object, refuse_redirect
from router.login.code import Foreign, Refused, Returned, Secrets, judge_code, judge_typed, read_parameters
from router.net.control.request import ControlError, clean
from router.settings import Secret
from router.store.keys.secrets import check_key

NAME = "openrouter"
ISSUER = "https://openrouter.ai"
AUTHORIZE = "https://openrouter.ai/auth"
EXCHANGE = "https://openrouter.ai/api/v1/auth/keys"
KEY = "https://openrouter.ai/api/v1/key"
#: Where a user ends a key: that takes a management key, or the page.
KEYS_PAGE = "https://openrouter.ai/settings/keys"
_WHY = {
    400: "the challenge was not made as it expects (400)",
    403: "the code or its verifier is wrong, or was used before (403)",
}


class KeyFacts(NamedTuple):
    """What OpenRouter tells of a key."""

    label: str
    #: US dollars; None where it does not say, and for a key without a limit.
    usage: float | None
    limit: float | None


def make_path() -> str:
    """The path of a callback, which cannot be guessed."""
    return f"/callback/{secrets.token_urlsafe(16)}"


def make_url(callback_url: str, own: Secrets) -> str:
    """The URL that the user opens."""
    fields = {"callback_url": callback_url, "code_challenge": own.challenge, "code_challenge_method": "S256"}
    return f"{AUTHORIZE}?{urlencode(fields)}"


def judge(parameters: "dict[str, str] | None") -> Returned:
    """What the browser brought to the callback's path."""
    if parameters is None:
        return Foreign("its parameters cannot be read")
    if "error" in parameters:
        return Refused(IssuerError(f"OpenRouter refused: {clean(parameters['error'], 60)}."))
    return judge_code(parameters.get("code", ""))


def judge_pasted(text: str, path: str) -> Returned:
    """What the user pasted: the URL that the browser ended at, or the code alone."""
    line = text.strip()
    if "://" not in line:
        return judge_typed(line)
    if urlsplit(line).path != path:
        return Foreign("it is not the address that this login waits for")
    found = read_parameters(urlsplit(line).query)
    return judge(None if found is None else dict(found))


async def exchange(ask: Send, code: str, own: Secrets) -> Secret:
    """Give the code for the key. Raises IssuerError."""
    body = msgspec.json.encode({"code": code, "code_verifier": own.verifier, "code_challenge_method": "S256"})
    try:
        answer = await ask("POST", EXCHANGE, {"content-type": "application/json"}, body)
    except ControlError as error:
        raise IssuerError(f"{error}.", passing=True) from None
    refuse_redirect(answer, EXCHANGE)
    if answer.status in _WHY:
        raise IssuerError(f"OpenRouter did not give a key: {_WHY[answer.status]}.", "Log in anew.")
    refusal = make_refusal(answer, EXCHANGE, (code, own.verifier))
    if refusal is not None:
        raise refusal
    key = (read_object(answer) or {}).get("key")
    if not isinstance(key, str):
        raise IssuerError("OpenRouter answered, but without a key.")
    try:
        return Secret(check_key(key, "the key of OpenRouter"))
    except CommandError as error:
        raise IssuerError(str(error)) from None


async def ask_key(ask: Send, key: Secret) -> KeyFacts:
    """What OpenRouter tells of a key. Raises IssuerError."""
    try:
        answer = await ask("GET", KEY, {"authorization": f"Bearer {key.reveal()}"}, None)
    except ControlError as error:
        raise IssuerError(f"{error}.", passing=True) from None
    refuse_redirect(answer, KEY)
    refusal = make_refusal(answer, KEY, (key.reveal(),))
    if refusal is not None:
        raise refusal
    data = (read_object(answer) or {}).get("data")
    fields: dict[str, object] = {str(name): value for name, value in data.items()} if isinstance(data, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType, reportUnknownMemberType]
    label = fields.get("label")
    return KeyFacts(
        clean(label, 60) if isinstance(label, str) else "", _money(fields.get("usage")), _money(fields.get("limit"))
    )


def _money(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
