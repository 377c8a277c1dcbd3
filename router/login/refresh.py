"""Renews a login: once for all processes of a home, and so that no token is lost.

Rules of this file: the login's lock is held from reading it to writing the answer, and it is read anew under the lock,
since another process may have renewed it meanwhile; the disk is proved to take a write before the issuer is asked, and
the answer is written before anything uses it (RFC 9700 4.14.2: whoever uses a replaced refresh token again loses the
whole login); what has begun is finished though the program is told to stop; a login that the issuer has ended is never
asked for again. The refresh token goes to the issuer's token endpoint and nowhere else.
"""

import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import msgspec
import trio

from router.errors import CommandError
from router.login.calls import Client, Grant, IssuerError, Send, make_refusal, post_form, read_grant
from router.login.ended import make_ended
from router.login.metadata import is_secure
from router.settings import Secret
from router.store.home.home import Home
from router.store.interfaces import SharedLogins
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

#: For a keyring, which may ask its user.
STORE_SECONDS = 30.0
# What an issuer says when its user has to log in again: RFC 6749 5.2, OpenID Connect Core 3.1.2.6.
_ENDED = ("invalid_grant", "interaction_required", "login_required", "consent_required")
# Apart, so that a keyring that hangs, and keeps its place, does not hold up logins in files, and who waits for a lock
# does not keep its holder from a thread.
_FILES, _KEYRINGS, _LOCKS = trio.CapacityLimiter(4), trio.CapacityLimiter(2), trio.CapacityLimiter(16)
_WRITES = 3
# Times that other homes may have replaced the tokens of a login while this one was away; then it asks the issuer.
_REPLACED = 1000
#: A token is renewed in the last five minutes, or tenth, of its life, and not before half of it.
DUE_SECONDS, DUE_SHARE, EARLIEST_SHARE = 300.0, 0.1, 0.5

_T = TypeVar("_T")


async def read(home: Home, name: str) -> Login:
    """A login. Raises LoginEnded when there is none, CommandError."""
    found = await _run_in_thread(_FILES, logins.read_record, home, name)
    if found is None:
        raise make_ended(name, f"there is no login {name}.")
    return await _run_in_thread(_KEYRINGS, logins.add_tokens, found) if found.entry else found


async def _run_in_thread(limiter: trio.CapacityLimiter, function: Callable[..., _T], *arguments: object) -> _T:
    """Call what reads a login, or writes to the keyring. Raises CommandError when it hangs, as a keyring that waits for
    its user; it then goes on, and its result is lost."""
    with trio.move_on_after(STORE_SECONDS):
        return await trio.to_thread.run_sync(function, *arguments, limiter=limiter, abandon_on_cancel=True)
    what = "keyring" if limiter is _KEYRINGS else "disk"
    raise CommandError(f"the {what} did not answer within {STORE_SECONDS:g} s.")


async def _write(home: Home, login: Login) -> None:
    """Write the file of a login. Never left alone: a write that goes on could put an old one in the place of a new one
    later. Raises CommandError."""
    await trio.to_thread.run_sync(logins.save_record, home, login, limiter=_FILES)


async def refresh(home: Home, name: str, ask: Send, seen: Secret, shared: SharedLogins | None = None) -> Login:
    """The login with a token other than `seen`, which is old or was refused: the one that another process has stored,
    or a new one. shared: of the homes that have the same login. Raises LoginEnded, IssuerError, CommandError."""
    async with _hold(home, name):
        login = await read(home, name)
        if login.access != seen and is_valid(login, time.time()):
            return login
        if login.ended:
            raise make_ended(name, login.ended)
        # From here on it is finished.
        with trio.CancelScope(shield=True):
            login = await (
                _renew(home, login, ask) if shared is None else _renew_shared(home, login, ask, seen, shared)
            )
        return login  # noqa: RET504 - a scope may swallow, as its type says


