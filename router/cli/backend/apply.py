"""What `backend add` and `backend set` share: read the options, check whether the backend works, save it."""

import argparse
import re

import msgspec

from router.backends import AUTH_HEADERS, PROTOCOLS, Account, AuthHeader, Backend, changes
from router.backends.changes import NeedsPermission, Outcome, Wish
from router.cli.backend import key
from router.cli.backend.commands import print_indented, print_summary
from router.cli.backend.headers import Headers, note_moved
from router.cli.backend.running_keys import RunningKeys, note_problems_there
from router.cli.common.layout import note, say
from router.cli.common.output import format_count
from router.cli.common.parser import Parser
from router.cli.common.probe_backend import ProbeResult, build_outbound, detect_protocols, probe_backend
from router.cli.common.running_proxy import tell_change
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.store.config import backends, redacted
from router.store.home.home import Home
from router.store.keys.references import find_login
from router.upstream.credentials import Credentials


def add_options(parser: Parser) -> None:
    """Add the options for a backend's URL, protocols and form of authentication."""
    parser.add_argument("--no-key", action="store_true", help="send no key")
    parser.add_argument("--auth", metavar="client", help="pass on each tool's own login instead of a key")
    parser.add_argument("--base-url", metavar="URL", help="where it is, with or without a trailing /v1")
    parser.add_argument(
        "--auth-header",
        metavar="FORM",
        help=f"how the key is sent, where not as its provider has it: {', '.join(AUTH_HEADERS)}",
    )
    parser.add_argument("--protocols", metavar="LIST", help=f"what it speaks, of {','.join(PROTOCOLS)}")
    parser.add_argument(
        "--insecure-http",
        action="store_true",
        help="allow http:// to a public address, where keys and texts can be read, and link-local addresses",
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
        auth_header=_read_auth_header(options.auth_header),
    )


def _read_auth_header(form: str | None) -> AuthHeader | None:
    """The form of the key's header that --auth-header names. Raises UsageError."""
    try:
        return None if form is None else changes.auth_header_of(form)
    except ValueError as problem:
        raise UsageError(f'--auth-header is "{form}"; expected {problem}.') from None


def parse_root(url: str, command: str, *, insecure: bool) -> str:
    """The root that --base-url names. command and insecure as for `build_wish`. Raises CommandError."""
    try:
        return changes.root_of(url, insecure=insecure)
    except NeedsPermission as problem:
        raise CommandError(
            f"{problem}.", f"{problem.step}:   {command} --base-url {problem.root} --insecure-http"
        ) from None
    except ValueError as problem:
        # The URL is not repeated: it may hold a key.
        text = re.sub(r"^it(s?) ", lambda found: "--base-url's " if found[1] else "--base-url ", str(problem))
        raise CommandError(f"{text}.") from None


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


def save_and_probe(home: Home, before: Backend | None, outcome: Outcome, headers: Headers, keys: Credentials) -> int:
    """Save a backend in place of `before`, print whether it works, and reload the running proxies. The exit code: 1
    when its key is refused."""
    backend, contact = run_async(_save_and_contact, home, before, outcome, headers, keys)
    _print_outcome(backend, contact)
    tell_change(home)
    note_problems_there(home, backend)
    return 1 if is_refused(backend, contact) else 0


async def _save_and_contact(
    home: Home, before: Backend | None, outcome: Outcome, headers: Headers, keys: Credentials
) -> tuple[Backend, ProbeResult]:
    """The backend as it was saved, and what asking it gave. In one run of trio, by whose clock a fetched key is kept:
    a password manager is asked once."""
    backend, way = outcome.backend, build_outbound(home, outcome.backend, headers.settings)
    if not backend.protocols:
        backend = msgspec.structs.replace(backend, protocols=await detect_protocols(backend, keys, way))
    # First: what is printed before an error would read as if the backend had been saved.
    try:
        backends.replace(home, before, backend)
    except CommandError as error:
        raise CommandError(f"{backend.name} was not saved: {error}", error.hint) from None
    headers.save(home)
    note_dropped(outcome)
    print_summary(backend, RunningKeys({}, keys.own))
    headers.report()
    if before is not None:
        note_moved(home, before, backend)
    for account in backend.accounts[:1]:
        key.note_foreign(backend, account, keys)
    contact = await probe_backend(backend, keys, way)
    print_indented(contact.text)
    return backend, contact


def is_refused(backend: Backend, contact: ProbeResult) -> bool:
    """True when the key of a backend is refused, by it or by fairlead; a backend without a key has none to refuse."""
    return bool(backend.accounts) and contact.fix in ("key", "own")


def note_dropped(outcome: Outcome) -> None:
    """Note that stored keys, or each tool's own login, were dropped, if they were."""
    if outcome.dropped == (changes.LOGIN,):
        note(f"note: {outcome.why}, so each tool's own login is no longer passed on.")
        note(f"      Pass it on there too:   fairlead backend set {outcome.backend.name} --auth client")
    elif outcome.dropped:
        number = len(outcome.dropped)
        keys = "the stored key was" if number == 1 else f"{format_count(number, 'stored key')} were"
        note(f"note: {outcome.why}, so {keys} dropped.")
        if outcome.backend.auth == "client":
            note(f"      Use a key again:   fairlead backend set {outcome.backend.name} --key-stdin")


def _print_outcome(backend: Backend, contact: ProbeResult) -> None:
    if not contact.ok:
        say(f"Saved{format_outcome(backend, backend.accounts[0] if backend.accounts else None, contact.fix)}")


def format_outcome(backend: Backend, account: Account | None, fix: str) -> str:
    """How it goes on after "Saved" when a first contact has failed, with the command that helps. account: whose key was
    used. fix: as in ProbeResult."""
    name, further = backend.name, account is not None and account.alias != backend.accounts[0].alias
    test = f"fairlead backend test {name}{f' --account {account.alias}' if account is not None and further else ''}"
    if fix == "variable":
        return ". Set the variable where the proxy runs; it reads its environment when it starts."
    if fix == "source":
        return f", but requests to it will fail until its key can be had. Try:   {test}"
    if fix == "key" and account is not None and (login := find_login(account.key)):
        return f", but requests with it will fail. Log in again:   fairlead login {login}"
    if fix == "key" and account is not None and further:
        return f", but requests with it will fail. Remove it:   fairlead accounts remove {name} {account.alias}"
    if fix == "key":
        return f", but requests to it will fail. Give another key:   fairlead backend add {name} --key-stdin"
    if fix == "own":
        advice = redacted.advise_key(backend, account.alias) if account is not None else ""
        return f", but requests to it will fail: fairlead does not send its own key.\n{advice}"
    return f", but not reachable right now. Try again:   {test}"
