"""The backend and the account that a login is the key of."""

import argparse
import time
from typing import NamedTuple

import msgspec

from router.backends import Account, Backend, changes
from router.backends.changes import Outcome, Wish
from router.backends.known import same_place
from router.cli.accounts.commands import add_and_probe, probe_account
from router.cli.backend.apply import parse_protocols, parse_root, save_and_probe
from router.cli.backend.headers import Headers
from router.cli.backend.key import open_credentials
from router.cli.common.layout import note
from router.cli.login.uses import find_uses
from router.errors import CommandError, UsageError
from router.store.config import backends
from router.store.home.home import Home
from router.store.keys.references import to_login


class Place(NamedTuple):
    """Where a login is to serve."""

    #: None for a backend that is to be made.
    before: Backend | None
    name: str
    wish: Wish
    root: str


def find_place(home: Home, login: str, options: argparse.Namespace) -> Place:
    """Where a login is to serve; before the user is sent to a browser. Raises CommandError."""
    served = next((backend.name for backend, _ in find_uses(home, login)), login)
    name = backends.check_name(options.backend if options.backend is not None else served)
    before = backends.find(home, name)
    command = f"fairlead login {login}{f' --backend {name}' if name != login else ''}"
    # What login does not allow by a flag of its own, the command for backends does.
    adding = f"fairlead backend add {name} --no-key --protocols chat"
    wish = Wish(
        root=None if options.base_url is None else parse_root(options.base_url, adding, insecure=False),
        protocols=None if options.protocols is None else parse_protocols(options.protocols),
        key=to_login(login),
    )
    if before is None:
        root = changes.root_for(name, wish, None)
        if root is None:
            raise CommandError(
                f"there is no backend {name}, and {name} is not a provider fairlead knows, so it needs a URL.",
                f"Give it:            {command} --base-url URL\nOr another backend: --backend NAME",
            )
        return Place(None, name, wish, root)
    if wish.root is not None or wish.protocols is not None:
        raise UsageError(
            f"--base-url and --protocols are for a new backend, and {name} is there already.",
            f"Change it first:   fairlead backend set {name} --base-url URL",
        )
    if before.auth == "client":
        raise CommandError(
            f"{name} passes on each tool's own login, so it takes no login of fairlead.",
            f"Use another backend:   fairlead login {login} --backend NAME --base-url {before.root}",
        )
    return Place(before, name, wish, before.root)


def serve(home: Home, place: Place) -> int:
    """Make a login the key of an account, and ask its backend whether it takes it. The exit code: 1 when it does not.
    Raises CommandError."""
    keys, key = open_credentials(home), place.wish.key or ""
    # Another command may have made it while the user was in the browser.
    now = backends.present(home, place.name) or place.before
    if now is None:
        outcome = changes.add_backend(place.name, place.wish, place.root, None, now=time.time())
        try:
            return save_and_probe(home, None, outcome, Headers(()), keys)
        except CommandError as error:
            if outcome.backend.protocols or backends.present(home, place.name) is not None:
                raise
            # The user has just logged in, and is not to do that again for a server that does not answer now.
            note(f"note: {error} So chat is taken.")
            note(f"      Name others:   fairlead backend set {place.name} --protocols LIST")
        taken = msgspec.structs.replace(outcome.backend, protocols=("chat",))
        return save_and_probe(home, None, Outcome(taken), Headers(()), keys)
    if not same_place(now.root, place.root):
        raise CommandError(
            f"the login is stored, but {place.name} was moved to {now.root} meanwhile, which did not get it.",
            f"If it is for that place, log in again:   fairlead login {key.partition(':')[2]} --backend {place.name}",
        )
    there = next((account for account in now.accounts if account.key == key), None)
    if there is not None:
        return probe_account(home, now, there, keys)
    return add_and_probe(home, now, Account(_choose_alias(now, key), key), keys)


def _choose_alias(backend: Backend, key: str) -> str:
    """A free name for an account of a backend."""
    taken = {*backends.RESERVED_ALIASES, *(account.alias for account in backend.accounts)}
    login = key.partition(":")[2]
    names = [login if backend.accounts else changes.FIRST_ALIAS, f"{login[:50]}-login"]
    names += [f"{login[:50]}-login-{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in names if name not in taken)