async def _renew_shared(home: Home, login: Login, ask: Send, seen: Secret, shared: SharedLogins) -> Login:
    """Renew a login, or take the tokens that another home got; those may have been replaced again since."""
    for _ in range(_REPLACED):
        found = await trio.to_thread.run_sync(shared.take, login.tokens, limiter=_LOCKS)
        if found is None:
            break
        login = await _save(home, msgspec.structs.replace(login, tokens=found, ended=""))
        if login.access != seen and is_valid(login, time.time()):
            return login
    before, after = login.tokens, None
    try:
        login = await _renew(home, login, ask)
        after = login.tokens
    finally:
        await trio.to_thread.run_sync(shared.give, before, after, limiter=_LOCKS)
    return login


async def _renew(home: Home, login: Login, ask: Send) -> Login:
    await _write(home, login)
    try:
        grant = await _ask(login, ask)
    except IssuerError as error:
        if error.code not in _ENDED:
            raise
        # Where that cannot be written, this process knows it all the same.
        with contextlib.suppress(CommandError):
            await _write(home, msgspec.structs.replace(login, ended=str(error)))
        raise make_ended(login.name, str(error)) from None
    return await _save(home, apply_grant(login, grant, time.time()))


async def _ask(login: Login, ask: Send) -> Grant:
    url, tokens = login.token_endpoint, login.tokens
    if not is_secure(url, login.issuer):
        raise IssuerError(f"the token endpoint of {login.issuer} is not a URL with https://, so nothing was sent.")
    form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh}
    hide = (tokens.refresh, tokens.access, tokens.client_secret)
    answer = await post_form(ask, url, form, client_of(login), hide=hide)
    refusal = make_refusal(answer, url, hide)
    if refusal is not None:
        raise refusal
    return read_grant(answer, url)


def find_due(lifetime: float) -> float:
    """How many seconds before its end a token of such a life is renewed."""
    return min(max(DUE_SECONDS, DUE_SHARE * lifetime), EARLIEST_SHARE * lifetime)


def count_left(login: Login, now: float) -> float | None:
    """Seconds for which the access token of a login is still valid; None where its issuer did not say. now: seconds
    since 1970, by this machine's clock."""
    lifetime, age = login.tokens.lifetime, now - login.tokens.obtained
    if lifetime is None:
        return None
    # The clock was set back since: how old the token is, is not known. It is usable, and renewed soon.
    return lifetime - age if age >= 0 else find_due(lifetime) / 2


def is_valid(login: Login, now: float) -> bool:
    """True while the access token of a login can be used, as far as is known. now: as in `count_left`."""
    left = count_left(login, now)
    return left is None or left > 0


def client_of(login: Login) -> Client:
    """The client of a login."""
    return Client(login.client_id, login.tokens.client_secret, login.client_auth)


def apply_grant(login: Login, grant: Grant, now: float) -> Login:
    """The login with what a token endpoint gave. Its life counts from now, by this machine's clock, so that the
    issuer's clock does not matter. A refresh token that is not replaced stays (RFC 6749, 6)."""
    tokens = Tokens(
        grant.access,
        grant.refresh or login.tokens.refresh,
        obtained=now,
        lifetime=grant.lifetime,
        client_secret=login.tokens.client_secret,
    )
    return msgspec.structs.replace(login, tokens=tokens, granted=grant.scope, ended="")


async def _save(home: Home, login: Login) -> Login:
    """Write new tokens. They exist nowhere else, so a keyring that does not take them is passed over, and a failure is
    not final at once. Raises CommandError."""
    if login.entry and not await _put(login):
        login = msgspec.structs.replace(login, entry="")
    for left in reversed(range(_WRITES)):
        try:
            await _write(home, login)
            break
        except CommandError as error:
            if not left:
                raise CommandError(
                    f"the new tokens of the login {login.name} could not be stored: {error}",
                    f"Once that is mended, log in again:   fairlead login {login.name}",
                ) from None
            await trio.sleep(1.0)
    return login


async def _put(login: Login) -> bool:
    try:
        return await _run_in_thread(_KEYRINGS, logins.put_tokens, login)
    except CommandError:
        return False


@contextlib.asynccontextmanager
async def _hold(home: Home, name: str) -> AsyncGenerator[None]:
    """Hold the lock of a login while the body runs."""
    held = logins.lock(home, name)
    # Not abandoned: a lock that is taken after all would never be given back.
    await trio.to_thread.run_sync(held.__enter__, limiter=_LOCKS)
    try:
        yield
    finally:
        held.__exit__(None, None, None)
