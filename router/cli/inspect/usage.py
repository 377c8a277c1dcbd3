"""`fairlead usage`: what was asked, what it cost and how long it took, from history.db; no proxy need run."""

import os
import re
import time
from collections.abc import Sequence

import msgspec

from router.cli.common import budget_lines
from router.cli.common.flush import flush_history
from router.cli.common.layout import GAP, find_width, print_json, wrap
from router.cli.common.output import format_count
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending
from router.cli.inspect.usage_tables import (
    ALL_ROWS,
    HOME,
    KEYS,
    ROWS,
    USAGE_SCHEMA,
    flow,
    format_cost,
    format_lost_cost,
    format_sums,
)
from router.errors import CommandError, UsageError
from router.policy.budget.prices import BY_NAME, REPORTED
from router.policy.cache.causes import WORDS
from router.settings.kinds import clean
from router.store.captures import folder as captures
from router.store.config import toml
from router.store.database.location import locate
from router.store.history import read_usage, reader
from router.store.history.read_usage import UsageSummary, UsageSums
from router.store.history.time_window import parse_since
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown
from router.telemetry.accesslog import HIT
from router.watch import amounts

# What no request did or was, where the table of a key is empty.
_TOLD = "told its {}; Claude Code does with the variables of   fairlead env --tool claude"
_LACKING = {
    "class": _TOLD.format("class"),
    "agent": _TOLD.format("agent"),
    "tag": "had the header x-fairlead-tag",
    "key": "carried a client key",
    "error": "failed",
    "cache": "lost anything that a cache should have had",
    "answers": "might be answered from the cache of answers",
}
# Characters of the label at the beginning of a line.
_LABEL = 9


def run(argv: list[str]) -> int:
    """Print the sums of a period."""
    parser = Parser(
        "usage",
        "Show requests, tokens, cost, latency and errors for a period. p50 / p95 are the times to the first byte of an "
        "answer, accurate to within 9 %. A backend whose price list is not known is priced by the model's name, as the "
        "model's vendor sells it; `fairlead config set prices.MODEL.input` sets a price of your own.",
        examples=[
            "fairlead usage",
            "fairlead usage --since 7d --by day",
            "fairlead usage --since 2026-11-01 --json",
            "fairlead usage --team --since 7d --by home",
        ],
    )
    parser.add_argument(
        "--since", metavar="WHEN", default="60m", help="60m, 24h, 7d, today, or a date such as 2026-11-01 (default 60m)"
    )
    parser.add_argument("--by", metavar="KEY", choices=(*KEYS, HOME), help=f"one table alone: {', '.join(KEYS)}")
    parser.add_argument(
        "--team",
        action="store_true",
        help="what all homes of the team used, by whole hours, and its budgets, from the server at shared.url; --by "
        "also home",
    )
    parser.add_argument("--json", action="store_true", help="print it as JSON, with the fields of GET /analytics")
    options = parser.read(argv)
    now = time.time()
    try:
        begin = parse_since(options.since, now)
    except ValueError as error:
        raise UsageError(f'--since is "{clean(options.since)}"; expected {error}.') from None
    if options.team:
        from router.cli.inspect.team_usage import show_team

        return show_team(begin, now, options.by, as_json=options.json)
    if options.by == HOME:
        raise UsageError("--by home is for --team; this home is one.", "See:   fairlead usage --team --by home")
    home = open_home(os.environ)
    note_pending(home)
    unwritten = flush_history(home)
    now = time.time()
    with reader.open_reader(home) as db:
        found = read_usage.summarize(db, begin, now) if db is not None else read_usage.empty_summary(begin, now)
        days = read_usage.summarize_days(db, begin, now) if db is not None and options.by == "day" else []
    group = days if options.by == "day" else getattr(found, KEYS[options.by]) if options.by else []
    if options.json:
        print_json(_report(found, options.by, group))
        return 0
    width = find_width()
    lines = format_head(found, options.since, unwritten, width)
    if options.by and not group and found.total.requests:
        lines += wrap(f"No request {_LACKING.get(options.by, f'has a row by {options.by}')}.", width)
    elif options.by:
        lines += format_sums(options.by, group, width, ALL_ROWS)
    else:
        lines += format_tables(found, width)
        lines += [part for line in (*_guarded(home), *_captured(home), *_elsewhere(home)) for part in wrap(line, width)]
    print("\n".join(lines))
    return 0


def _report(found: UsageSummary, key: str | None, group: Sequence[UsageSums]) -> dict[str, object]:
    """The sums for programs."""
    whole: dict[str, object] = {"schema": USAGE_SCHEMA, **msgspec.to_builtins(found)}
    if key is None:
        return whole
    kept = {name: whole[name] for name in ("schema", "since", "until", "total")}
    return {**kept, "by": key, "rows": msgspec.to_builtins(group)}


