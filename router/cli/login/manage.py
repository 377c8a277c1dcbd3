"""`fairlead login refresh` and `fairlead login logout`."""

import os
import time

from router.backends import Backend, changes
from router.cli.common.layout import note, say
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import tell_change
from router.cli.login.uses import find_uses
from router.errors import CommandError
from router.host.event_loop import run_async
from router.login import openrouter
from router.login.calls import make_send
from router.login.refresh import count_left, refresh
from router.login.revoke import revoke
from router.net.client.outbound import read_outbound
from router.policy.accounts.retry import format_duration
from router.store.config import backends, toml
from router.store.home.home import Home, open_home
from router.store.keys import logins
from router.store.keys.logins import Login


def run_refresh(argv: list[str]) -> int:
    """Renew a login now, whatever its token has left."""
    parser = Parser(
        "login refresh",
        "Renew a login now. A running proxy does so by itself before a token ends.",
        examples=["fairlead login refresh work"],
    )
    parser.add_argument("name", metavar="NAME", help="the login")
    home, login = _find(parser.read(argv).name)
    if not login.refreshable:
        if count_left(login, time.time()) is None:
            say(f"Nothing to refresh: the key of {login.name} has no end that is known.")
            return 0
        raise CommandError(
            f"the issuer gave nothing to renew {login.name} with.", f"Log in again:   fairlead login {login.name}"
        )
    ask = make_send(read_outbound(toml.load(home, os.environ).settings, os.environ))
    renewed = run_async(refresh, home, login.name, ask, login.access)
    left = count_left(renewed, time.time())
    say(f"Renewed: {login.name}{f' is valid for {format_duration(left)}' if left is not None else ''}.")
    tell_change(home)
    return 0


def run_logout(argv: list[str]) -> int:
    """End a login, and remove the accounts that it serves; exit code 1 when the issuer did not end it too."""
    parser = Parser(
        "login logout",
        "End a login: its issuer is told to, where that can be told, its tokens are deleted, and so are the accounts "
        "that it serves.",
        examples=["fairlead login logout work"],
    )
    parser.add_argument("name", metavar="NAME", help="the login")
    home, login = _find(parser.read(argv).name)
    # A running proxy must not renew it meanwhile.
    with logins.lock(home, login.name):
        login = logins.read_login(home, login.name) or login
        code = _revoke(home, login)
        for backend, _ in find_uses(home, login.name):
            backends.change(home, backend.name, lambda now: _without(now, login.name))
            say(f"Removed its account of {backend.name}.")
        logins.remove_login(home, login)
    say(f"Logged out: {login.name}.")
    tell_change(home)
    return code


def _find(text: str) -> tuple[Home, Login]:
    """The home, and the login of a name. Raises CommandError."""
    home, name = open_home(os.environ), logins.check_name(text)
    found = logins.read_login(home, name)
    if found is None:
        names = ", ".join(logins.list_names(home)) or "none"
        raise CommandError(f"there is no login {name}.", f"There are: {names}.\nLog in:   fairlead login {name}")
    return home, found


def _revoke(home: Home, login: Login) -> int:
    if not login.client_id:
        note(f"note: the key stays valid at OpenRouter until you delete it there:   {openrouter.KEYS_PAGE}")
        return 0
    if not login.revocation_endpoint:
        note("note: the issuer has no way to revoke a token; what was issued ends by itself.")
        return 0
    ask = make_send(read_outbound(toml.load(home, os.environ).settings, os.environ))
    try:
        run_async(revoke, ask, login)
    except CommandError as error:
        note(f"warning: the issuer did not revoke the login: {error}")
        note("         It is deleted here. End it at the issuer's own page too.")
        return 1
    say("The issuer revoked it.")
    return 0


def _without(now: Backend | None, name: str) -> Backend:
    """A backend without the accounts that a login serves."""
    if now is None:
        raise CommandError("another command removed the backend meanwhile.", "Give this one again.")
    for _, alias in [(one, one.alias) for one in now.accounts if one.key == f"login:{name}"]:
        now = changes.remove_account(now, alias).backend
    return now
