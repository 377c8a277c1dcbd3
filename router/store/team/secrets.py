"""The secret of a team, and what is derived from it: names of keys that tell nothing, and the key that seals values."""

import hashlib
import hmac
from collections.abc import Mapping

from router.errors import CommandError
from router.settings import Secret, Settings
from router.store.keys.keyring import look_up_text
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import parse
from router.store.keys.secrets import at_hand, from_file

#: Bytes of what is derived.
KEY_BYTES = 32
# Characters; a shorter one could be guessed from what it seals.
_LEAST = 32
_NO_OWN_KEYS = OwnKeys()


class TeamSecret:
    """The secret that all proxies of a team have. It is not the password of the server, which may read none of what is
    sealed."""

    __slots__ = ("_identity", "_root")

    def __init__(self, secret: Secret, team: str):
        # Two teams that were given one secret have different keys.
        salt = b"fairlead team " + team.encode()
        self._root = hmac.digest(salt, secret.reveal().encode(), hashlib.sha256)
        self._identity = self.derive("identity")

    def __repr__(self) -> str:
        return "TeamSecret(set)"

    def derive(self, purpose: str) -> bytes:
        """The key of KEY_BYTES for one purpose, from which neither the secret nor another key can be found."""
        return hmac.digest(self._root, purpose.encode() + b"\x01", hashlib.sha256)

    def identify(self, kind: str, text: str) -> str:
        """The identity of a text, such as a provider's key, over the whole team: 32 hexadecimal digits that tell
        nothing of it. kind: what it is, so that equal texts of two kinds are not seen to be equal."""
        message = kind.encode() + b"\0" + text.encode("utf-8", "surrogatepass")
        return hmac.digest(self._identity, message, hashlib.sha256).hex()[:32]


def read_team_secret(settings: Settings, environ: Mapping[str, str]) -> TeamSecret:
    """The secret that `shared.secret` holds or names. Blocks. Raises CommandError."""
    stored = settings.shared_secret
    if stored is None:
        raise CommandError(
            "shared.url is set and shared.secret is not; a team's proxies need a secret of their own.",
            "Make one, and give it to each:   openssl rand -hex 32 | fairlead config set shared.secret --stdin",
        )
    secret = resolve(stored, environ, "shared.secret")
    if len(secret.reveal()) < _LEAST:
        raise CommandError(
            f"the secret of shared.secret is shorter than {_LEAST} characters.",
            "Make a better one:   openssl rand -hex 32 | fairlead config set shared.secret --stdin",
        )
    return TeamSecret(secret, settings.shared_team)


def resolve(stored: Secret, environ: Mapping[str, str], where: str) -> Secret:
    """The secret that a setting holds or names by a reference. Blocks. Raises CommandError, which names `where`."""
    text = stored.reveal()
    try:
        reference = parse(text)
        if reference is None or reference.kind == "env":
            found = at_hand(text, environ, _NO_OWN_KEYS)
        elif reference.kind == "file":
            found = from_file(reference.words[0])
        elif reference.kind == "keyring":
            found = look_up_text(*reference.words)
        else:
            raise CommandError(f"{where} cannot be taken from {reference.kind}:; expected env:, file: or keyring:.")
    except CommandError as error:
        raise CommandError(f"{where}: {error}", error.hint) from None
    if found is None:
        raise CommandError(f"{where}: nothing is stored under its reference.")
    return found
