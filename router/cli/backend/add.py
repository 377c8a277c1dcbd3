"""`fairlead backend add`: build a backend from the options, check whether it works, save it."""

import argparse
import contextlib
import os
import sys
import time

import msgspec

from router.backends import Backend, Known, changes
from router.backends.changes import Outcome, Wish
from router.backends.known import KNOWN, OTHER_NAMES, known, same_host, vendor_of
from router.backends.old_roots import RETIRED
from router.cli.backend import headers as backend_headers
from router.cli.backend import key as backend_key
from router.cli.backend import variables as backend_variables
from router.cli.backend.apply import add_options, build_wish, check_flags, save_and_probe
from router.cli.backend.commands import find_near_name
from router.cli.common.layout import note, say
from router.cli.common.offers import NOTHING_FOUND, find_key_variable, find_offers, format_offers, offer_servers
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.net.control import local_servers
from router.net.control.local_servers import find_local_servers
from router.store.config import backends, toml
from router.store.home.home import Home, open_home
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import to_variable


def run(argv: list[str]) -> int:
    """Add a backend or change one; it is saved also when it does not answer now. Without a name: show what could be
    added."""
    options = read_options(argv)
    home = open_home(os.environ)
    if options.name is None:
        if argv:
            raise UsageError(
                "no backend is named.",
                "Name it:               fairlead backend add NAME\nWhat could be added:   fairlead backend add",
            )
        return _show_offers(home)
    code = add(home, options)
    if code == 0 and sys.stdout.isatty():
        _show_others(home)
    return code


def read_options(argv: list[str]) -> argparse.Namespace:
    """The options of the command. Raises UsageError."""
    return _build_parser().read(argv)


def add(home: Home, options: argparse.Namespace, key: str | None = None) -> int:
    """Add a backend or change one, and print whether it works; the exit code. options: of `read_options`, with a name.
    key: one that was asked for already, in the place of what the options name. Raises CommandError."""
    if options.base_url is None and options.name.lower() in OTHER_NAMES and not known(options.name.lower()):
        raise _make_unknown_error(options.name)
    name = backends.check_name(options.name)
    headers = backend_headers.read_headers(home, name, options.header)
    before = backends.present(home, name)
    keys = backend_key.open_credentials(home, headers.settings)
    if before is None and options.base_url is None and name in local_servers.PORTS:
        options.base_url = _find_base_url(name)
    return save_and_probe(home, before, _assemble(options, name, before, keys.own, key), headers, keys)


def _find_base_url(name: str) -> str | None:
    """The address at which a local server answers, where that is not its usual one."""
    entry, ports = KNOWN[name], {name: local_servers.PORTS[name]}
    for server in run_async(find_local_servers, ports, local_servers.PATIENT_SECONDS):
        if server.root != entry.root:
            note(f"note: {entry.title} answers at {server.root}, and not at its usual {entry.root}.")
            return server.root
    return None


def _show_offers(home: Home) -> int:
    offers = find_offers(home, read_settings(home), os.environ)
    if offers:
        say("Found here, and not added:")
        print("\n".join(format_offers(offers)))
    else:
        say(NOTHING_FOUND)
    say(f"Known providers: {', '.join(KNOWN)}.")
    say("Add one:   fairlead backend add NAME")
    say("Another server:   fairlead backend add NAME --base-url URL")
    return 0


def _show_others(home: Home) -> None:
    """Offer the other local servers, once the one that was asked for is there."""
    with contextlib.suppress(CommandError):
        others = offer_servers(home, toml.load(home, os.environ).settings, local_servers.SECONDS)
        if others:
            say("Also found here:")
            print("\n".join(format_offers(others)))


