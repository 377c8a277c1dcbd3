"""`fairlead backend add`: put a backend together, ask it whether it works, save it."""

import argparse
import getpass
import os
import sys
import textwrap
import time
from typing import Literal

import msgspec
import trio

from router.backends import PROTOCOLS, Account, Backend, Known
from router.backends.known import (
    KNOWN,
    api_root,
    host_of,
    is_https,
    known,
    plain_http_allowed,
    vendor_of,
)
from router.cli.backend import summary
from router.cli.parser import Parser, nearest, note
from router.cli.reach import Reach, detect, reach
from router.cli.running import tell_change
from router.errors import CommandError, UsageError
from router.store import backends
from router.store.home import Home, open_home
from router.store.secrets import KEY_LIMIT, check_key, check_variable

_ALIAS = "default"


def run(argv: list[str]) -> int:
    """Add a backend or change one; it is saved also when it does not answer now."""
    options = _parser().read(argv)
    home = open_home(os.environ)
    name = backends.check_name(options.name)
    backend = _assemble(options, name, _present(home, name))
    if not backend.protocols:
        backend = msgspec.structs.replace(backend, protocols=trio.run(detect, backend, os.environ))
    print("   ".join(summary(backend)))
    contact = trio.run(reach, backend, os.environ)
    for line in contact.text.splitlines():
        print(f"  {line}")
    with home.lock():
        before = _present(home, name)
        added = before.added if before else time.time()
        backends.save(home, msgspec.structs.replace(backend, added=added))
    _print_outcome(backend, contact)
    tell_change(home)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "backend add",
        "Add a backend, or change one, and ask it whether it works.\n"
        + textwrap.fill(f"Known names need no URL: {', '.join(KNOWN)}.", 78),
        examples=[
            "fairlead backend add anthropic --key-stdin < key.txt",
            "fairlead backend add groq --key-env GROQ_API_KEY",
            "fairlead backend add ollama",
            "fairlead backend add office --base-url http://10.0.0.7:8000 --protocols chat --no-key",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="a known name, or one of your own with --base-url")
    parser.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
    parser.add_argument(
        "--key-env", metavar="VAR", help="take the key from this environment variable when it is needed"
    )
    parser.add_argument("--no-key", action="store_true", help="send no key")
    parser.add_argument("--key", metavar="KEY", help="the key itself; other users can read it, prefer --key-stdin")
    parser.add_argument("--auth", metavar="client", help="pass on each tool's own login instead of a key")
    parser.add_argument("--base-url", metavar="URL", help="where it is, with or without a trailing /v1")
    parser.add_argument("--protocols", metavar="LIST", help=f"what it speaks, of {','.join(PROTOCOLS)}")
    parser.add_argument(
        "--insecure-http", action="store_true", help="allow http:// to a public address: keys and texts can be read"
    )
    return parser


def _present(home: Home, name: str) -> Backend | None:
    try:
        return backends.find(home, name)
    except CommandError:
        # It is being replaced; what was wrong with it no longer matters.
        return None


def _assemble(options: argparse.Namespace, name: str, before: Backend | None) -> Backend:
    root = _root(options, name, before)
    vendor = name if known(name) else vendor_of(root)
    entry = known(vendor)
    # A key belongs to the place it was given for.
    kept = before if before is not None and before.root == root else None
    if before is not None and before.accounts and kept is None:
        note("note: the base URL changed, so the stored key was dropped.")
    auth, accounts = _credentials(options, name, entry, kept)
    return Backend(
        name=name,
        root=root,
        protocols=_protocols(options.protocols, entry, kept),
        vendor=vendor,
        auth=auth,
        accounts=accounts,
        enabled=kept.enabled if kept else True,
        insecure_http=options.insecure_http or (kept.insecure_http if kept else False),
    )


def _root(options: argparse.Namespace, name: str, before: Backend | None) -> str:
    if options.base_url is None:
        entry = known(name)
        if before is not None:
            return before.root
        if entry is None:
            raise _unknown(name)
        return entry.root
    try:
        root = api_root(options.base_url)
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        raise CommandError(f"--base-url cannot be used: {problem}.") from None
    if not (is_https(root) or options.insecure_http or plain_http_allowed(host_of(root))):
        raise CommandError(
            f"{host_of(root)} is a public address, and http:// would show keys and texts to everyone on the way.",
            f"Use https://, or allow it:   fairlead backend add {name} --base-url {root} --insecure-http",
        )
    return root


