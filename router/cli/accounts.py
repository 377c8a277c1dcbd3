"""`fairlead accounts`: several keys of one backend. Until there is a pool, the first one serves."""

import json
import os
from collections.abc import Callable

import msgspec

from router.backends import Account, Backend, changes
from router.backends.changes import Outcome, Unfit
from router.cli import backend_key
from router.cli.backend import no_account, note_entries, unknown
from router.cli.group import run_group
from router.cli.parser import Parser, note
from router.cli.text import note_problems, table
from router.errors import CommandError
from router.store import backends, outline
from router.store.home import Home, open_home
from router.store.references import describe

_COMMANDS = {
    "add": ("router.cli.accounts:run_add", "store a further key of a backend"),
    "list": ("router.cli.accounts:run_list", "show the accounts, and which one serves"),
    "remove": ("router.cli.accounts:run_remove", "remove an account and its key"),
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
        "Store a further key of a backend, and ask the backend whether it takes it. The first account serves.",
        examples=[
            "fairlead accounts add groq work --key-env WORK_GROQ_KEY",
            "fairlead accounts add anthropic home --key-cmd 'pass show anthropic/home'",
        ],
    )
    parser.add_argument("backend", metavar="BACKEND", help="the backend")
    parser.add_argument("alias", metavar="ALIAS", help="what to call the account")
    backend_key.add_options(parser)
    options = parser.read(argv)
    backend_key.check_alone(backend_key.given(options))
    home = open_home(os.environ)
    before = _found(home, options.backend)
    alias = backends.check_alias(options.alias)
    _check_place(before, alias)
    key = backend_key.chosen(options, f"{before.name}.{alias}") or _asked_key(before.name, alias)
    return _add(home, before, Account(alias, key))


def _check_place(backend: Backend, alias: str) -> None:
    try:
        changes.check_place(backend, alias)
    except Unfit as problem:
        raise _unfit(problem, backend, alias) from None


def _unfit(problem: Unfit, backend: Backend, alias: str) -> CommandError:
    if problem.kind == "login":
        return CommandError(str(problem), f"Have it use a key:   fairlead backend set {backend.name} --key-stdin")
    if problem.kind == "taken":
        return CommandError(str(problem), f"Remove it first:   fairlead accounts remove {backend.name} {alias}")
    return no_account(backend, alias)


def _change(home: Home, name: str, alias: str, make: Callable[[Backend], Outcome]) -> Outcome:
    """Change the accounts of a backend, whatever others changed of it meanwhile. Raises CommandError."""
    outcomes: list[Outcome] = []

    def made(before: Backend | None) -> Backend:
        if before is None:
            raise unknown(home, name)
        try:
            outcomes.append(make(before))
        except Unfit as problem:
            raise _unfit(problem, before, alias) from None
        return outcomes[0].backend

    backends.change(home, name, made)
    return outcomes[0]


def _asked_key(name: str, alias: str) -> str:
    import sys

    from router.store.secrets import check_key

    if not sys.stdin.isatty():
        raise CommandError(
            f"the account {alias} needs a key.",
            f"From a variable:   fairlead accounts add {name} {alias} --key-env VAR\n"
            f"From a file:       fairlead accounts add {name} {alias} --key-stdin < key.txt",
        )
    return check_key(backend_key.ask(f"Key for {name}/{alias} (not shown): "))


def _add(home: Home, before: Backend, account: Account) -> int:
    import trio

    from router.cli.reach import reach, way_out
    from router.cli.running import tell_change
    from router.proxy.credentials import Credentials

    print(f"{before.name}/{account.alias}   {describe(account.key, os.environ)}")
    alone = msgspec.structs.replace(before, auth="key", accounts=(account,))
    contact = trio.run(reach, alone, Credentials(os.environ), way_out(home, alone.name))
    for line in contact.text.splitlines():
        print(f"  {line}")
    saved = _change(home, before.name, account.alias, lambda now: Outcome(changes.with_account(now, account)))
    said = "Saved" if contact.ok else "Saved, but it does not work now"
    print(f"{said}. The account that serves is {saved.backend.accounts[0].alias}.")
    tell_change(home)
    return 0


def run_list(argv: list[str]) -> int:
    """Show the accounts; exit code 1 when a backend could not be read."""
    parser = Parser(
        "accounts list",
        "Show the accounts of all backends, or of one, and which one serves.",
        examples=["fairlead accounts list", "fairlead accounts list groq --json"],
    )
    parser.add_argument("backend", metavar="BACKEND", nargs="?", help="the backend (default: all)")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    found, problems = backends.load(home) if options.backend is None else ((_found(home, options.backend),), ())
    if options.json:
        listed = {
            "accounts": [
                {"backend": backend.name, **entry}
                for backend in found
                for entry in outline.plain_accounts(backend, os.environ)
            ],
            "problems": [{"backend": problem.name, "message": problem.message} for problem in problems],
        }
        print(json.dumps(listed, indent=2))
    else:
        _print(found)
    note_problems(problems)
    return 1 if problems else 0


def _print(found: tuple[Backend, ...]) -> None:
    rows = [
        (backend.name, account.alias, describe(account.key, os.environ), _state(backend, account))
        for backend in found
        for account in backend.accounts
    ]
    if not rows:
        print("No accounts. Add one:   fairlead accounts add BACKEND ALIAS --key-stdin")
        return
    print("\n".join(table(rows)))
    if any(len(backend.accounts) > 1 for backend in found):
        note("note: this version uses the first account of a backend; the others are stored and wait.")


def _state(backend: Backend, account: Account) -> str:
    if not backend.enabled:
        return "backend disabled"
    return "serves" if account is backend.accounts[0] else "waits"


def run_remove(argv: list[str]) -> int:
    """Remove an account with its key."""
    parser = Parser(
        "accounts remove",
        "Remove an account and its key. When it was the first, the next one serves.",
        examples=["fairlead accounts remove groq work"],
    )
    parser.add_argument("backend", metavar="BACKEND", help="the backend")
    parser.add_argument("alias", metavar="ALIAS", help="the account")
    options = parser.read(argv)
    home = open_home(os.environ)
    name, alias = backends.check_name(options.backend), options.alias.lower()
    outcome = _change(home, name, alias, lambda before: changes.without_account(before, alias))

    from router.cli.running import tell_change

    print(f"Removed {name}/{alias}.")
    note_entries(outcome.dropped)
    if outcome.backend.accounts:
        print(f"The account that serves is {outcome.backend.accounts[0].alias}.")
    else:
        print(f"{name} has no key left. Give one:   fairlead accounts add {name} ALIAS --key-stdin")
    tell_change(home)
    return 0


def _found(home: Home, named: str) -> Backend:
    name = backends.check_name(named)
    backend = backends.find(home, name)
    if backend is None:
        raise unknown(home, name)
    return backend
