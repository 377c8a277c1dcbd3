"""The lines of `fairlead status`: what a proxy reports, for a terminal of any width."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from router.cli.common import budget_lines
from router.cli.common.layout import GAP, format_table, wrap_row
from router.cli.common.output import format_count
from router.operator_api.accounts import AccountStatus
from router.operator_api.status import (
    BackendStatus,
    ProcessStatus,
    RunningRequest,
    Status,
)
from router.policy.accounts.retry import format_duration
from router.policy.budget.guard import explain_untold
from router.policy.routing.table import DEMO
from router.settings import Loaded
from router.settings.kinds import clean
from router.store.history.read_usage import UsageSums
from router.store.home.home import Home
from router.store.home.permissions import shown
from router.watch import amounts

if TYPE_CHECKING:
    # It brings trio, for which the first frame of the full-screen view would wait.
    from router.cli.common.offers import Offer

_LABEL = 9
#: Requests that are listed.
_ROWS = 20


class Row(NamedTuple):
    """A label, with the spaces behind it, and facts with GAP between them."""

    label: str
    text: str


class Screen(NamedTuple):
    """What is shown beside a proxy's own report."""

    #: Names of backends that are disabled.
    disabled: Sequence[str]
    #: Sums of today; None when they cannot be read.
    today: UsageSums | None
    #: The settings; None when they cannot be read.
    loaded: Loaded | None
    home: Home
    #: More than one proxy of this home runs.
    several: bool
    #: Local servers that could be added.
    offers: "Sequence[Offer]" = ()


def format_screen(status: Status, screen: Screen, width: int | None) -> list[str]:
    """The lines on one proxy. width: of the terminal, None for lines of any length."""
    above = [*_head(status, screen), *_backends(status, screen.disabled)]
    below = [*_today(screen), *_budgets(screen), *_untold(status), *_notes(status), *_offers(screen)]
    return [*_lay_out(above, width), *format_running(status, width), *_lay_out(below, width)]


def _head(status: Status, screen: Screen) -> list[Row]:
    served = f"{judge(status)} for {format_duration(status.uptime_s)}"
    parts = (f"fairlead {status.version}", status.url, served, f"{status.running_count:,} running", f"pid {status.pid}")
    lines = [Row("", GAP.join(parts)), *_process(status.process)]
    if screen.several:
        lines.append(_row("problem", "several proxies of this home run; end one: fairlead stop --port PORT"))
    return [*lines, *(_row("problem", clean(problem, 600)) for problem in status.problems)]


def _process(process: ProcessStatus) -> list[Row]:
    """Where a proxy runs that has no terminal, and where its log is."""
    if process.mode == "detached":
        return [_row("runs", f"in the background{GAP}log: {shown(Path(process.log or ''))}")]
    if process.mode == "tied":
        return [_row("runs", "for one `fairlead run`, and ends with it")]
    if process.log is not None:
        return [_row("runs", f"for {clean(process.unit, 300)}{GAP}log: {shown(Path(process.log))}")]
    scope = {"user unit": "--user ", "system unit": ""}.get(process.mode)
    if scope is None:
        return []
    unit = clean(process.unit, 300)
    return [_row("runs", f"for {unit}{GAP}log: journalctl {scope}-u {shlex.quote(unit.removesuffix('.service'))}")]


def judge(status: Status) -> str:
    """How the proxy is, in a word or two."""
    if status.guard.state == "halted" and any(halt.scope == "all" for halt in status.guard.halts):
        return "halted"
    if status.vitals.stalled_s is not None:
        return f"stalled for {format_duration(status.vitals.stalled_s)}"
    able = any(backend.problem is None for backend in status.backends if backend.name != DEMO)
    only_demo = all(backend.name == DEMO for backend in status.backends)
    if not status.backends:
        return "running without backends"
    return "serving" if able else "serving the demo alone" if only_demo else "no backend can serve"


def _backends(status: Status, disabled: Sequence[str]) -> list[Row]:
    """A line for each backend, and below it one for each account where it has several."""
    rows: list[tuple[str, str]] = []
    for backend in status.backends:
        rows.append((backend.name, _describe_backend(backend)))
        if len(backend.accounts) > 1:
            rows += [(f"  {account.alias}", _describe_account(account)) for account in backend.accounts]
    rows += [(name, f"disabled   fairlead backend enable {name}") for name in disabled]
    wide = max((len(name) for name, _ in rows), default=0)
    return [Row(f"{clean(name).ljust(max(wide, _LABEL - 1))} ", text) for name, text in rows]


def _describe_backend(backend: BackendStatus) -> str:
    only = backend.accounts[0] if len(backend.accounts) == 1 else None
    state = "up" if only is None or only.reason == "ready" else _describe_state(only)
    parts = [state if backend.problem is None else clean(backend.problem, 300).rstrip(".")]
    if backend.models or backend.problem is None:
        parts.append(format_count(backend.models, "model"))
    if len(backend.accounts) > 1:
        parts.append(format_count(len(backend.accounts), "account"))
    elif only is not None and backend.problem is None:
        parts += _describe_limits(only)
    if backend.queue.running:
        parts.append(f"{backend.queue.running:,} running")
    if backend.queue.waiting:
        parts.append(f"{backend.queue.waiting:,} waiting")
    return GAP.join(parts)


