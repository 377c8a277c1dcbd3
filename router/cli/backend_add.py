"""`fairlead backend add`: put a backend together, ask it whether it works, save it."""

import argparse
import os
import sys
import textwrap
import time
from typing import Literal

from router.backends import Account, Backend, Known
from router.backends.known import KNOWN, OTHER_NAMES, known, same_place
from router.cli import backend_key
from router.cli.backend_change import (
    add_options,
    check_auth,
    note_dropped,
    present,
    protocols_of,
    rekeyed,
    root_of,
    settle,
    vendor_for,
)
from router.cli.parser import Parser, nearest
from router.errors import CommandError
from router.store import backends
from router.store.home import open_home
from router.store.secrets import check_key


def run(argv: list[str]) -> int:
    """Add a backend or change one; it is saved also when it does not answer now."""
    options = _parser().read(argv)
    if options.base_url is None and options.name.lower() in OTHER_NAMES and not known(options.name.lower()):
        raise _unknown(options.name)
    home = open_home(os.environ)
    name = backends.check_name(options.name)
    before = present(home, name)
    return settle(home, before, _assemble(options, name, before))


def _parser() -> Parser:
    parser = Parser(
        "backend add",
        "Add a backend, or change one, and ask it whether it works.\n"
        + textwrap.fill(f"Known names need no URL: {', '.join(KNOWN)}.", 78),
        examples=[
            "fairlead backend add anthropic --key-stdin < key.txt",
            "fairlead backend add groq --key-env GROQ_API_KEY",
            "fairlead backend add openai --key-cmd 'pass show openai'",
            "fairlead backend add ollama",
            "fairlead backend add office --base-url http://10.0.0.7:8000 --protocols chat --no-key",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="a known name, or one of your own with --base-url")
    backend_key.add_options(parser)
    add_options(parser)
    return parser


def _assemble(options: argparse.Namespace, name: str, before: Backend | None) -> Backend:
    root = _root(options, name, before)
    vendor = vendor_for(name, root)
    entry = known(vendor)
    # A key belongs to the place it was given for.
    kept = before if before is not None and same_place(before.root, root) else None
    # Before the key, which may be put into a keyring.
    protocols = _protocols(options.protocols, entry, kept)
    auth, accounts = _credentials(options, name, entry, kept)
    if before is not None and kept is None:
        note_dropped(before.accounts, "the base URL changed")
    return Backend(
        name=name,
        root=root,
        protocols=protocols,
        vendor=vendor,
        auth=auth,
        accounts=accounts,
        enabled=kept.enabled if kept else True,
        added=before.added if before else time.time(),
        insecure_http=options.insecure_http or (kept.insecure_http if kept else False),
    )


def _root(options: argparse.Namespace, name: str, before: Backend | None) -> str:
    if options.base_url is not None:
        return root_of(options.base_url, f"fairlead backend add {name}", insecure=options.insecure_http)
    if before is not None:
        return before.root
    entry = known(name)
    if entry is None:
        raise _unknown(name)
    return entry.root


def _unknown(name: str) -> CommandError:
    near = OTHER_NAMES.get(name.lower()) or nearest(name, KNOWN)
    meant = f"Did you mean {near}? " if near else ""
    return CommandError(
        f"{name} is not a provider fairlead knows, so it needs a URL.",
        f"{meant}Known: {', '.join(KNOWN)}.\n"
        f"Another server:   fairlead backend add {name} --base-url URL --protocols chat",
    )


def _protocols(named: str | None, entry: Known | None, kept: Backend | None) -> tuple[str, ...]:
    """The protocols named, else those known; () when they must be found out."""
    if named is not None:
        return protocols_of(named)
    return kept.protocols if kept else entry.protocols if entry else ()


def _credentials(
    options: argparse.Namespace, name: str, entry: Known | None, kept: Backend | None
) -> tuple[Literal["key", "client", "none"], tuple[Account, ...]]:
    """How requests are authenticated: the form and the accounts."""
    flags = backend_key.given(options)
    flags += ["--no-key"] if options.no_key else []
    flags += ["--auth client"] if options.auth is not None else []
    backend_key.check_alone(flags)
    check_auth(options.auth)
    if options.auth is not None:
        return "client", ()
    if options.no_key:
        return "none", ()
    key = backend_key.chosen(options, name)
    if key is None and kept is not None:
        return kept.auth, kept.accounts
    if key is None and entry is not None and not entry.needs_key:
        return "none", ()
    key = key or _asked_key(name, optional=entry is None)
    return ("key", rekeyed(kept.accounts if kept else (), key)) if key else ("none", ())


def _asked_key(name: str, *, optional: bool) -> str:
    if not sys.stdin.isatty():
        raise CommandError(
            f"{name} needs a key.",
            f"From a variable:   fairlead backend add {name} --key-env VAR\n"
            f"From a file:       fairlead backend add {name} --key-stdin < key.txt"
            + ("\nWithout one:       --no-key" if optional else ""),
        )
    key = backend_key.ask(f"Key for {name} (not shown{', empty for none' if optional else ''}): ")
    return "" if optional and not key.strip() else check_key(key)
