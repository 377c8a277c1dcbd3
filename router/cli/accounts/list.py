"""`fairlead accounts list`: the accounts, and how they are as far as a running proxy tells."""

import json
import os
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import UNSET

from router.backends import Backend
from router.cli.backend.commands import find_backend
from router.cli.common import amounts
from router.cli.common.output import format_table, note_problems
from router.cli.common.parser import Parser, note
from router.operator_api.accounts import ListedAccount
from router.operator_api.backends import describe_accounts
from router.settings.kinds import clean
from router.store.config import backends
from router.store.home.home import Home, open_home

_REASON_LIMIT = 400
_FIELDS = ("problem", "state", "reason", "until_s", "headroom", "limits", "running", "next")


def run(argv: list[str]) -> int:
    """Show the accounts; exit code 1 when a backend could not be read."""
    parser = Parser(
        "accounts list",
        "Show the accounts of all backends, or of one: where each key comes from, and, while a proxy runs, what it\n"
        "has left, how it is, and which one takes the next conversation.",
        examples=["fairlead accounts list", "fairlead accounts list groq --json"],
    )
    parser.add_argument("backend", metavar="BACKEND", nargs="?", help="the backend (default: all)")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    listed, problems = backends.load(home) if options.backend is None else ((find_backend(home, options.backend),), ())
    live = _ask_proxy(home) if listed else {}
    if options.json:
        _print_json(listed, problems, live)
    else:
        _print(listed, live)
    note_problems(problems)
    return 1 if problems else 0


def _ask_proxy(home: Home) -> dict[tuple[str, str], ListedAccount]:
    """What a running proxy of this home says of each account, by backend and alias; nothing where none runs."""
    import trio

    from router.cli.common.running_proxy import proven
    from router.net.control.request import ControlError

    async def ask() -> list[ListedAccount]:
        for run, proxy in await proven(home):
            try:
                return (await proxy.fetch_accounts()).accounts
            except ControlError as error:
                note(f"note: the proxy on :{run.port} does not say how its accounts are: {error}")
        return []

    return {(account.backend, account.alias): account for account in trio.run(ask)}


def _print_json(
    listed: Sequence[Backend],
    problems: Sequence[backends.Problem],
    live: Mapping[tuple[str, str], ListedAccount],
) -> None:
    accounts: list[dict[str, object]] = []
    for backend in listed:
        for entry in describe_accounts(backend, os.environ):
            account = live.get((backend.name, entry.alias))
            fields: dict[str, object] = msgspec.to_builtins(account) if account is not None else {}
            known = {name: fields[name] for name in _FIELDS if name in fields}
            accounts.append({"backend": backend.name, **msgspec.to_builtins(entry), **known})
    unread = [{"backend": problem.name, "message": problem.message} for problem in problems]
    print(json.dumps({"accounts": accounts, "problems": unread}, indent=2))


def _print(listed: Sequence[Backend], live: Mapping[tuple[str, str], ListedAccount]) -> None:
    rows: list[tuple[str, ...]] = []
    for backend in listed:
        for entry in describe_accounts(backend, os.environ):
            account = live.get((backend.name, entry.alias))
            rows.append((backend.name, entry.alias, entry.credentials, *_condition(backend, account)))
    if not rows:
        print("No accounts. Add one:   fairlead accounts add BACKEND ALIAS --key-stdin")
        return
    if not any(row[3] for row in rows):
        rows = [(*row[:3], *row[5:]) for row in rows]
    print("\n".join(format_table(rows)))


def _condition(backend: Backend, live: ListedAccount | None) -> tuple[str, str, str, str]:
    """What it has left, its limits, how it is, and whether it is next."""
    if live is None or live.state is UNSET:
        return "", "", "serves" if backend.enabled else "backend disabled", ""
    limits = ", ".join(f"{clean(one.name)} {amounts.format_share(one.used)}" for one in live.limits or ())
    shown = clean(live.reason or "", _REASON_LIMIT)
    if live.state == "ready" and live.problem:
        shown = clean(live.problem, _REASON_LIMIT)
    mark = "\N{LEFTWARDS ARROW} next" if live.next else ""
    return f"{amounts.format_share(live.headroom or 0.0)} left", limits or amounts.NONE, shown, mark
