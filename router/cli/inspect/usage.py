"""`fairlead usage`: what was asked, what it cost and how long it took, from history.db; no proxy need run."""

import json
import os
import time
from collections.abc import Sequence

import msgspec

from router.cli.common import amounts, budget_lines
from router.cli.common.output import format_count
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending
from router.errors import CommandError, UsageError
from router.settings.kinds import clean
from router.store.config import toml
from router.store.database.location import locate
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSummary, UsageSums
from router.store.history.time_window import parse_since
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown
from router.store.shared import captures

USAGE_SCHEMA = 1
_ROWS = 15
_HEAD = ("requests", "errors", "in", "cached", "out", "first byte p50 / p95", "cost")


def run(argv: list[str]) -> int:
    """Print the sums of a time."""
    parser = Parser(
        "usage",
        "Show requests, tokens, cost, latency and errors per model, account and client, and the share of each billing "
        "class. Percentiles are exact to 9 %.",
        examples=["fairlead usage", "fairlead usage --since 7d", "fairlead usage --since 2026-11-01 --json"],
    )
    parser.add_argument(
        "--since", metavar="WHEN", default="60m", help="60m, 24h, 7d, today, or a date such as 2026-11-01 (default 60m)"
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON, with the fields of GET /analytics")
    options = parser.read(argv)
    now = time.time()
    try:
        begin = parse_since(options.since, now)
    except ValueError as error:
        raise UsageError(f'--since is "{clean(options.since)}"; expected {error}.') from None
    home = open_home(os.environ)
    note_pending(home)
    with reader.open_reader(home) as db:
        found = read_usage.summarize(db, begin, now) if db is not None else read_usage.empty_summary(begin, now)
    if options.json:
        print(json.dumps({"schema": USAGE_SCHEMA, **msgspec.to_builtins(found)}, indent=2))
    else:
        lines = [*_lines(found, options.since), *_guarded(home), *_captured(home), *_elsewhere(home)]
        print("\n".join(lines))
    return 0


def _lines(found: UsageSummary, asked: str) -> list[str]:
    total = found.total
    if not total.requests:
        return [f"{_span(asked)}   no requests. Point a tool at the proxy:   fairlead env"]
    minutes = max(1.0, (found.until - found.since) / 60)
    lines = [
        "   ".join(
            (
                _span(asked),
                f"{format_count(total.requests, 'request')} ({total.requests / minutes:.3g}/min)",
                format_count(total.errors, "error"),
                _cost(total),
            )
        )
    ]
    groups = (("model", found.models), ("account", found.accounts), ("client", found.clients), ("tag", found.tags))
    for title, group in groups:
        if group:
            lines += _table(title, group)
    lines += _shares("billing", found.billing_classes)
    lines += [f"errors   {'   '.join(f'{clean(one.name)} {one.requests:,}' for one in found.errors[:_ROWS])}"] * bool(
        found.errors
    )
    lines += _limits(found)
    if total.estimated:
        lines.append(f"note     the tokens of {format_count(total.estimated, 'request')} are estimates")
    if found.prices:
        lines.append(f"note     prices of {'; '.join(clean(source) for source in found.prices)}")
    return lines


def _captured(home: Home) -> list[str]:
    """Where bodies lie, while they are captured and as long as any are left."""
    left = captures.sweep(home)
    where = captures.folder(home)
    if where is None:
        return []
    bodies = f"the bodies of {format_count(left, 'request')} lie in {shown(where)}, each for 24 h"
    return [f"capture  {bodies}; to end that:   fairlead config set history.capture off"]


def _guarded(home: Home) -> list[str]:
    try:
        return budget_lines.format_budget_lines(home, toml.load(home, os.environ).settings)
    except CommandError:
        # What was used can be read whatever is wrong in config.toml.
        return []


def _elsewhere(home: Home) -> list[str]:
    place = locate(home)
    return [f"note     {place.elsewhere}"] if place.elsewhere else []


def _span(asked: str) -> str:
    names = {"60m": "last 60 min", "1h": "last 60 min", "24h": "last 24 h", "today": "today"}
    return names.get(asked, f"since {asked}" if "-" in asked else f"last {asked}")


def _cost(sums: UsageSums) -> str:
    """What is known of the cost; what has no price is said, never guessed."""
    if not sums.unpriced:
        return amounts.format_money(sums.cost_usd)
    if not sums.cost_usd and sums.unpriced:
        return "unpriced"
    return f"{amounts.format_money(sums.cost_usd)} + {sums.unpriced:,} unpriced"


def _table(title: str, group: Sequence[UsageSums]) -> list[str]:
    shown, rest = group[:_ROWS], len(group) - _ROWS
    rows: list[tuple[str, ...]] = [(title, *_HEAD)]
    for sums in shown:
        first = sums.first_byte_ms
        rows.append(
            (
                clean(sums.name, 60),
                f"{sums.requests:,}",
                f"{sums.errors:,} ({amounts.format_share(sums.errors / sums.requests)})"
                if sums.errors
                else amounts.NONE,
                amounts.format_tokens(sums.tokens_in),
                amounts.format_share(sums.cached_share) if sums.cache_read else amounts.NONE,
                amounts.format_tokens(sums.tokens_out),
                f"{amounts.format_seconds(first['p50'])} / {amounts.format_seconds(first['p95'])}"
                if first["p50"]
                else amounts.NONE,
                _cost(sums),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  "
        + "   ".join(
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return lines + ([f"  and {rest:,} more:   fairlead usage --json"] if rest > 0 else [])


def _shares(title: str, group: Sequence[UsageSums]) -> list[str]:
    if not group:
        return []
    told = sum(one.requests for one in group)
    return [
        f"{title}  "
        + "   ".join(f"{clean(one.name)} {amounts.format_share(one.requests / told)}" for one in group[:_ROWS])
    ]


def _limits(found: UsageSummary) -> list[str]:
    accounts: dict[str, list[str]] = {}
    for limit in found.limits:
        text = f"{limit.window} {amounts.format_share(limit.utilisation)} in use".strip()
        if limit.full_in_s is not None and limit.full_in_s < 86400:
            text += f", full in about {amounts.format_seconds(limit.full_in_s * 1000)} at this rate"
        accounts.setdefault(limit.account, []).append(text)
    parts = [f"{clean(account)} {', '.join(texts)}" for account, texts in [*accounts.items()][:_ROWS]]
    return [f"limits   {'   '.join(parts)}"] if parts else []
