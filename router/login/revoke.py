"""Ends a login at its issuer (RFC 7009)."""

from router.login.calls import IssuerError, Send, make_refusal, post_form
from router.login.metadata import is_secure
from router.login.refresh import client_of
from router.store.keys.logins import Login


async def revoke(ask: Send, login: Login) -> None:
    """Have the issuer end the tokens of a login: the refresh token, with which those made by it end (2.1). Raises
    IssuerError when it cannot be done."""
    url, tokens = login.revocation_endpoint, login.tokens
    if not url:
        raise IssuerError("the issuer names no place to revoke a token at.")
    if not is_secure(url, login.issuer):
        raise IssuerError("the issuer's place to revoke a token at is not a URL with https://.")
    token, kind = (tokens.refresh, "refresh_token") if tokens.refresh else (tokens.access, "access_token")
    hide = (tokens.refresh, tokens.access, tokens.client_secret)
    answer = await post_form(ask, url, {"token": token, "token_type_hint": kind}, client_of(login), hide=hide)
    refusal = make_refusal(answer, url, hide)
    if refusal is not None:
        raise refusal
