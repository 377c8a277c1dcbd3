"""`fairlead accounts list`: the accounts, and how they are as far as a running proxy tells."""

import json
import os
from collections.abc import Mapping, Sequence

import msgspec

from router.backends import Backend
from router.cli.backend.commands import find_backend
from router.cli.common import amounts
from router.cli.common.output import format_table, note_problems
from router.cli.common.parser import Parser, note
from router.settings.kinds import clean
from router.store.config import backends, redacted
from router.store.home.home import Home, open_home

_REASON_LIMIT = 400
_FIELDS = ("problem", "state", "reason", "until_s", "headroom", "limits", "running", "next")


class _Used(msgspec.Struct):
    name: str
    used: float


class _Live(msgspec.Struct):
    """An account as GET /accounts tells of it; state: '' for one that the proxy does not use."""

    backend: str
    alias: str
    problem: str | None = None
    state: str = ""
    reason: str = ""
    headroom: float = 0.0
    limits: list[_Used] = []
    next: bool = False


class _Listed(msgspec.Struct):
    accounts: list[msgspec.Raw]


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
    told = _told(home) if listed else {}
    if options.json:
        _print_json(listed, problems, told)
    else:
        _print(listed, told)
    note_problems(problems)
    return 1 if problems else 0


def _told(home: Home) -> dict[tuple[str, str], msgspec.Raw]:
    """What a running proxy of this home says of each account; nothing where none runs."""
    import trio

    from router.cli.common.running_proxy import proven
    from router.net.control.calls import ControlError

    async def ask() -> bytes | None:
        for run, proxy in await proven(home):
            try:
                return await proxy.accounts()
            except ControlError as error:
                note(f"note: the proxy on :{run.port} does not say how its accounts are: {error}")
        return None

    answer = trio.run(ask)
    if answer is None:
        return {}
    try:
        entries = msgspec.json.decode(answer, type=_Listed).accounts
        lives = [msgspec.json.decode(entry, type=_Live) for entry in entries]
    except (msgspec.DecodeError, RecursionError):
        note("note: the running proxy tells of its accounts in another form than expected.")
        return {}
    return {(live.backend, live.alias): entry for live, entry in zip(lives, entries, strict=True)}


def _print_json(
    listed: Sequence[Backend], problems: Sequence[backends.Problem], told: Mapping[tuple[str, str], msgspec.Raw]
) -> None:
    accounts: list[dict[str, object]] = []
    for backend in listed:
        for entry in redacted.plain_accounts(backend, os.environ):
            live = told.get((backend.name, str(entry["alias"])))
            fields = msgspec.json.decode(live, type=dict[str, object]) if live is not None else {}
            known = {name: fields[name] for name in _FIELDS if name in fields}
            accounts.append({"backend": backend.name, **entry, **known})
    unread = [{"backend": problem.name, "message": problem.message} for problem in problems]
    print(json.dumps({"accounts": accounts, "problems": unread}, indent=2))


def _print(listed: Sequence[Backend], told: Mapping[tuple[str, str], msgspec.Raw]) -> None:
    rows: list[tuple[str, ...]] = []
    for backend in listed:
        for entry in redacted.plain_accounts(backend, os.environ):
            alias = str(entry["alias"])
            raw = told.get((backend.name, alias))
            live = msgspec.json.decode(raw, type=_Live) if raw is not None else None
            rows.append((backend.name, alias, str(entry["credentials"]), *_standing(backend, live)))
    if not rows:
        print("No accounts. Add one:   fairlead accounts add BACKEND ALIAS --key-stdin")
        return
    if not any(row[3] for row in rows):
        rows = [(*row[:3], *row[5:]) for row in rows]
    print("\n".join(format_table(rows)))


def _standing(backend: Backend, live: _Live | None) -> tuple[str, str, str, str]:
    """What it has left, its limits, how it is, and whether it is next."""
    if live is None or not live.state:
        return "", "", "serves" if backend.enabled else "backend disabled", ""
    limits = ", ".join(f"{clean(one.name)} {amounts.format_share(one.used)}" for one in live.limits)
    shown = clean(live.reason, _REASON_LIMIT)
    if live.state == "ready" and live.problem:
        shown = clean(live.problem, _REASON_LIMIT)
    mark = "\N{LEFTWARDS ARROW} next" if live.next else ""
    return f"{amounts.format_share(live.headroom)} left", limits or amounts.NONE, shown, mark
