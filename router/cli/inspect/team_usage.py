"""`fairlead usage --team`: what all homes of a team used, and its budgets, as the team's server has them."""

import os
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from router.cli.common.layout import find_width, print_json, wrap
from router.cli.common.output import format_count
from router.cli.inspect.usage_tables import ALL_ROWS, HOME, KEYS, ROWS, USAGE_SCHEMA, flow, format_cost, format_sums
from router.errors import CommandError, UsageError
from router.policy.budget.budgets import DOLLAR, Budget, format_amount
from router.policy.budget.guard import format_moment, list_key_budgets, read_rules
from router.settings import Settings
from router.settings.kinds import clean
from router.store.config import toml
from router.store.home.home import Home, open_home
from router.store.keys import shared_copy
from router.store.team.client import Refused, Unreachable
from router.store.team.opening import connect_team
from router.store.team.team import Team
from router.store.team.usage_sums import (
    KEPT_DAYS,
    SHARED_ROLES,
    TELL_SECONDS,
    TeamBudget,
    TeamUsage,
    read_team_budgets,
    read_team_usage,
)
from router.watch import amounts

#: Seconds for one answer of the server: nobody's request waits for it.
_DEADLINE = 3.0
_NAMES = {**{role: KEYS[role] for role in SHARED_ROLES[1:]}, HOME: "homes"}
# The most requests first, each with what it says of who spent.
_TABLES = (HOME, "model", "account", "client", "tag", "key")


def show_team(begin: float, now: float, by: str | None, *, as_json: bool) -> int:
    """Print the sums of all homes. begin, now: seconds since 1970. by: one table alone. Raises CommandError where no
    team is configured, or its server does not answer."""
    if by is not None and by not in _NAMES:
        raise UsageError(f"--team has no sums by {by}; expected one of {', '.join(_TABLES)}.")
    home = open_home(os.environ)
    settings = toml.load(home, os.environ).settings
    if settings.shared_url is None:
        raise CommandError(
            "no team is configured: shared.url is not set.",
            "What this home used:   fairlead usage\nShare with others:     fairlead config set shared.url rediss://HOST:6379",
        )
    team = connect_team(settings, lambda text: None, os.environ)
    client = team.client.with_deadline(_DEADLINE)
    try:
        usage = read_team_usage(team._replace(client=client), begin, now)
        budgets = read_team_budgets(team._replace(client=client), _list_budgets(home, settings), now)
    except (Unreachable, Refused) as error:
        raise CommandError(
            f"the team's sums cannot be read: {clean(str(error), 300)}.",
            "What this home used:   fairlead usage\nWhat is wrong:         fairlead doctor shared",
        ) from None
    finally:
        client.close()
    since = begin // 3600 * 3600
    if as_json:
        print_json(_report(team, settings, usage, budgets, (since, now), by))
    else:
        print("\n".join(_format(settings, team, usage, budgets, since, by, find_width())))
    return 0


def _list_budgets(home: Home, settings: Settings) -> Sequence[Budget]:
    """The budgets of the settings, and those of keys that other homes have."""
    elsewhere = shared_copy.read_team(home, settings).list_elsewhere()
    runs = [budget for name, row in elsewhere.items() for budget in list_key_budgets(name, row.options)]
    rules = read_rules(settings, runs, elsewhere)
    return () if rules is None else rules.budgets


def _report(
    team: Team,
    settings: Settings,
    usage: TeamUsage,
    budgets: Sequence[TeamBudget],
    window: tuple[float, float],
    by: str | None,
) -> dict[str, Any]:
    """The sums for programs."""
    found: dict[str, Any] = {
        "schema": USAGE_SCHEMA,
        "team": settings.shared_team,
        "server": team.client.address.shown,
        "since": window[0],
        "until": window[1],
        "total": msgspec.to_builtins(usage.total),
    }
    if by is not None:
        return {**found, "by": by, "rows": msgspec.to_builtins(usage.groups[by])}
    groups = {name: msgspec.to_builtins(usage.groups[role]) for role, name in _NAMES.items()}
    return {**found, **groups, "budgets": [_report_budget(one) for one in budgets], "unreadable": usage.unreadable}


def _report_budget(one: TeamBudget) -> dict[str, Any]:
    unit = DOLLAR if one.budget.unit == "usd" else 1
    return {
        "scope": one.budget.scope,
        "period": one.budget.period,
        "unit": one.budget.unit,
        "limit": one.budget.limit / unit,
        "spent": one.spent / unit,
        "renews": one.term.end,
    }


def _format(
    settings: Settings,
    team: Team,
    usage: TeamUsage,
    budgets: Sequence[TeamBudget],
    since: float,
    by: str | None,
    width: int | None,
) -> list[str]:
    total, began = usage.total, format_moment(since, time.time())
    head = (f"team {clean(settings.shared_team)} on {clean(team.client.address.shown)}", f"since {began}")
    if not total.requests:
        lines = [*flow((*head, "no requests"), width)]
    else:
        counts = (format_count(total.requests, "request"), format_count(total.errors, "error"), format_cost(total))
        lines = [*flow((*head, *counts), width)]
    for role in _TABLES if by is None else (by,):
        lines += format_sums(role, usage.groups[role], width, ROWS if by is None else ALL_ROWS, "fairlead usage --team")
    if by is not None and total.requests and not usage.groups[by]:
        lines += wrap(f"No request has a row by {by}.", width)
    if by is None:
        lines += [part for one in budgets for part in wrap(f"budget   {_describe(one)}", width)]
    if usage.unreadable:
        text = f"the sums of {format_count(usage.unreadable, 'hour')} were sealed with another shared.secret"
        lines += wrap(f"note     {text}", width)
    if total.requests:
        text = f"each home tells its sums within {TELL_SECONDS:g} s; they are kept for {KEPT_DAYS} days"
        lines += wrap(f"note     {text}", width)
    return lines


def _describe(one: TeamBudget) -> str:
    budget = one.budget
    spent = format_amount(budget.unit, one.spent)
    end = "" if one.term.end == float("inf") else f", until {datetime.fromtimestamp(one.term.end):%Y-%m-%d %H:%M}"
    return f"{clean(budget.title)}: {spent} spent ({amounts.format_share(one.spent / budget.limit)}){end}"