def _build_parser() -> Parser:
    parser = Parser(
        "backend add",
        f"Add a backend, or change one, and ask it whether it works.\nKnown names need no URL: {', '.join(KNOWN)}.",
        examples=[
            "fairlead backend add",
            "fairlead backend add anthropic --key-stdin < key.txt",
            "fairlead backend add groq --key-env GROQ_API_KEY",
            "fairlead backend add openai --key-cmd 'pass show openai'",
            "fairlead backend add ollama",
            "fairlead backend add bedrock --region us-east-1",
            "fairlead backend add vertex --project my-project-123 --location global",
            "fairlead backend add azure --resource my-resource --key-stdin < key.txt",
            "fairlead backend add office --base-url http://10.0.0.7:8000 --protocols chat --no-key",
            "fairlead backend add openrouter --key-stdin --header X-Title=fairlead < key.txt",
        ],
    )
    parser.add_argument(
        "name",
        metavar="NAME",
        nargs="?",
        help="a known name, or one of your own with --base-url; without it, show what could be added",
    )
    backend_key.add_options(parser)
    add_options(parser)
    backend_variables.add_options(parser)
    backend_headers.add_options(parser, removing=False)
    return parser


def _assemble(options: argparse.Namespace, name: str, before: Backend | None, own: OwnKeys, key: str | None) -> Outcome:
    check_flags(options)
    wish = build_wish(options, f"fairlead backend add {name}", insecure=options.insecure_http)
    found = backend_variables.choose_variables(options, name, wish.root, before)
    wish = msgspec.structs.replace(wish, variables=found)
    root = changes.root_for(name, wish, before)
    if root is None:
        raise _make_unknown_error(name)
    entry = changes.known_at(name, root, wish.variables)
    if entry is not None and root in entry.former_roots:
        note(f"note: {entry.title} has moved to {entry.root}, and this address may end.")
    if before is None and entry is not None and entry.key_needs and wish.auth is None:
        note(f"note: {entry.key_needs}.")
    # Last, because choosing a key may write it to a keyring, and the checks above may fail.
    wish = msgspec.structs.replace(wish, key=key or _choose_key(options, name, wish, root, before, own))
    return changes.add_backend(name, wish, root, before, now=time.time())


def _make_unknown_error(name: str) -> CommandError:
    if name.lower() in RETIRED:
        return CommandError(f"{name} cannot be added: {RETIRED[name.lower()]}.")
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
    entry = changes.known_at(name, root, wish.variables)
    if (
        key is not None
        or changes.unchanged_keys(before, root) is not None
        or (entry is not None and not entry.needs_key)
    ):
        return key
    # A key for one place is not offered for another.
    official = entry is not None and (same_host(root, entry.root) or vendor_of(root) == entry.name)
    variable = find_key_variable(entry, os.environ, own) if entry is not None and official else ""
    return _ask_key(name, own, variable, entry) or None


def _ask_key(name: str, own: OwnKeys, variable: str, entry: Known | None) -> str:
    """The key that is typed, or the variable that holds one. variable: "" for none. entry: the provider, None where it
    is not known, which may need no key."""
    optional, command = entry is None, entry.key_command if entry is not None else ""
    cloud = entry.key_cloud if entry is not None else ""
    if not backend_key.has_terminal():
        raise CommandError(
            f"{name} needs a key.",
            f"From a variable:   fairlead backend add {name} --key-env {variable or 'VAR'}\n"
            f"From a file:       fairlead backend add {name} --key-stdin < key.txt"
            + (f"\nFrom a command:    fairlead backend add {name} --key-cmd '{command}'" if command else "")
            + (f"\nFrom credentials:  fairlead backend add {name} --key-cloud {cloud}" if cloud else "")
            + ("\nWithout one:       --no-key" if optional else ""),
        )
    empty = f", empty for ${variable}" if variable else ", empty for none" if optional else ""
    key = backend_key.ask(f"Key for {name} (not shown{empty}): ")
    if not key.strip() and variable:
        return to_variable(variable)
    return "" if optional and not key.strip() else backend_key.check(key, own)
