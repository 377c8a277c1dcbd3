"""Logins at rest: `logins/NAME.json`, one each, and where there is a keyring, its entry for the tokens.

Rules of this file: new tokens are on disk, or in the keyring, before they are used (a refresh token that was replaced
must not be used again: RFC 9700, 4.14); what the keyring does not take is kept in the file, so that no token is lost;
what is read, asked of the issuer and written back is done under the login's own lock, which processes share. All
functions block, as long as a locked keyring waits for its user.
"""

import contextlib
import secrets
from contextlib import AbstractContextManager
from typing import Literal

import msgspec

from router import __version__
from router.errors import CommandError
from router.settings import Secret
from router.store.home.home import Home
from router.store.home.permissions import shown, word
from router.store.keys import keyring
from router.store.keys.references import to_login

SCHEMA = 1
FOLDER = "logins"
SERVICE = "fairlead"
#: Seconds to wait for another process that refreshes the same login: its request may take ten, and its keyring too.
LOCK_PATIENCE = 45.0
#: Commands of the group, which no login can be called.
RESERVED = ("status", "refresh", "logout", "help")

ClientAuth = Literal["none", "basic", "post"]


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """The secrets of a login, with the times that belong to them."""

    access: str
    #: '' where the issuer gave none.
    refresh: str = ""
    #: Seconds since 1970, by this machine's clock.
    obtained: float = 0.0
    #: Seconds that the access token is valid for from then on; None where the issuer did not say.
    lifetime: float | None = None
    #: The secret of the user's own client, '' for a public one.
    client_secret: str = ""

    def __repr__(self) -> str:
        return "Tokens(set)"


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login. An OpenRouter one has no client id and no token endpoint: its key has no end."""

    name: str
    issuer: str
    tokens: Tokens
    client_id: str = ""
    #: As it was asked for.
    scope: str = ""
    #: As it was granted, '' where the issuer did not say otherwise.
    granted: str = ""
    audience: str = ""
    redirect_uri: str = ""
    token_endpoint: str = ""
    #: RFC 7009; '' where the issuer has none.
    revocation_endpoint: str = ""
    #: How the client says who it is at the token endpoint (RFC 6749, 2.3.1).
    client_auth: ClientAuth = "none"
    #: Why the issuer renews it no more, '' while it does.
    ended: str = ""
    #: The keyring's entry for the tokens, '' while the file holds them.
    entry: str = ""

    @property
    def refreshable(self) -> bool:
        """True when the issuer can be asked for the next token."""
        return bool(self.tokens.refresh and self.token_endpoint)

    @property
    def access(self) -> Secret:
        """The access token."""
        return Secret(self.tokens.access)


class _Stored(Login, frozen=True, kw_only=True):
    schema: int = SCHEMA
    fairlead: str = ""


_IN_KEYRING = Tokens("")


def check_name(text: str) -> str:
    """The name in lower case. Raises CommandError when no login can have it."""
    name = text.lower()
    to_login(name)
    if name in RESERVED:
        raise CommandError(f"{name} is a command of `fairlead login`; give the login another name.")
    return name


def list_names(home: Home) -> list[str]:
    """The names of the logins, sorted. Raises CommandError."""
    return home.names(FOLDER, ".json")


def lock(home: Home, name: str) -> AbstractContextManager[None]:
    """Hold the lock of a login, across processes. Raises CommandError."""
    return home.lock(f"{FOLDER}/.{name}.lock", LOCK_PATIENCE)


def read_login(home: Home, name: str) -> Login | None:
    """A login with its tokens, None when there is none. Raises CommandError."""
    found = read_record(home, name)
    return found if found is None or not found.entry else add_tokens(found)


def add_tokens(record: Login) -> Login:
    """A record with the tokens that the keyring holds. Raises CommandError."""
    name = record.name
    try:
        text = keyring.look_up_text(SERVICE, record.entry)
    except CommandError as error:
        # Such as a service's, which has no session: its user can read it all the same.
        raise CommandError(
            f"the tokens of the login {name} are in the keyring: {error} `fairlead login {name} --no-keyring` keeps "
            "them in a file."
        ) from None
    try:
        tokens = msgspec.json.decode(b"" if text is None else text.reveal().encode(), type=Tokens)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise CommandError(
            f"the keyring's entry {SERVICE}/{record.entry} does not hold the tokens of the login {name}.", _again(name)
        ) from None
    return msgspec.structs.replace(record, tokens=tokens)


def read_record(home: Home, name: str) -> Login | None:
    """A login as its file has it, without tokens that the keyring holds; None when there is none. Raises
    CommandError."""
    path = home.at(f"{FOLDER}/{name}.json")
    data = home.read(f"{FOLDER}/{name}.json")
    if data is None:
        return None
    try:
        stored = msgspec.json.decode(data, type=_Stored)
        usable = stored.name == name and bool(stored.entry or stored.tokens.access)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        stored, usable = None, False
    if stored is not None and stored.schema > SCHEMA:
        raise CommandError(f"{shown(path)} was written by a newer fairlead ({stored.fairlead}).")
    if stored is None or not usable:
        raise CommandError(f"{shown(path)} holds no login.", f"Remove it:   rm {word(path)}\n{_again(name)}")
    return Login(**{field: getattr(stored, field) for field in Login.__struct_fields__})


def save_login(home: Home, login: Login, *, use_keyring: bool) -> Login:
    """Write a new login, or one in the place of another, and return it as it is stored. use_keyring: put the tokens
    into the keyring if there is one that keeps them. Raises CommandError."""
    before = None
    with contextlib.suppress(CommandError):
        before = read_record(home, login.name)
    entry = f"login-{login.name}-{secrets.token_hex(4)}" if use_keyring else ""
    stored = msgspec.structs.replace(login, entry=entry)
    if entry and not _put(entry, login.tokens):
        stored = msgspec.structs.replace(stored, entry="")
    _write(home, stored)
    if before is not None and before.entry:
        _forget_entry(before.entry)
    return stored


def put_tokens(login: Login) -> bool:
    """Write new tokens to the keyring's entry of a login; False when it did not take them. The file is not touched, so
    that a keyring that hangs cannot bring an old one back later."""
    return _put(login.entry, login.tokens)


def save_record(home: Home, login: Login) -> None:
    """Write what is no secret of a login, and the tokens if the file holds them. Raises CommandError."""
    _write(home, login)


def remove_login(home: Home, login: Login) -> None:
    """Remove a login and its entry in the keyring. Raises CommandError."""
    home.remove(f"{FOLDER}/{login.name}.json")
    if login.entry:
        keyring.remove(SERVICE, login.entry)


def _write(home: Home, login: Login) -> None:
    fields = msgspec.structs.asdict(login)
    if login.entry:
        fields["tokens"] = _IN_KEYRING
    text = msgspec.json.format(msgspec.json.encode(_Stored(**fields, fairlead=__version__)), indent=2)
    home.write(f"{FOLDER}/{login.name}.json", text + b"\n")


def _put(entry: str, tokens: Tokens) -> bool:
    """Put tokens into the keyring; False when it did not take them. An entry is read again: some keyrings lose what
    they are given, and that of Windows has a limit that tokens exceed."""
    text = Secret(msgspec.json.encode(tokens).decode())
    try:
        keyring.put(SERVICE, entry, text)
        return keyring.look_up_text(SERVICE, entry) == text
    except CommandError:
        return False


def _forget_entry(entry: str) -> None:
    # It stays where the keyring cannot be changed; what it holds has been replaced.
    with contextlib.suppress(CommandError):
        keyring.remove(SERVICE, entry)


def _again(name: str) -> str:
    return f"Log in again:   fairlead login {name}"
