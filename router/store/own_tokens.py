"""The tokens by which a proxy knows its operator and what it sealed itself.

Each home makes its own; those of a team derive them from the team's secret, so that each replica reads what another
sealed, and one token operates all of them.
"""

import base64
from collections.abc import Mapping

from router.settings import Secret, Settings
from router.store.home.home import OPERATOR_TOKEN, Home

#: The file of the key that signs sealed state.
SEAL_KEY = "carrier.key"
# What a derived token begins with. 228 bits follow.
_DERIVED = "fl-team-"
_LENGTH = 38


def read_operator_token(home: Home, settings: Settings, environ: Mapping[str, str]) -> Secret:
    """The token of the operator, which is in the home's file, where commands find it. Blocks. Raises CommandError."""
    derived = _derive("operator token", settings, environ)
    found = home.token(OPERATOR_TOKEN)
    if derived is not None:
        if found.reveal() != derived.reveal():
            home.write(OPERATOR_TOKEN, derived.reveal().encode() + b"\n")
        return derived
    if found.reveal().startswith(_DERIVED):
        # The rest of the team knows it.
        home.remove(OPERATOR_TOKEN)
        return home.token(OPERATOR_TOKEN)
    return found


def read_seal_key(home: Home, settings: Settings, environ: Mapping[str, str]) -> Secret:
    """The key that signs the state which clients keep for this proxy, such as signatures of thinking. Blocks. Raises
    CommandError."""
    return _derive("sealed state", settings, environ) or home.token(SEAL_KEY)


def _derive(purpose: str, settings: Settings, environ: Mapping[str, str]) -> Secret | None:
    """A token of the team's, None where `shared.secret` is not set. Raises CommandError."""
    if settings.shared_secret is None:
        return None
    from router.store.team.secrets import read_team_secret

    derived = base64.urlsafe_b64encode(read_team_secret(settings, environ).derive(purpose)).decode()
    return Secret(_DERIVED + derived[:_LENGTH])
