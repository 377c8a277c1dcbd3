"""Logins as they are after a login, without the way there."""

import time

from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

from .issuer import CLIENT


def store(home, issuer, name="work", *, age=0.0, keyring=False, **changes):
    """Store a login at an issuer whose token was given out so many seconds ago; what is stored."""
    with issuer.lock:
        told = issuer.start_family()
    lifetime = float(told["expires_in"]) if "expires_in" in told else None
    tokens = Tokens(told["access_token"], told.get("refresh_token", ""), time.time() - age, lifetime)
    fields = {"issuer": issuer.url, "client_id": CLIENT, "token_endpoint": f"{issuer.url}/token"}
    fields |= {"revocation_endpoint": f"{issuer.url}/revoke", "tokens": tokens, **changes}
    return logins.save_login(home, Login(name=name, **fields), use_keyring=keyring)
