"""`fairlead accounts list`: the accounts, and how they are as far as a running proxy tells."""

import os
import sys
import time
from collections.abc import Sequence
from typing import cast

import msgspec
from msgspec import UNSET

from router.backends import Account, Backend
from router.cli.backend.commands import find_backend
from router.cli.backend.running_keys import RunningKeys, read_running_keys
from router.cli.common.layout import find_width, format_table, print_json, say
from router.cli.common.output import note_problems
from router.cli.common.parser import Parser
from router.settings.kinds import clean
from router.store.config import backends
from router.store.home.home import open_home
from router.watch import amounts

_REASON_LIMIT = 400
_FIELDS = ("problem", "state", "reason", "until_s", "headroom", "limits", "running", "next")


def run(argv: list[str]) -> int:
    """Show the accounts; exit code 1 when a backend could not be read."""
    parser = Parser(
        "accounts list",
        "Show the accounts of all backends, or of one: where each key comes from, and, while a proxy runs, what it "
        "has left, how it is, which one takes the next conversation, how much of each limit is in use, and when that "
        "starts again.",
        examples=["fairlead accounts list", "fairlead accounts list groq --json"],
    )
    parser.add_argument("backend", metavar="BACKEND", nargs="?", help="the backend (default: all)")
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    listed, problems = backends.load(home) if options.backend is None else ((find_backend(home, options.backend),), ())
    keys = read_running_keys(home)
    if options.json:
        _print_json(listed, problems, keys)
    else:
        _print(listed, keys)
    note_problems(problems)
    return 1 if problems else 0


def _print_json(listed: Sequence[Backend], problems: Sequence[backends.Problem], keys: RunningKeys) -> None:
    accounts: list[dict[str, object]] = []
    for backend in listed:
        entries = cast("list[dict[str, object]]", keys.report(backend)["accounts"])
        for entry, account in zip(entries, backend.accounts, strict=True):
            found = keys.find(backend, account)
            fields: dict[str, object] = msgspec.to_builtins(found) if found is not None else {}
            known = {name: fields[name] for name in _FIELDS if name in fields}
            accounts.append({"backend": backend.name, **entry, **known})
    unread = [{"backend": problem.name, "message": problem.message} for problem in problems]
    print_json({"accounts": accounts, "problems": unread})


def _print(listed: Sequence[Backend], keys: RunningKeys) -> None:
    rows = [
        (backend.name, account.alias, keys.describe(backend, account), *_condition(backend, account, keys))
        for backend in listed
        for account in backend.accounts
    ]
    if not rows:
        say("No accounts. Add one:   fairlead accounts add BACKEND ALIAS --key-stdin")
        return
    header = ("backend", "account", "key", "headroom", "state", "")
    if not any(row[3] for row in rows):
        rows, header = [(*row[:3], *row[4:]) for row in rows], (*header[:3], *header[4:])
    lines = format_table(rows, header=header, width=find_width())
    limits = _list_limits(listed, keys)
    if limits:
        header = ("account", "limit", "in use", "", "starts again")
        lines += ["", *format_table(limits, header=header, right=(3,), width=find_width())]
    print("\n".join(lines))


def _list_limits(listed: Sequence[Backend], keys: RunningKeys) -> list[tuple[str, ...]]:
    """A row for each limit that the answers of an account named: its share in use, and when it starts again."""
    from router.policy.budget.guard import format_moment

    now = time.time()
    return [
        (
            f"{backend.name}/{account.alias}",
            clean(limit.name),
            amounts.format_bar(limit.used, encoding=sys.stdout.encoding),
            amounts.format_share(limit.used),
            format_moment(now + limit.resets_s, now),
        )
        for backend in listed
        for account in backend.accounts
        if (live := keys.find(backend, account)) is not None
        for limit in live.limits or ()
    ]


def _condition(backend: Backend, account: Account, keys: RunningKeys) -> tuple[str, str, str]:
    """What it has left, how it is, and whether it is next."""
    problem, live = keys.find_problem(backend, account), keys.find(backend, account)
    if live is None or live.state is UNSET:
        state = f"cannot be used: {problem}" if problem else "in use"
        return "", state if backend.enabled else "backend disabled", ""
    if problem or live.state in ("unusable", "revoked", "login ended") or (live.state == "ready" and live.problem):
        reason = problem or (live.problem if live.state == "ready" else live.reason) or ""
        return amounts.NONE, clean(reason, _REASON_LIMIT), ""
    mark = "\N{LEFTWARDS ARROW} next" if live.next else ""
    left = f"{amounts.format_share(live.headroom or 0.0)} left"
    return left, clean(live.reason or "", _REASON_LIMIT), mark
