"""`fairlead accounts`: several keys of one backend, which form its pool."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from router.backends import Account, Backend, changes
from router.backends.changes import Outcome, Unfit
from router.cli.backend import key as backend_key
from router.cli.backend.commands import (
    check_stored_name,
    find_backend,
    make_unknown_account_error,
    make_unknown_backend_error,
    note_entries,
    print_indented,
)
from router.cli.backend.running_keys import RunningKeys, note_problems_there
from router.cli.common.group import run_group
from router.cli.common.layout import find_width, format_table, say
from router.cli.common.parser import Parser
from router.errors import CommandError
from router.store.config import backends
from router.store.home.home import Home, open_home
from router.store.keys.own_keys import OwnKeys

if TYPE_CHECKING:
    from router.upstream.credentials import Credentials

_COMMANDS = {
    "add": ("router.cli.accounts.commands:run_add", "store a further key of a backend"),
    "list": ("router.cli.accounts.list:run", "show the accounts"),
    "remove": ("router.cli.accounts.commands:run_remove", "remove an account and its key"),
}
_EXAMPLES = ("fairlead accounts add groq work --key-env WORK_GROQ_KEY", "fairlead accounts list")


def run(argv: list[str]) -> int:
    """Run one of the account commands."""
    return run_group(
        "accounts",
        _COMMANDS,
        argv,
        examples=_EXAMPLES,
    )


def run_add(argv: list[str]) -> int:
    """Store a key as a further account of a backend; it is saved also when it is refused now."""
    parser = Parser(
        "accounts add",
        "Store a further key of a backend, and ask the backend whether it takes it. All its accounts serve: a "
        "conversation stays with one, and what one cannot serve goes to the next.",
        examples=[
            "fairlead accounts add groq work --key-env WORK_GROQ_KEY",
            "fairlead accounts add anthropic home --key-cmd 'pass show anthropic/home'",
        ],
    )
    parser.add_argument("backend", metavar="BACKEND", help="the backend")
    parser.add_argument("alias", metavar="ALIAS", help="what to call the account")
    backend_key.add_options(parser)
    options = parser.read(argv)
    backend_key.check_alone(backend_key.list_given(options))
    home = open_home(os.environ)
    before = find_backend(home, options.backend)
    alias = backends.check_alias(options.alias)
    _check_place(before, alias)
    keys = backend_key.open_credentials(home)
    key = backend_key.choose_key(options, f"{before.name}.{alias}", keys.own) or _ask_key(before.name, alias, keys.own)
    return add_and_probe(home, before, Account(alias, key), keys)


def _check_place(backend: Backend, alias: str) -> None:
    try:
        changes.check_place(backend, alias)
    except Unfit as problem:
        raise _make_unfit_error(problem, backend, alias) from None


def _make_unfit_error(problem: Unfit, backend: Backend, alias: str) -> CommandError:
    if problem.kind == "login":
        return CommandError(str(problem), f"Have it use a key:   fairlead backend set {backend.name} --key-stdin")
    if problem.kind == "taken":
        return CommandError(str(problem), f"Remove it first:   fairlead accounts remove {backend.name} {alias}")
    return make_unknown_account_error(backend, alias)


def _change(home: Home, name: str, alias: str, make: Callable[[Backend], Outcome]) -> Outcome:
    """Change the accounts of a backend as it is stored now, which may differ from what was read before. Raises
    CommandError."""
    outcomes: list[Outcome] = []

    def made(before: Backend | None) -> Backend:
        if before is None:
            raise make_unknown_backend_error(home, name)
        try:
            outcomes.append(make(before))
        except Unfit as problem:
            raise _make_unfit_error(problem, before, alias) from None
        return outcomes[0].backend

    backends.change(home, name, made)
    return outcomes[0]


def _ask_key(name: str, alias: str, own: OwnKeys) -> str:
    if not backend_key.has_terminal():
        raise CommandError(
            f"the account {alias} needs a key.",
            f"From a variable:   fairlead accounts add {name} {alias} --key-env VAR\n"
            f"From a file:       fairlead accounts add {name} {alias} --key-stdin < key.txt",
        )
    return backend_key.check(backend_key.ask(f"Key for {name}/{alias} (not shown): "), own)


def add_and_probe(home: Home, before: Backend, account: Account, keys: "Credentials") -> int:
    """Save an account, and ask its backend whether it takes the key. The exit code: 1 when it does not. Raises
    CommandError."""
    # First: what is printed before an error would read as if the account had been saved.
    saved = _change(home, before.name, account.alias, lambda now: Outcome(changes.add_account(now, account))).backend
    return probe_account(home, saved, account, keys)


def probe_account(home: Home, saved: Backend, account: Account, keys: "Credentials") -> int:
    """Ask the backend of an account that was saved whether it takes the key, and have the running proxies use it. The
    exit code: as for `add_and_probe`."""
    from router.cli.backend.apply import format_outcome, is_refused
    from router.cli.common.probe_backend import build_outbound, probe_backend
    from router.cli.common.running_proxy import tell_change
    from router.host.event_loop import run_async

    described = RunningKeys({}, keys.own).describe(saved, account)
    print("\n".join(format_table([(f"{saved.name}/{account.alias}", described)], width=find_width())))
    backend_key.note_foreign(saved, account, keys)
    alone = msgspec.structs.replace(saved, accounts=(account,))
    contact = run_async(probe_backend, alone, keys, build_outbound(home, alone))
    print_indented(contact.text)
    if contact.ok:
        say(f"Saved. {_format_serving(saved)}")
    else:
        say(f"Saved{format_outcome(saved, account, contact.fix)}")
    tell_change(home)
    note_problems_there(home, saved)
    return 1 if is_refused(alone, contact) else 0


def _format_serving(backend: Backend) -> str:
    return f"Accounts in use: {', '.join(account.alias for account in backend.accounts)}."


def run_remove(argv: list[str]) -> int:
    """Remove an account with its key."""
    parser = Parser(
        "accounts remove",
        "Remove an account and its key.",
        examples=["fairlead accounts remove groq work"],
    )
    parser.add_argument("backend", metavar="BACKEND", help="the backend")
    parser.add_argument("alias", metavar="ALIAS", help="the account")
    options = parser.read(argv)
    home = open_home(os.environ)
    name, alias = check_stored_name(options.backend), options.alias.lower()
    outcome = _change(home, name, alias, lambda before: changes.remove_account(before, alias))

    from router.cli.common.running_proxy import tell_change

    say(f"Removed {name}/{alias}.")
    note_entries(outcome.dropped)
    if outcome.backend.accounts:
        say(_format_serving(outcome.backend))
    else:
        say(f"{name} has no key left. Give one:   fairlead accounts add {name} ALIAS --key-stdin")
    tell_change(home)
    return 0
