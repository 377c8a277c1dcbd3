"""`fairlead backend set`, `enable`, `disable`: change a backend that is there."""

import argparse
import os
from typing import Any

import msgspec

from router.backends import Backend
from router.backends.known import same_place
from router.cli import backend_key
from router.cli.backend import unknown
from router.cli.backend_change import (
    add_options,
    check_auth,
    note_dropped,
    protocols_of,
    rekeyed,
    root_of,
    save,
    settle,
    vendor_for,
)
from router.cli.parser import Parser
from router.cli.running import tell_change
from router.errors import UsageError
from router.store import backends
from router.store.home import Home, open_home


def run(argv: list[str]) -> int:
    """Change what the options name, and ask the backend whether it works."""
    options = _parser().read(argv)
    home = open_home(os.environ)
    before = _found(home, options.name)
    return settle(home, before, _changed(options, before))


def _parser() -> Parser:
    parser = Parser(
        "backend set",
        "Change a backend: only what is named changes. A new base URL drops the stored keys, as they were given for\n"
        "another place. A new key replaces that of the first account.",
        examples=[
            "fairlead backend set groq --key-env GROQ_API_KEY",
            "fairlead backend set office --base-url http://10.0.0.8:8000 --protocols chat,responses",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="the backend")
    backend_key.add_options(parser)
    add_options(parser)
    return parser


def _changed(options: argparse.Namespace, before: Backend) -> Backend:
    flags = backend_key.given(options)
    flags += ["--no-key"] if options.no_key else []
    flags += ["--auth client"] if options.auth is not None else []
    backend_key.check_alone(flags)
    check_auth(options.auth)
    if not (flags or options.base_url is not None or options.protocols is not None or options.insecure_http):
        raise UsageError("nothing to set was named.", "See:   fairlead backend set --help")
    changes: dict[str, Any] = {"insecure_http": True} if options.insecure_http else {}
    if options.protocols is not None:
        changes["protocols"] = protocols_of(options.protocols)
    root = _root(options, before)
    changes |= {"root": root, "vendor": vendor_for(before.name, root)}
    key = backend_key.chosen(options, before.name)
    accounts = before.accounts
    if not same_place(before.root, root):
        note_dropped(accounts, "the base URL changed")
        accounts = ()
    if options.no_key or options.auth is not None:
        note_dropped(accounts, "no key is needed now")
        changes["auth"] = "none" if options.no_key else "client"
        accounts = ()
    elif key is not None:
        changes["auth"] = "key"
        accounts = rekeyed(accounts, key)
    return msgspec.structs.replace(before, accounts=accounts, **changes)


def _root(options: argparse.Namespace, before: Backend) -> str:
    if options.base_url is None:
        return before.root
    insecure = options.insecure_http or before.insecure_http
    return root_of(options.base_url, f"fairlead backend set {before.name}", insecure=insecure)


def run_enable(argv: list[str]) -> int:
    """Have a backend serve again."""
    return _switch("enable", "Have a backend serve again after `backend disable`.", argv, on=True)


def run_disable(argv: list[str]) -> int:
    """Have a backend take no new request; it stays stored."""
    about = "Have a backend take no new request. It stays stored with its keys, until `backend enable`."
    return _switch("disable", about, argv, on=False)


def _switch(verb: str, about: str, argv: list[str], *, on: bool) -> int:
    parser = Parser(f"backend {verb}", about, examples=[f"fairlead backend {verb} groq"])
    parser.add_argument("name", metavar="NAME", help="the backend")
    home = open_home(os.environ)
    before = _found(home, parser.read(argv).name)
    if before.enabled == on:
        print(f"{before.name} is {verb}d already.")
        return 0
    save(home, before, msgspec.structs.replace(before, enabled=on))
    print(f"{verb.capitalize()}d {before.name}.")
    tell_change(home)
    return 0


def _found(home: Home, named: str) -> Backend:
    name = backends.check_name(named)
    backend = backends.find(home, name)
    if backend is None:
        raise unknown(home, name)
    return backend
