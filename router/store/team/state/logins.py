"""Renews a login once for all homes that have the same one: a lock on the server, and the new tokens, sealed.

Rules of this file: a login is told by its refresh token, of which only the proxies of the team can compute the
identity. Who holds the lock of a token asks the issuer; the others wait, and take the tokens that it got, which are
found under the identity of the token that they replaced. The lock has a holder that cannot be guessed, and ends by
itself. While the server cannot be reached each home renews by itself.
"""

import secrets
import time
from contextlib import suppress

import msgspec

from router.store.keys.logins import Tokens
from router.store.team.client import Refused, Script, TeamClient, Unreachable
from router.store.team.keys import KeyNames
from router.store.team.secrets import TeamSecret
from router.store.team.state.sealing import Sealer, Unreadable

#: Seconds after which a lock ends whose holder has gone.
LOCK_SECONDS = 30.0
_KEEP_SECONDS = 30 * 86_400
_LOOK_SECONDS = 0.1
_RELEASE = Script("if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0")


class _Renewed(msgspec.Struct, frozen=True, array_like=True):
    """The tokens that took the place of others."""

    access: str
    refresh: str
    lifetime: float | None
    #: When they were got, by the server's clock.
    at: float


class TeamLogins:
    """The locks of one process. Its methods block."""

    def __init__(self, client: TeamClient, names: KeyNames, secret: TeamSecret):
        self._client = client
        self._names = names
        self._secret = secret
        self._sealer = Sealer(secret.derive("logins"))
        self._holder = secrets.token_hex(16)

    def take(self, tokens: Tokens) -> Tokens | None:
        """The tokens that another home got in the place of these; None when this one is to ask the issuer, and then
        to call `give`. Waits for up to LOCK_SECONDS while another asks."""
        name = self._secret.identify("login", tokens.refresh)
        ends = time.monotonic() + LOCK_SECONDS
        with suppress(Unreachable, Refused):
            while time.monotonic() < ends:
                found = self._read(name, tokens)
                if found is not None:
                    return found
                lock = ("SET", self._names.name("lock", name), self._holder, "NX", "PX", int(LOCK_SECONDS * 1000))
                if self._client.execute(*lock):
                    # Its last holder may have written and released it since.
                    found = self._read(name, tokens)
                    if found is not None:
                        self._release(name)
                    return found
                time.sleep(_LOOK_SECONDS)
        return None

    def give(self, before: Tokens, after: Tokens | None) -> None:
        """Tell the others the tokens that the issuer gave in the place of `before`, None for none, and release
        the lock."""
        name = self._secret.identify("login", before.refresh)
        with suppress(Unreachable, Refused):
            if after is not None:
                renewed = _Renewed(after.access, after.refresh, after.lifetime, self._find_time())
                sealed = self._sealer.seal(name, msgspec.json.encode(renewed))
                self._client.execute("SET", self._names.name("login", name), sealed, "EX", _KEEP_SECONDS)
            self._release(name)

    def _read(self, name: str, tokens: Tokens) -> Tokens | None:
        sealed = self._client.execute("GET", self._names.name("login", name))
        if sealed is None:
            return None
        try:
            found = msgspec.json.decode(self._sealer.open(name, sealed), type=_Renewed)
        except (Unreadable, msgspec.DecodeError):
            return None
        # An issuer that does not replace the refresh token: these may be the latest themselves.
        if found.access == tokens.access:
            return None
        age = max(0.0, self._find_time() - found.at)
        return Tokens(
            found.access,
            found.refresh,
            obtained=time.time() - age,
            lifetime=found.lifetime,
            client_secret=tokens.client_secret,
        )

    def _find_time(self) -> float:
        seconds, micros = self._client.execute("TIME")
        return int(seconds) + int(micros) / 1e6

    def _release(self, name: str) -> None:
        self._client.run(_RELEASE, [self._names.name("lock", name)], [self._holder])