def format_head(found: UsageSummary, asked: str, unwritten: Sequence[str], width: int | None) -> list[str]:
    """The sums of all requests. asked: the period, as `--since` takes it. unwritten: why the history lacks some."""
    total = found.total
    lines = [part for line in unwritten for part in wrap(f"history  {line}", width)]
    if not total.requests:
        hint = "" if unwritten else " Point a tool at the proxy:   fairlead env"
        return [*lines, *wrap(f"{_name_window(asked)}{GAP}no requests.{hint}", width)]
    rate = amounts.format_rate(total.requests, max(60.0, found.until - found.since))
    parts = (
        _name_window(asked),
        format_count(total.requests, "request") + (f" ({rate})" if rate else ""),
        format_count(total.errors, "error"),
        format_cost(total),
    )
    return [*lines, *flow(parts, width)]


def format_tables(found: UsageSummary, width: int | None) -> list[str]:
    """The tables, and the lines below them."""
    total = found.total
    lines: list[str] = []
    for key in ("model", "account", "client", "tag", "key"):
        group = getattr(found, KEYS[key])
        if [one.name for one in group] != [read_usage.UNKNOWN_CLIENT]:
            lines += format_sums(key, group, width, ROWS)
    told = sum(one.requests for one in found.billing_classes)
    shares = [f"{clean(one.name)} {amounts.format_share(one.requests / told)}" for one in found.billing_classes[:ROWS]]
    errors = [f"{clean(one.name)} {one.requests:,}" for one in found.errors[:ROWS]]
    for label, parts in (("billing", shares), ("errors", errors), ("limits", _limits(found))):
        lines += flow(parts, width, label.ljust(_LABEL)) if parts else []
    lines += _cache_losses(found, width)
    reused = _reuse(found)
    lines += flow(reused, width, "answers".ljust(_LABEL)) if reused else []
    notes = [f"the tokens of {format_count(total.estimated, 'request')} are estimates"] * (total.estimated > 0)
    return lines + [part for text in (*notes, *_name_prices(found.prices)) for part in wrap(f"note     {text}", width)]


def _cache_losses(found: UsageSummary, width: int | None) -> list[str]:
    """What caches should have had and did not, by why, the most tokens first."""
    losses = sorted(found.cache_losses, key=lambda one: (-one.cache_lost, one.name))[:ROWS]
    parts = [
        f"{WORDS.get(one.name, clean(one.name))}: {amounts.format_tokens(one.cache_lost)} in "
        f"{format_count(one.requests, 'request')}{format_lost_cost(one)}"
        for one in losses
    ]
    return flow(parts, width, "cache".ljust(_LABEL)) if parts else []


def _reuse(found: UsageSummary) -> list[str]:
    """What the cache of answers gave, and saved; nothing where it was not asked."""
    asked = sum(one.requests for one in found.answer_cache)
    if not asked:
        return []
    hits = sum(one.requests for one in found.answer_cache if one.name == HIT)
    saved = f", which saved {amounts.format_money(found.total.saved_usd)}" if found.total.saved_usd else ""
    return [f"{hits:,} of {asked:,} from the cache{saved}"]


def _name_prices(sources: Sequence[str]) -> list[str]:
    """Where the costs are from, in words."""
    found: list[str] = []
    listed = [clean(source) for source in sources if source != REPORTED]
    if listed:
        found.append(f"prices of {'; '.join(listed)}")
    if any(source.endswith(BY_NAME) for source in sources):
        found.append(
            "by model name: the backend's price list is not known. If its prices differ, set them:   "
            "fairlead config set prices.MODEL.input \N{HORIZONTAL ELLIPSIS}"
        )
    return found + ["some costs were reported by the provider"] * (REPORTED in sources)


def _captured(home: Home) -> list[str]:
    """Where bodies lie, while they are captured and as long as any are left."""
    left = captures.sweep(home)
    where = captures.folder(home)
    if where is None:
        return []
    bodies = f"the bodies of {format_count(left, 'request')} are in {shown(where)}, each for 24 h"
    return [f"capture  {bodies}. Stop it:   fairlead config set history.capture off"]


def _guarded(home: Home) -> list[str]:
    try:
        return budget_lines.format_budget_lines(home, toml.load(home, os.environ).settings)
    except CommandError:
        # What was used can be read whatever is wrong in config.toml.
        return []


def _elsewhere(home: Home) -> list[str]:
    place = locate(home)
    return [f"note     {place.elsewhere}"] if place.elsewhere else []


def _name_window(asked: str) -> str:
    """`last 60 min`, `last 7 d`, `today`, `since 2026-11-01`."""
    asked = asked.strip().lower()
    match = re.fullmatch(r"(\d+)\s*(m|min|h|d|w)", asked)
    if match is None:
        return asked if asked == "today" else f"since {clean(asked)}"
    count, unit = int(match[1]), match[2]
    if unit == "w":
        return f"last {7 * count} d"
    return f"last {count} {'min' if unit == 'm' else unit}"


def _limits(found: UsageSummary) -> list[str]:
    accounts: dict[str, list[str]] = {}
    for limit in found.limits:
        text = f"{limit.window} {amounts.format_share(limit.utilisation)} in use".strip()
        if limit.full_in_s is not None and limit.full_in_s < 86400:
            text += f", full in about {amounts.format_seconds(limit.full_in_s * 1000)} at this rate"
        accounts.setdefault(limit.account, []).append(text)
    return [f"{clean(account)} {', '.join(texts)}" for account, texts in [*accounts.items()][:ROWS]]
