"""`fairlead login`: the table of its commands, and logging in itself."""

import argparse
import os
import sys
import time
from dataclasses import dataclass

import trio

from router.cli.common.group import run_group
from router.cli.common.layout import note, say
from router.cli.login import account
from router.cli.login.options import (
    Flow,
    Wanted,
    build_parser,
    check_flow,
    choose_flow,
    find_issuer,
    is_openrouter,
    read_before,
    read_wanted,
)
from router.host.event_loop import run_async
from router.login import openrouter
from router.login.browser import open_page
from router.login.calls import Client, Send, make_send
from router.login.flows import Terminal, log_in_at_openrouter, log_in_with_code, log_in_with_device
from router.login.metadata import discover
from router.login.refresh import apply_grant
from router.net.client.outbound import Outbound, read_outbound
from router.policy.accounts.retry import format_duration
from router.store.config import toml
from router.store.home.home import Home, open_home
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens
from router.store.keys.own_keys import read_own_keys

COMMANDS = {
    "status": ("router.cli.login.status:run", "show the logins: whom they serve, and when their tokens end"),
    "refresh": ("router.cli.login.manage:run_refresh", "renew a login now"),
    "logout": ("router.cli.login.manage:run_logout", "end a login, at its issuer too"),
}
_LINE_LIMIT = 16384


def run(argv: list[str]) -> int:
    """Log in, or run one of the commands about logins."""
    if argv and argv[0] in COMMANDS:
        return run_group("login", COMMANDS, argv, examples=())
    options = build_parser().read(["--help"] if argv == ["help"] else argv)
    check_flow(options)
    name = logins.check_name(options.name)
    home = open_home(os.environ)
    settings = toml.load(home, os.environ).settings
    outbound, before = read_outbound(settings, os.environ), read_before(home, name)
    issuer = "" if is_openrouter(options, name) else find_issuer(home, options, name, before)
    # Before the user is sent to a browser: what would keep the login from being used.
    place = account.find_place(home, name, options)
    if issuer:
        login = run_async(_log_in, options, name, read_wanted(options, issuer, before), outbound)
    else:
        login = run_async(_log_in_at_openrouter, options, name, outbound)
    read_own_keys(home, settings).check(login.access, "what the issuer gave")
    _store(home, login, use_keyring=not options.no_keyring)
    return account.serve(home, place)


def _store(home: Home, login: Login, *, use_keyring: bool) -> None:
    """Write the login before anything uses it, and say what was got."""
    with logins.lock(home, login.name):
        stored = logins.save_login(home, login, use_keyring=use_keyring)
    place = "the keyring" if stored.entry else "a file of the home"
    lifetime = stored.tokens.lifetime
    ends = (
        f"its token lasts {format_duration(lifetime)}" if lifetime is not None else "its token has no end that is known"
    )
    renewed = " and is renewed before that" if stored.refreshable and lifetime is not None else ""
    say(f"Logged in: {login.name}   {ends}{renewed}   kept in {place}")
    if login.client_id and not stored.refreshable:
        note("note: the issuer gave nothing to renew the token with, so this login has to be repeated.")
        note("      Many issuers do so only for the scope offline_access:   --scope '… offline_access'")


async def _log_in_at_openrouter(options: argparse.Namespace, name: str, outbound: Outbound) -> Login:
    terminal = _make_terminal(options, choose_flow(options, name, None))
    key = await log_in_at_openrouter(make_send(outbound), terminal)
    return Login(name=name, issuer=openrouter.ISSUER, tokens=Tokens(key.reveal(), obtained=time.time()))


async def _log_in(options: argparse.Namespace, name: str, wanted: Wanted, outbound: Outbound) -> Login:
    ask: Send = make_send(outbound)
    found = await discover(ask, wanted.issuer)
    auth = found.choose_auth(wanted.client_secret)
    client = Client(wanted.client_id, wanted.client_secret, auth)
    flow = choose_flow(options, name, found)
    terminal = _make_terminal(options, flow)
    scope, audience = wanted.scope, wanted.audience
    if flow == "device":
        grant = await log_in_with_device(ask, found, client, terminal, scope=scope, audience=audience)
    else:
        grant = await log_in_with_code(ask, found, client, terminal, wanted.redirect, scope=scope, audience=audience)
    login = Login(
        name=name,
        issuer=found.issuer,
        tokens=Tokens("", client_secret=wanted.client_secret),
        client_id=wanted.client_id,
        scope=scope,
        audience=audience,
        redirect_uri=wanted.redirect_uri,
        token_endpoint=found.token_endpoint or "",
        revocation_endpoint=found.revocation_endpoint or "",
        client_auth=auth,
    )
    return apply_grant(login, grant, time.time())


def _make_terminal(options: argparse.Namespace, flow: Flow) -> Terminal:
    async def open_here(url: str) -> bool:
        return await open_page(url, os.environ)

    opens = not options.no_browser and flow != "manual"
    # On stderr: what is shown on the way is not the command's result.
    return Terminal(note, open_here if opens else None, _Lines().read if flow == "manual" else None)


@dataclass
class _Lines:
    """Lines of standard input. Read by its descriptor: a thread that waits in Python's own buffer would hold that up
    when the program ends."""

    _data: bytes = b""
    _ended: bool = False

    async def read(self) -> str | None:
        """The next line, None at the end."""
        while b"\n" not in self._data and not self._ended and len(self._data) < _LINE_LIMIT:
            if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
                return None
            piece = await trio.to_thread.run_sync(os.read, sys.stdin.fileno(), 4096, abandon_on_cancel=True)
            self._data += piece
            self._ended = not piece
        if not self._data:
            return None
        line, _, self._data = self._data.partition(b"\n")
        return line.decode("utf-8", "replace").strip()
