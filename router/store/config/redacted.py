"""What lists say of backends and accounts, in words and as JSON; never a key."""

from collections.abc import Mapping, Sequence

from router.backends import Account, Backend
from router.errors import CommandError
from router.store.keys.references import describe, source
from router.store.keys.secrets import at_hand


def credentials(backend: Backend, environ: Mapping[str, str]) -> str:
    """How its requests are authenticated, in words."""
    if backend.auth == "client":
        return "each tool's own login"
    if backend.auth == "none":
        return "no key"
    if len(backend.accounts) == 1:
        return describe(backend.accounts[0].key, environ)
    listed = [f"{account.alias} {describe(account.key, environ)}" for account in backend.accounts]
    return ", ".join(listed) or "no key stored"


def plain(backend: Backend, environ: Mapping[str, str], headers: Sequence[str] = ()) -> dict[str, object]:
    """A backend for JSON. headers: names of those that config.toml sets for it."""
    return {
        "name": backend.name,
        "base_url": backend.root,
        "protocols": backend.protocols,
        "auth": backend.auth,
        "credentials": credentials(backend, environ),
        "enabled": backend.enabled,
        "headers": list(headers),
        "accounts": plain_accounts(backend, environ),
    }


def plain_accounts(backend: Backend, environ: Mapping[str, str]) -> list[dict[str, object]]:
    """The accounts of a backend for JSON; source: stored, env, file, cmd or keyring; credentials: the same in words."""
    return [
        {
            "alias": account.alias,
            "source": source(account.key),
            "credentials": describe(account.key, environ),
            "serves": backend.enabled,
        }
        for account in backend.accounts
    ]


def problem_of(account: Account, environ: Mapping[str, str]) -> str | None:
    """Why an account's key cannot be had, as far as that can be told without fetching it."""
    try:
        at_hand(account.key, environ)
    except CommandError as error:
        return str(error)
    return None
