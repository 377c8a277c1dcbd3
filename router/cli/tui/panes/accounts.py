"""Accounts: what is in use of each limit as a bar, when it begins anew, who is parked until when, and who is next."""

import time
from typing import TYPE_CHECKING, NamedTuple

from router.cli.common.output import format_count
from router.cli.tui.charts import draw_bar
from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import Line, Picture
from router.operator_api.accounts import AccountLimit, AccountStatus
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.watch import amounts

if TYPE_CHECKING:
    from router.store.history.read_usage import LimitForecast

_NAME, _BAR, _NARROW_BAR, _WIDE = 22, 10, 5, 100
_NEAR = 0.8


class _Row(NamedTuple):
    """A line of the pane: an account, or one more limit of it."""

    backend: str
    account: AccountStatus
    line: Line


class AccountsPane(Pane):
    """The accounts of the newest proxy."""

    TITLE = "Accounts"
    HINTS = "Enter detail   p pause   ? keys   q leave"

    def __init__(self) -> None:
        super().__init__(cursor=True)

    def draw(self, picture: Picture) -> None:
        """Put a line for each account, and one for each further limit."""
        width = self.size.width
        rows = [row for backend, one in picture.accounts for row in _make_rows(backend, one, picture, width)]
        head = [Line(f" {'account':<{_NAME}} in use", "head")]
        if not rows:
            why = "They are shown while a proxy runs: s starts one." if not picture.proxies else "No backend has any."
            head.append(Line(f" No accounts. {why}"))
        self.put(rows, lambda row: row.line, key=lambda row: row.line.text[: _NAME + 2], head=head)

    def describe(self) -> list[Line]:
        """All that is known of the account."""
        row: _Row | None = self.chosen
        if row is None or self.picture is None:
            return []
        one = row.account
        lines = [Line(f"{clean(row.backend)}/{clean(one.alias)}   {clean(one.reason, 300)}"), Line("")]
        lines += [Line(f"{amounts.format_share(one.headroom)} left   {format_count(one.running, 'request')} running")]
        for limit in one.limits:
            resets = _say_when(self.picture.time, limit.resets_s)
            lines.append(Line(f"{clean(limit.name)}   {amounts.format_share(limit.used)} in use{resets}"))
        lines += [Line("Of the accounts of its backend it gets the next conversation.")] * one.next
        return lines


def _make_rows(backend: str, one: AccountStatus, picture: Picture, width: int) -> list[_Row]:
    first, *others = one.limits or [None]
    name = f"{clean(backend)}/{clean(one.alias)}"
    state = _describe(one, picture.time)
    text = f"{name[:_NAME]:<{_NAME}} {_format_limit(first, backend, one, picture, width)}   {state}"
    kind = "" if one.state == "ready" else "warn" if one.state in ("parked", "cooling") else "bad"
    rows = [_Row(backend, one, Line(f" {text}", kind))]
    for limit in others:
        line = Line(f" {'':<{_NAME}} {_format_limit(limit, backend, one, picture, width)}", kind)
        rows.append(_Row(backend, one, line))
    return rows


def _describe(one: AccountStatus, now: float) -> str:
    parts = [one.state if one.state == "ready" else clean(one.reason, 200)]
    if one.until_s is not None and one.state != "ready":
        parts.append(f"until {_format_time(now + one.until_s)}")
    if one.running:
        parts.append(f"{one.running:,} running")
    if one.next:
        parts.append("\N{LEFTWARDS ARROW} next")
    return "   ".join(parts)


def _format_limit(limit: AccountLimit | None, backend: str, one: AccountStatus, picture: Picture, width: int) -> str:
    size = _BAR if width >= _WIDE else _NARROW_BAR
    if limit is None:
        used = 1 - one.headroom
        if not used:
            return f"{amounts.NONE:<{size + 6}}"
        return f"{draw_bar(used, size)} {amounts.format_share(used):>5}"
    text = f"{draw_bar(limit.used, size)} {amounts.format_share(limit.used):>5} {clean(limit.name, 12)}"
    full = _find_full(f"{backend}/{one.alias}", limit, picture) if limit.used >= _NEAR or width >= _WIDE else None
    if full is not None:
        return f"{text}, full at {_format_time(picture.time + full)}"
    return f"{text}{_say_when(picture.time, limit.resets_s)}"


def _find_full(account: str, limit: AccountLimit, picture: Picture) -> float | None:
    """Seconds until it is used up at the rate of the last 15 minutes."""
    if picture.hour is None:
        return None
    found: list[LimitForecast] = [
        entry
        for entry in picture.hour.limits
        if entry.account == account and entry.window and entry.window in limit.name
    ]
    return found[0].full_in_s if found else None


def _say_when(now: float, seconds: float) -> str:
    if seconds <= 0:
        return ""
    return f", new at {_format_time(now + seconds)}" if seconds < 86_400 else f", new in {format_duration(seconds)}"


def _format_time(moment: float) -> str:
    return time.strftime("%H:%M", time.localtime(moment))
