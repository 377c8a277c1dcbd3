"""fairlead's own secrets: what its clients and its operator send to it, and what no upstream may ever get."""

import hmac
import re
from typing import NamedTuple

from router.backends import APIS
from router.errors import CommandError
from router.policy.grants.key_form import is_marked
from router.settings import Secret, Settings
from router.settings.kinds import NO_KEY
from router.store.home.home import CLIENT_KEY, OPERATOR_TOKEN, TOKEN, Home
from router.store.keys.client_keys import find_key

# The variables that `fairlead env` sets to fairlead's own key, and the one that it did before.
_SET_BY_ENV = frozenset((*(f"${api.key_variable}" for api in APIS), "$ANTHROPIC_API_KEY"))


class OwnKeyRefused(CommandError):
    """A backend's key is one of fairlead's own secrets."""


class OwnKeys(NamedTuple):
    """The own secrets of one home, each with its name in messages."""

    secrets: tuple[tuple[str, Secret], ...] = ()
    #: Where the client keys with names are, of which the digests alone are known.
    home: Home | None = None

    def check(self, key: Secret, where: str) -> Secret:
        """The key of a backend. Raises OwnKeyRefused, naming `where`, when it is fairlead's own."""
        what = self._find(key.reveal().encode(), where)
        if not what:
            return key
        cause = ": it was overwritten by `fairlead env`" if where in _SET_BY_ENV else ""
        verb = "holds" if where.startswith("$") else "is"
        raise OwnKeyRefused(f"{where} {verb} {what}{cause}.")

    def _find(self, key: bytes, where: str) -> str:
        """What of fairlead's own this is, '' when it is nothing of it."""
        if hmac.compare_digest(key, NO_KEY.encode()):
            return "fairlead's own placeholder for a key"
        # All of them are compared, so that the time says nothing of which one differs.
        same = [what for what, own in self.secrets if hmac.compare_digest(key, own.reveal().encode())]
        if same:
            return same[0]
        if self.home is not None and is_marked(key) and (name := find_key(self.home, key)):
            return f"fairlead's own client key {name}"
        # In such a variable, this form is the client key of another home, or the one this home had before.
        return "a client key of fairlead" if where in _SET_BY_ENV and re.fullmatch(TOKEN, key) else ""


def read_own_keys(home: Home, settings: Settings | None) -> OwnKeys:
    """The own secrets of this home and these settings, as far as there are any now. Blocks on the disk."""
    client, operator = home.peek(CLIENT_KEY), home.peek(OPERATOR_TOKEN)
    found = [("fairlead's own client key", client), ("fairlead's operator token", operator)]
    if settings is not None:
        found.insert(0, ("fairlead's own client key", settings.api_key))
    return OwnKeys(tuple((what, secret) for what, secret in found if secret is not None), home)
