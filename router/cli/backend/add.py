"""`fairlead backend add`: build a backend from the options, check whether it works, save it."""

import argparse
import os
import time

import msgspec

from router.backends import Backend, changes
from router.backends.changes import Outcome, Wish
from router.backends.known import KNOWN, OTHER_NAMES, known
from router.cli.backend import headers as backend_headers
from router.cli.backend import key as backend_key
from router.cli.backend.apply import add_options, build_wish, check_flags, save_and_probe
from router.cli.backend.commands import find_near_name
from router.cli.common.parser import Parser
from router.errors import CommandError
from router.store.config import backends
from router.store.home.home import open_home
from router.store.keys.own_keys import OwnKeys


def run(argv: list[str]) -> int:
    """Add a backend or change one; it is saved also when it does not answer now."""
    options = _build_parser().read(argv)
    if options.base_url is None and options.name.lower() in OTHER_NAMES and not known(options.name.lower()):
        raise _make_unknown_error(options.name)
    home = open_home(os.environ)
    name = backends.check_name(options.name)
    headers = backend_headers.read_headers(home, name, options.header)
    before = backends.present(home, name)
    keys = backend_key.open_credentials(home, headers.settings)
    return save_and_probe(home, before, _assemble(options, name, before, keys.own), headers, keys)


def _build_parser() -> Parser:
    parser = Parser(
        "backend add",
        f"Add a backend, or change one, and ask it whether it works.\nKnown names need no URL: {', '.join(KNOWN)}.",
        examples=[
            "fairlead backend add anthropic --key-stdin < key.txt",
            "fairlead backend add groq --key-env GROQ_API_KEY",
            "fairlead backend add openai --key-cmd 'pass show openai'",
            "fairlead backend add ollama",
            "fairlead backend add office --base-url http://10.0.0.7:8000 --protocols chat --no-key",
            "fairlead backend add openrouter --key-stdin --header X-Title=fairlead < key.txt",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="a known name, or one of your own with --base-url")
    backend_key.add_options(parser)
    add_options(parser)
    backend_headers.add_options(parser, removing=False)
    return parser


def _assemble(options: argparse.Namespace, name: str, before: Backend | None, own: OwnKeys) -> Outcome:
    check_flags(options)
    wish = build_wish(options, f"fairlead backend add {name}", insecure=options.insecure_http)
    root = changes.root_for(name, wish, before)
    if root is None:
        raise _make_unknown_error(name)
    # Last, because choosing a key may write it to a keyring, and the checks above may fail.
    wish = msgspec.structs.replace(wish, key=_choose_key(options, name, wish, root, before, own))
    return changes.add_backend(name, wish, root, before, now=time.time())


def _make_unknown_error(name: str) -> CommandError:
    near = OTHER_NAMES.get(name.lower()) or find_near_name(name, KNOWN)
    meant = f"Did you mean {near}? " if near else ""
    return CommandError(
        f"{name} is not a provider fairlead knows, so it needs a URL.",
        f"{meant}Known: {', '.join(KNOWN)}.\n"
        f"Another server:   fairlead backend add {name} --base-url URL --protocols chat",
    )


def _choose_key(
    options: argparse.Namespace, name: str, wish: Wish, root: str, before: Backend | None, own: OwnKeys
) -> str | None:
    """The key from the options or the terminal; None when no key is needed. Raises CommandError."""
    if wish.auth is not None:
        return None
    key = backend_key.choose_key(options, name, own)
    entry = changes.known_at(name, root)
    if (
        key is not None
        or changes.unchanged_keys(before, root) is not None
        or (entry is not None and not entry.needs_key)
    ):
        return key
    return _ask_key(name, own, optional=entry is None) or None


def _ask_key(name: str, own: OwnKeys, *, optional: bool) -> str:
    if not backend_key.has_terminal():
        raise CommandError(
            f"{name} needs a key.",
            f"From a variable:   fairlead backend add {name} --key-env VAR\n"
            f"From a file:       fairlead backend add {name} --key-stdin < key.txt"
            + ("\nWithout one:       --no-key" if optional else ""),
        )
    key = backend_key.ask(f"Key for {name} (not shown{', empty for none' if optional else ''}): ")
    return "" if optional and not key.strip() else backend_key.check(key, own)