def _describe_account(account: AccountStatus) -> str:
    parts = [_describe_state(account)]
    if account.state == "ready":
        parts += _describe_limits(account)
    if account.running:
        parts.append(f"{account.running:,} running")
    if account.next:
        parts.append("next")
    return GAP.join(parts)


def _describe_state(account: AccountStatus) -> str:
    """The state in words; a refused key is called that."""
    if account.state == "cooling" and account.until_s is not None:
        refused = "key refused (401)" if "401" in account.reason else "refused (403)"
        return f"{refused}, paused for {format_duration(account.until_s)}"
    return clean(account.reason, 300)


def _describe_limits(account: AccountStatus) -> list[str]:
    """What is left of the account, once its answers have said so."""
    if not account.limits and account.headroom >= 1:
        return []
    used = ", ".join(f"{clean(one.name)} {amounts.format_share(one.used)} in use" for one in account.limits)
    return [f"{amounts.format_share(account.headroom)} left" + (f" ({used})" if used else "")]


def format_running(status: Status, width: int | None) -> list[str]:
    """A line for each running request, with an empty one before and after."""
    if not status.running:
        return []
    rows = [_describe_request(one) for one in status.running[:_ROWS]]
    lines = ["", *format_table(rows, header=("age", "model", "tool", "account", "now"), width=width)]
    more = status.running_count - len(rows)
    return [*lines, *([f"... and {more:,} more"] if more > 0 else []), ""]


def _describe_request(one: RunningRequest) -> tuple[str, ...]:
    now = f"waits for {clean(one.waits)}" if one.waits else "answering"
    if one.tokens:
        now += f"   {format_count(one.tokens, 'token')} so far"
    if one.attempts > 1:
        now += f"   attempt {one.attempts}"
    account = f"{clean(one.backend)}/{clean(one.account)}" if one.backend else amounts.NONE
    names = (clean(one.model, 40) or amounts.NONE, clean(one.client or one.tag) or amounts.NONE)
    return (format_duration(one.age_s), *names, account, now)


def _today(screen: Screen) -> list[Row]:
    total = screen.today
    if total is None or not total.requests:
        return []
    cost = amounts.format_money(total.cost_usd) if total.cost_usd or not total.unpriced else ""
    unpriced = f"{format_count(total.unpriced, 'request')} without a price" if total.unpriced else ""
    parts = (format_count(total.requests, "request"), format_count(total.errors, "error"), cost, unpriced)
    return [_row("today", GAP.join(part for part in parts if part))]


def _budgets(screen: Screen) -> list[Row]:
    """The lines of the guard, whose labels are as wide as the others."""
    if screen.loaded is None:
        return []
    lines = budget_lines.format_budget_lines(screen.home, screen.loaded.settings)
    return [Row(line[:_LABEL], line[_LABEL:]) for line in lines]


def _untold(status: Status) -> list[Row]:
    """The calls that this proxy could not count in a budget; the history does not know them."""
    line = explain_untold((one.part, one.requests) for one in status.guard.not_counted)
    return [_row("guard", line)] if line else []


def _notes(status: Status) -> list[Row]:
    lines: list[Row] = []
    if status.history.problem is not None:
        lines.append(_row("history", clean(status.history.problem, 300)))
    if status.shared is not None:
        lines.append(_row("shared", budget_lines.describe_server(status.shared)))
    if status.telemetry is not None:
        lines.append(_row("spans", budget_lines.describe_export(status.telemetry)))
    if status.refused:
        reasons = ", ".join(f"{clean(reason)} {count:,}" for reason, count in status.refused.items())
        total = sum(status.refused.values())
        lines.append(_row("refused", f"{total:,} requests at the gate since start: {reasons}"))
    if status.capture.on:
        folder = shown(Path(status.capture.folder))
        lines.append(_row("capture", f"bodies are kept in {folder}; end it: fairlead config set history.capture off"))
    cache = status.answer_cache
    if cache is not None and cache.on:
        where = f"answers are kept in {shown(Path(cache.path))}; delete them: fairlead cache clear"
        lines.append(_row("cache", clean(cache.problem, 300) if cache.problem else where))
    if any(backend.name == DEMO for backend in status.backends):
        lines.append(_row("demo", "its models answer without a provider; end it: fairlead config set demo off"))
    return lines


def _offers(screen: Screen) -> list[Row]:
    return [_row("found", f"{offer.about}; add it: {offer.command}") for offer in screen.offers]


def _row(name: str, text: str) -> Row:
    return Row(f"{name:<{_LABEL - 1}} ", text)


def _lay_out(rows: Sequence[Row], width: int | None) -> list[str]:
    return [line for row in rows for line in wrap_row(*row, width)]
