"""What adding and changing a backend have in common: its URL, its protocols, its keys, the contact, and the save."""

import os

import msgspec
import trio

from router.backends import PROTOCOLS, Account, Backend
from router.backends.known import api_root, host_of, is_https, known, plain_http_allowed, vendor_of
from router.cli.backend import summary
from router.cli.parser import Parser, note
from router.cli.reach import Reach, detect, reach
from router.cli.running import tell_change
from router.cli.text import count
from router.errors import CommandError, UsageError
from router.proxy.credentials import Credentials
from router.store import backends
from router.store.home import Home

FIRST_ALIAS = "default"


def add_options(parser: Parser) -> None:
    """Give a command the options for where a backend is and what it speaks."""
    parser.add_argument("--no-key", action="store_true", help="send no key")
    parser.add_argument("--auth", metavar="client", help="pass on each tool's own login instead of a key")
    parser.add_argument("--base-url", metavar="URL", help="where it is, with or without a trailing /v1")
    parser.add_argument("--protocols", metavar="LIST", help=f"what it speaks, of {','.join(PROTOCOLS)}")
    parser.add_argument(
        "--insecure-http", action="store_true", help="allow http:// to a public address: keys and texts can be read"
    )


def root_of(url: str, command: str, *, insecure: bool) -> str:
    """The root that --base-url names. command: what was called, for the fix. Raises CommandError."""
    try:
        root = api_root(url)
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        raise CommandError(f"--base-url cannot be used: {problem}.") from None
    if not (is_https(root) or insecure or plain_http_allowed(host_of(root))):
        raise CommandError(
            f"{host_of(root)} is a public address, and http:// would show keys and texts to everyone on the way.",
            f"Use https://, or allow it:   {command} --base-url {root} --insecure-http",
        )
    return root


def vendor_for(name: str, root: str) -> str:
    """The known provider that a backend is an instance of, '' for none."""
    return name if known(name) else vendor_of(root)


def protocols_of(named: str) -> tuple[str, ...]:
    """The protocols that --protocols names. Raises UsageError."""
    asked = {part.strip().lower() for part in named.split(",") if part.strip()}
    wrong = sorted(asked - set(PROTOCOLS))
    if wrong or not asked:
        raise UsageError(f'--protocols is "{named}"; expected some of {",".join(PROTOCOLS)}.')
    return tuple(protocol for protocol in PROTOCOLS if protocol in asked)


def check_auth(form: str | None) -> None:
    """Raise UsageError when --auth is given and not `client`."""
    if form not in (None, "client"):
        raise UsageError(f'--auth is "{form}"; expected client.')


def rekeyed(accounts: tuple[Account, ...], key: str) -> tuple[Account, ...]:
    """The accounts with another key for the first, which serves; the others stay."""
    if not accounts:
        return (Account(FIRST_ALIAS, key),)
    return (Account(accounts[0].alias, key), *accounts[1:])


def note_dropped(accounts: tuple[Account, ...], why: str) -> None:
    """Say that stored keys were dropped, if there were any."""
    if accounts:
        keys = "the stored key was" if len(accounts) == 1 else f"{count(len(accounts), 'stored key')} were"
        note(f"note: {why}, so {keys} dropped.")


def settle(home: Home, before: Backend | None, backend: Backend) -> int:
    """Ask a backend whether it works, say so, save it in place of `before`, and tell the running proxies."""
    backend, contact = trio.run(_contacted, backend)
    save(home, before, backend)
    _print_outcome(backend, contact)
    tell_change(home)
    return 0


async def _contacted(backend: Backend) -> tuple[Backend, Reach]:
    keys = Credentials(os.environ)
    if not backend.protocols:
        backend = msgspec.structs.replace(backend, protocols=await detect(backend, keys))
    print("   ".join(summary(backend)))
    contact = await reach(backend, keys)
    for line in contact.text.splitlines():
        print(f"  {line}")
    return backend, contact


def save(home: Home, before: Backend | None, backend: Backend) -> None:
    """Save a backend that was made from `before`. Raises CommandError when another command changed it meanwhile."""
    with home.lock():
        if present(home, backend.name) != before:
            raise CommandError(f"another command changed {backend.name} meanwhile.", "Give this one again.")
        backends.save(home, backend)


def present(home: Home, name: str) -> Backend | None:
    """The backend as stored, None when there is none or it cannot be read: what was wrong with it no longer matters
    when it is being replaced."""
    try:
        return backends.find(home, name)
    except CommandError:
        return None


def _print_outcome(backend: Backend, contact: Reach) -> None:
    name = backend.name
    if contact.ok:
        return
    if contact.fix == "variable":
        print("Saved. Set the variable where the proxy runs; it reads its environment when it starts.")
    elif contact.fix == "source":
        print(f"Saved, but requests to it will fail until its key can be had. Try:   fairlead backend test {name}")
    elif contact.fix == "key":
        print(f"Saved, but requests to it will fail. Give another key:   fairlead backend add {name} --key-stdin")
    else:
        print(f"Saved, but it does not work now. Try again:   fairlead backend test {name}")