def _unknown(name: str) -> CommandError:
    near = nearest(name, KNOWN)
    meant = f"Did you mean {near}? " if near else ""
    return CommandError(
        f"{name} is not a provider fairlead knows, so it needs a URL.",
        f"{meant}Known: {', '.join(KNOWN)}.\n"
        f"Another server:   fairlead backend add {name} --base-url URL --protocols chat",
    )


def _protocols(named: str | None, entry: Known | None, kept: Backend | None) -> tuple[str, ...]:
    """The protocols named, else those known; () when they must be found out."""
    if named is None:
        return kept.protocols if kept else entry.protocols if entry else ()
    asked = {part.strip().lower() for part in named.split(",") if part.strip()}
    wrong = sorted(asked - set(PROTOCOLS))
    if wrong or not asked:
        raise UsageError(f'--protocols is "{named}"; expected some of {",".join(PROTOCOLS)}.')
    return tuple(protocol for protocol in PROTOCOLS if protocol in asked)


def _credentials(
    options: argparse.Namespace, name: str, entry: Known | None, kept: Backend | None
) -> tuple[Literal["key", "client", "none"], tuple[Account, ...]]:
    """How requests are authenticated: the form and the accounts."""
    given = {
        "--key-stdin": options.key_stdin,
        "--key-env": options.key_env is not None,
        "--no-key": options.no_key,
        "--key": options.key is not None,
        "--auth client": options.auth is not None,
    }
    named = [flag for flag, used in given.items() if used]
    if len(named) > 1:
        raise UsageError(f"{named[0]} and {named[1]} exclude each other.")
    if options.auth is not None:
        if options.auth != "client":
            raise UsageError(f'--auth is "{options.auth}"; expected client.')
        return "client", ()
    if options.no_key:
        return "none", ()
    ref = _key(options)
    if ref is None and kept is not None:
        return kept.auth, kept.accounts
    if ref is None and entry is not None and not entry.needs_key:
        return "none", ()
    ref = ref or _asked_key(name, optional=entry is None)
    return ("key", (Account(_ALIAS, ref),)) if ref else ("none", ())


def _key(options: argparse.Namespace) -> str | None:
    """The key or reference that the options name, None when they name none."""
    if options.key_env is not None:
        return check_variable(options.key_env)
    if options.key is not None:
        note("warning: other users can read a command's arguments, and the shell's history keeps them.")
        note("         Next time:   --key-stdin")
        return check_key(options.key, "the key given with --key")
    if options.key_stdin:
        if sys.stdin.isatty():
            return check_key(_hidden("Key (not shown): "))
        data = sys.stdin.buffer.read(KEY_LIMIT + 1)
        return check_key(data.decode("utf-8", "replace"), "the key on standard input")
    return None


def _asked_key(name: str, *, optional: bool) -> str:
    if not sys.stdin.isatty():
        raise CommandError(
            f"{name} needs a key.",
            f"From a variable:   fairlead backend add {name} --key-env VAR\n"
            f"From a file:       fairlead backend add {name} --key-stdin < key.txt"
            + ("\nWithout one:       --no-key" if optional else ""),
        )
    key = _hidden(f"Key for {name} (not shown{', empty for none' if optional else ''}): ")
    return "" if optional and not key.strip() else check_key(key)


def _hidden(prompt: str) -> str:
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise CommandError("no key was given.") from None


def _print_outcome(backend: Backend, contact: Reach) -> None:
    name = backend.name
    if contact.ok:
        return
    if contact.fix == "variable":
        print("Saved. Set the variable where the proxy runs; it reads its environment when it starts.")
    elif contact.fix == "key":
        print(f"Saved, but requests to it will fail. Give another key:   fairlead backend add {name} --key-stdin")
    else:
        print(f"Saved, but it does not work now. Try again:   fairlead backend test {name}")
