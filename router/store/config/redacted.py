"""Texts about the keys of backends and accounts for lists; they never contain a key."""

from collections.abc import Mapping

from router.backends import Account, Backend
from router.errors import CommandError
from router.store.keys.references import describe
from router.store.keys.secrets import at_hand


def credentials(backend: Backend, environ: Mapping[str, str]) -> str:
    """How a backend's requests are authenticated, as a text."""
    if backend.auth == "client":
        return "each tool's own login"
    if backend.auth == "none":
        return "no key"
    if len(backend.accounts) == 1:
        return describe(backend.accounts[0].key, environ)
    listed = [f"{account.alias} {describe(account.key, environ)}" for account in backend.accounts]
    return ", ".join(listed) or "no key stored"


def problem_of(account: Account, environ: Mapping[str, str]) -> str | None:
    """Why an account's key is not usable, as far as that is known without fetching it; None when it may be."""
    try:
        at_hand(account.key, environ)
    except CommandError as error:
        return str(error)
    return None
