"""Texts about the keys of backends and accounts; they never contain a key."""

from collections.abc import Callable, Mapping

from router.backends import Account, Backend
from router.errors import CommandError
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import find_login, source
from router.store.keys.secrets import at_hand


def credentials(backend: Backend, describe: Callable[[Account], str]) -> str:
    """How a backend's requests are authenticated, as a text. describe: where the key of an account comes from."""
    if backend.auth == "client":
        return "each tool's own login"
    if backend.auth == "none":
        return "no key"
    if len(backend.accounts) == 1:
        return describe(backend.accounts[0])
    listed = [f"{account.alias} {describe(account)}" for account in backend.accounts]
    return ", ".join(listed) or "no key stored"


def problem_of(account: Account, environ: Mapping[str, str], own: OwnKeys) -> str | None:
    """Why an account's key is not usable, as far as that is known without fetching it; None when it may be."""
    try:
        at_hand(account.key, environ, own)
    except CommandError as error:
        return str(error)
    return None


def advise_key(backend: Backend, alias: str) -> str:
    """What to do about an account's key that cannot be used, with the command for it; '' where requests carry none."""
    if backend.auth != "key":
        return ""
    account = next((account for account in backend.accounts if account.alias == alias), None)
    kind = source(account.key) if account is not None else "stored"
    first = account is None or account is backend.accounts[0]
    name = backend.name
    if kind in ("stored", "env"):
        command = f"fairlead backend add {name} --key-stdin"
        if not first:
            command = f"fairlead accounts remove {name} {alias}, then fairlead accounts add {name} {alias} --key-stdin"
        if kind == "env":
            return f"Start the proxy from a shell that has the provider's key, or store it: {command}"
        return f"Store the provider's key: {command}"
    if account is not None and kind == "login":
        return f"Log in again: fairlead login {find_login(account.key)}"
    return (
        f"Correct what gives the key, then try it: fairlead backend test {name}{'' if first else f' --account {alias}'}"
    )
