"""What `backend add` and `backend set` share: read the options, check whether the backend works, save it."""

import argparse
import os

import msgspec
import trio

from router.backends import PROTOCOLS, Backend, changes
from router.backends.changes import Outcome, PublicHttp, Wish
from router.cli.backend import key
from router.cli.backend.commands import summarize
from router.cli.backend.headers import Headers, note_moved
from router.cli.common.output import format_count
from router.cli.common.parser import Parser, note
from router.cli.common.probe_backend import ProbeResult, build_outbound, detect_protocols, probe_backend
from router.cli.common.running_proxy import tell_change
from router.errors import CommandError, UsageError
from router.net.client.outbound import Outbound
from router.store.config import backends
from router.store.home.home import Home
from router.upstream.credentials import Credentials


def add_options(parser: Parser) -> None:
    """Add the options for a backend's URL, protocols and form of authentication."""
    parser.add_argument("--no-key", action="store_true", help="send no key")
    parser.add_argument("--auth", metavar="client", help="pass on each tool's own login instead of a key")
    parser.add_argument("--base-url", metavar="URL", help="where it is, with or without a trailing /v1")
    parser.add_argument("--protocols", metavar="LIST", help=f"what it speaks, of {','.join(PROTOCOLS)}")
    parser.add_argument(
        "--insecure-http", action="store_true", help="allow http:// to a public address: keys and texts can be read"
    )


def build_wish(options: argparse.Namespace, command: str, *, insecure: bool) -> Wish:
    """The changes that the options ask for, except the key. command: the command line so far, for the error's remedy.
    insecure: allow http:// to a public address. Raises CommandError."""
    check_auth(options.auth)
    return Wish(
        root=None if options.base_url is None else parse_root(options.base_url, command, insecure=insecure),
        protocols=None if options.protocols is None else parse_protocols(options.protocols),
        auth="client" if options.auth is not None else "none" if options.no_key else None,
        insecure_http=options.insecure_http,
    )


def parse_root(url: str, command: str, *, insecure: bool) -> str:
    """The root that --base-url names. command and insecure as for `build_wish`. Raises CommandError."""
    try:
        return changes.root_of(url, insecure=insecure)
    except PublicHttp as problem:
        raise CommandError(
            f"{problem}.", f"Use https://, or allow it:   {command} --base-url {problem.root} --insecure-http"
        ) from None
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        raise CommandError(f"--base-url cannot be used: {problem}.") from None


def parse_protocols(named: str) -> tuple[str, ...]:
    """The protocols that --protocols names. Raises UsageError."""
    try:
        return changes.protocols_of(named.split(","))
    except ValueError as problem:
        raise UsageError(f'--protocols is "{named}"; expected {problem}.') from None


def check_flags(options: argparse.Namespace) -> list[str]:
    """The given options that choose how requests are authenticated. Raises UsageError for more than one."""
    flags = key.list_given(options)
    flags += ["--no-key"] if options.no_key else []
    flags += ["--auth client"] if options.auth is not None else []
    key.check_alone(flags)
    return flags


def check_auth(form: str | None) -> None:
    """Raise UsageError when --auth is given and not `client`."""
    if form not in (None, "client"):
        raise UsageError(f'--auth is "{form}"; expected client.')


def probe_and_save(home: Home, before: Backend | None, outcome: Outcome, headers: Headers) -> int:
    """Check whether a backend works, print the result, save it in place of `before`, and reload the running proxies."""
    note_dropped(outcome)
    backend, contact = trio.run(_probe, outcome.backend, build_outbound(home, outcome.backend.name, headers.settings))
    try:
        backends.replace(home, before, backend)
    except CommandError as error:
        # What the probe found is printed already, as if it were kept.
        raise CommandError(f"{backend.name} was not saved: {error}", error.hint) from None
    headers.save(home)
    if before is not None and before.root != backend.root:
        note_moved(home, backend.name)
    _print_outcome(backend, contact)
    tell_change(home)
    return 0


def note_dropped(outcome: Outcome) -> None:
    """Note that stored keys were dropped, if any were."""
    if outcome.dropped:
        number = len(outcome.dropped)
        keys = "the stored key was" if number == 1 else f"{format_count(number, 'stored key')} were"
        note(f"note: {outcome.why}, so {keys} dropped.")


async def _probe(backend: Backend, way: Outbound) -> tuple[Backend, ProbeResult]:
    keys = Credentials(os.environ)
    if not backend.protocols:
        backend = msgspec.structs.replace(backend, protocols=await detect_protocols(backend, keys, way))
    print("   ".join(summarize(backend)))
    contact = await probe_backend(backend, keys, way)
    for line in contact.text.splitlines():
        print(f"  {line}")
    return backend, contact


def _print_outcome(backend: Backend, contact: ProbeResult) -> None:
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
