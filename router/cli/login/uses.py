"""Which accounts have a login as their key."""

from router.backends import Account, Backend
from router.store.config import backends
from router.store.home.home import Home
from router.store.keys.references import find_login


def find_uses(home: Home, name: str) -> list[tuple[Backend, Account]]:
    """The accounts that a login serves, as far as their backends can be read. Raises CommandError."""
    found, _ = backends.load(home)
    return [(one, account) for one in found for account in one.accounts if find_login(account.key) == name]
