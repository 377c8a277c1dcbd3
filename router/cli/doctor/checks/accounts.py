"""Accounts as the running proxy knows them, and logins."""

import time

from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.login.refresh import count_left
from router.operator_api.accounts import AccountStatus
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.store.keys import logins

#: Why these have no key is told by the check of the secrets, or of the logins.
_TOLD_ELSEWHERE = ("unusable", "login ended")
#: What is left of an account that is nearly used up.
_LITTLE = 0.05


def check_limits(situation: Situation, name: str) -> list[Row]:
    """The accounts of a backend that cannot serve now, or not for long."""
    serving = situation.serving
    status = serving.status if serving is not None else None
    found = next((one for one in status.backends if one.name == name), None) if status is not None else None
    if found is None or not found.accounts:
        return []
    row_id = f"backend.{name}.limits"
    away = [one for one in found.accounts if one.state not in ("ready", *_TOLD_ELSEWHERE)]
    if away and not any(one.state == "ready" for one in found.accounts):
        listed = "; ".join(_describe(one) for one in away)
        fix = f"Wait, or add another account: fairlead accounts add {name} ALIAS --key-stdin"
        return [Row(row_id, "fail", f"no account can serve: {listed}", fix)]
    rows = [Row(row_id, "info", _describe(one)) for one in away]
    for one in found.accounts:
        if one.state == "ready" and one.headroom < _LITTLE:
            rows.append(Row(row_id, "info", f"{one.alias} has {one.headroom * 100:.0f} % of its limits left"))
    return rows


def _describe(account: AccountStatus) -> str:
    until = f", for {format_duration(account.until_s)}" if account.until_s is not None else ""
    return f"{account.alias} is {account.state}{until} ({clean(account.reason, 200)})"


def check_login(situation: Situation, name: str) -> list[Row]:
    """Whether a login is still good. Its tokens are not read from the keyring."""
    if situation.home is None:
        return []
    row_id, again = f"login.{name}", f"Log in again: fairlead login {name}"
    try:
        login = logins.read_record(situation.home, logins.check_name(name))
    except CommandError as error:
        return [Row(row_id, "fail", str(error), error.hint)]
    if login is None:
        return []
    if login.ended:
        return [Row(row_id, "fail", f"it has ended: {clean(login.ended, 300)}", again)]
    left = None if login.entry else count_left(login, time.time())
    if left is None:
        return [Row(row_id, "ok", f"of {login.issuer}")]
    if left > 0:
        renewed = ", then it is renewed" if login.refreshable else ""
        return [Row(row_id, "ok", f"valid for {format_duration(left)}{renewed}")]
    if login.refreshable:
        return [Row(row_id, "ok", "renewed at the next request")]
    return [Row(row_id, "fail", f"it ended {format_duration(-left)} ago, and cannot be renewed", again)]


def list_logins(situation: Situation) -> list[str]:
    """The names of the logins."""
    if situation.home is None:
        return []
    try:
        return logins.list_names(situation.home)
    except CommandError:
        return []
