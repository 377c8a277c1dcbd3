"""`fairlead backend set`, `enable` and `disable`: change an existing backend."""

import argparse
import os

import msgspec

from router.backends import Backend, changes
from router.backends.changes import Outcome, Wish
from router.cli.backend import headers as backend_headers
from router.cli.backend import key
from router.cli.backend import variables as backend_variables
from router.cli.backend.apply import add_options, build_wish, check_flags, save_and_probe
from router.cli.backend.commands import find_backend, make_unknown_backend_error
from router.cli.backend.headers import has_options
from router.cli.common.layout import say
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import tell_change
from router.errors import UsageError
from router.store.config import backends
from router.store.home.home import open_home
from router.store.keys.own_keys import OwnKeys


def run(argv: list[str]) -> int:
    """Change what the options name, and check whether the backend works."""
    options = _build_parser().read(argv)
    home = open_home(os.environ)
    before = find_backend(home, options.name)
    headers = backend_headers.read_headers(home, before.name, options.header, options.remove_header)
    keys = key.open_credentials(home, headers.settings)
    return save_and_probe(home, before, _build_change(options, before, keys.own), headers, keys)


def _build_parser() -> Parser:
    parser = Parser(
        "backend set",
        "Change a backend: only what is named changes. A new base URL drops the stored keys, as they were given for "
        "another place. A new key replaces that of the first account.",
        examples=[
            "fairlead backend set groq --key-env GROQ_API_KEY",
            "fairlead backend set office --base-url http://10.0.0.8:8000 --protocols chat,responses",
            "fairlead backend set bedrock --region eu-west-1 --key-stdin",
            "fairlead backend set office --header X-Team=tools --remove-header X-Title",
        ],
    )
    parser.add_argument("name", metavar="NAME", help="the backend")
    key.add_options(parser)
    add_options(parser)
    backend_variables.add_options(parser)
    backend_headers.add_options(parser, removing=True)
    return parser


def _build_change(options: argparse.Namespace, before: Backend, own: OwnKeys) -> Outcome:
    named = (options.base_url, options.protocols, options.auth_header)
    places = backend_variables.has_variables(options)
    given = any(one is not None for one in named) or places or options.insecure_http or has_options(options)
    if not (check_flags(options) or given):
        raise UsageError("nothing to change: no option was given.", "See:   fairlead backend set --help")
    insecure = options.insecure_http or before.insecure_http
    wish = build_wish(options, f"fairlead backend set {before.name}", insecure=insecure)
    if places:
        found = backend_variables.choose_variables(options, before.vendor or before.name, wish.root, before)
        wish = msgspec.structs.replace(wish, variables=found)
    if wish.auth is None:
        # Last, because choosing a key may write it to a keyring, and the checks above may fail.
        wish = msgspec.structs.replace(wish, key=key.choose_key(options, before.name, own))
    return changes.change_backend(before, wish)


def run_enable(argv: list[str]) -> int:
    """Enable a backend."""
    return _switch("enable", "Enable a backend again after `backend disable`.", argv, on=True)


def run_disable(argv: list[str]) -> int:
    """Disable a backend: it gets no new requests and stays stored."""
    about = "Send a backend no new requests. It stays stored with its keys, until `backend enable`."
    return _switch("disable", about, argv, on=False)


def _switch(verb: str, about: str, argv: list[str], *, on: bool) -> int:
    parser = Parser(f"backend {verb}", about, examples=[f"fairlead backend {verb} groq"])
    parser.add_argument("name", metavar="NAME", help="the backend")
    home = open_home(os.environ)
    found = find_backend(home, parser.read(argv).name)
    if found.enabled == on:
        say(f"{found.name} is already {verb}d.")
        return 0

    def make(before: Backend | None) -> Backend:
        if before is None:
            raise make_unknown_backend_error(home, found.name)
        return changes.change_backend(before, Wish(enabled=on)).backend

    backends.change(home, found.name, make)
    say(f"{verb.capitalize()}d {found.name}.")
    tell_change(home)
    return 0
