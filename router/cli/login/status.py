"""`fairlead login status`: the logins, whom they serve, and when their tokens end. No token is shown."""

import os
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from router.cli.common.layout import NONE, find_width, format_table, note, print_json, say
from router.cli.common.parser import Parser
from router.cli.login.uses import find_uses
from router.errors import CommandError
from router.login import openrouter
from router.login.refresh import count_left
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.store.home.home import Home, open_home
from router.store.keys import logins
from router.store.keys.logins import Login
from router.watch.amounts import format_money


class _Shown(NamedTuple):
    """A login, with what is known of it."""

    login: Login
    accounts: list[str]
    #: What OpenRouter tells of its key, None for others and where it cannot be asked.
    facts: openrouter.KeyFacts | None


def run(argv: list[str]) -> int:
    """Show the logins; exit code 1 when one has ended, or cannot be read."""
    parser = Parser(
        "login status",
        "Show the logins: who issues them, which accounts they serve, what they may do, and when their tokens end. "
        "OpenRouter is asked what its key is called and has used.",
        examples=["fairlead login status", "fairlead login status --json"],
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    read: list[Login] = []
    problems: list[tuple[str, CommandError]] = []
    for name in logins.list_names(home):
        try:
            found = logins.read_login(home, logins.check_name(name))
        except CommandError as error:
            problems.append((name, error))
        else:
            read += [found] if found is not None else []
    told = _ask_openrouter(home, read)
    shown = [_Shown(one, _list_accounts(home, one.name), told.get(one.name)) for one in read]
    if options.json:
        print_json(
            {
                "logins": [_describe(one) for one in shown],
                "problems": [{"login": name, "message": str(error)} for name, error in problems],
            }
        )
    elif shown:
        header = ("login", "serves", "issuer", "token", "kept in")
        rows = [_make_row(one) for one in shown]
        print("\n".join(format_table(rows, header=header, width=find_width())))
    elif not problems:
        say("There are no logins. Log in:   fairlead login openrouter")
    for one in shown:
        if one.login.ended:
            say(f"{one.login.name} has ended: {clean(one.login.ended, 300)}")
            say(f"  Log in again:   fairlead login {one.login.name}")
    for _, error in problems:
        note(f"problem: {error}")
        for line in error.hint.splitlines():
            note(f"         {line}")
    return 1 if problems or any(one.login.ended for one in shown) else 0


def _list_accounts(home: Home, name: str) -> list[str]:
    return [f"{backend.name}/{account.alias}" for backend, account in find_uses(home, name)]


def _ask_openrouter(home: Home, read: list[Login]) -> Mapping[str, openrouter.KeyFacts]:
    """What OpenRouter tells of the keys among these logins."""
    keys = [one for one in read if one.issuer == openrouter.ISSUER and not one.client_id]
    if not keys:
        return {}
    from router.host.event_loop import run_async
    from router.login.calls import make_send
    from router.net.client.outbound import read_outbound
    from router.store.config import toml

    found: dict[str, openrouter.KeyFacts] = {}
    ask = make_send(read_outbound(toml.load(home, os.environ).settings, os.environ))

    async def look() -> None:
        for one in keys:
            try:
                found[one.name] = await openrouter.ask_key(ask, one.access)
            except CommandError as error:
                note(f"note: OpenRouter does not tell of the key of {one.name}: {error}")

    run_async(look)
    return found


def _make_row(one: _Shown) -> tuple[str, ...]:
    login = one.login
    issuer = urlsplit(login.issuer).netloc
    if one.facts is not None:
        issuer += f" ({_format_facts(one.facts)})"
    elif scopes := login.granted or login.scope:
        issuer += f" ({clean(scopes, 120)})"
    place = "keyring" if login.entry else "file"
    return login.name, ", ".join(one.accounts) or NONE, issuer, _format_token(login), place


def _format_facts(facts: openrouter.KeyFacts) -> str:
    used = f"{format_money(facts.usage)} used" if facts.usage is not None else ""
    limit = f"of {format_money(facts.limit)}" if facts.limit is not None else ""
    return ", ".join(part for part in (facts.label, f"{used} {limit}".strip()) if part)


def _format_token(login: Login) -> str:
    left = count_left(login, time.time())
    renewed = login.refreshable and not login.ended
    if left is None:
        text = "no end that is known"
    elif left > 0:
        text = f"valid for {format_duration(left)}"
    else:
        return "renewed at the next request" if renewed else f"ended {format_duration(-left)} ago"
    return f"{text}, then renewed" if renewed and left is not None else text


def _describe(one: _Shown) -> dict[str, object]:
    login, left = one.login, count_left(one.login, time.time())
    facts = one.facts
    return {
        "name": login.name,
        "issuer": login.issuer,
        "client_id": login.client_id or None,
        "scopes": (login.granted or login.scope).split(),
        "accounts": one.accounts,
        "expires_in_s": None if left is None else round(max(0.0, left)),
        "refreshable": login.refreshable and not login.ended,
        "ended": clean(login.ended, 400) or None,
        "kept_in": "keyring" if login.entry else "file",
        "label": facts.label if facts is not None else None,
        "usage_usd": facts.usage if facts is not None else None,
        "limit_usd": facts.limit if facts is not None else None,
    }
