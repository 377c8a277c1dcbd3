"""The tables of `fairlead usage`: the sums by one key, for a terminal of any width."""

from collections.abc import Sequence
from typing import NamedTuple

from router.cli.common.layout import GAP, format_table, wrap, wrap_row
from router.settings.kinds import clean
from router.store.history.read_usage import UsageSums
from router.watch import amounts

USAGE_SCHEMA = 1
#: What the sums can be by, and the field of the summary that has them; days are added up apart.
KEYS = {
    "model": "models",
    "account": "accounts",
    "client": "clients",
    "tag": "tags",
    "key": "keys",
    "class": "classes",
    "agent": "agents",
    "day": "",
    "error": "errors",
    "cache": "cache_losses",
    "answers": "answer_cache",
}
#: What the sums of a team can be by besides.
HOME = "home"
# Rows of a table, where it is one of several and where it was asked for.
ROWS, ALL_ROWS = 15, 400
# What is left at least of a name, in characters.
_SHORTEST = 12


class _Column(NamedTuple):
    """One column of a table."""

    name: str
    cells: list[str]
    #: Which goes first where the terminal is too narrow: the highest. 0 stays.
    weight: int


def _format_lost(sums: UsageSums) -> str:
    return f"{amounts.format_tokens(sums.cache_lost)}{format_lost_cost(sums)}" if sums.cache_lost else amounts.NONE


def _format_saved(sums: UsageSums) -> str:
    return amounts.format_money(sums.saved_usd) if sums.saved_usd else amounts.NONE


def format_lost_cost(sums: UsageSums) -> str:
    """What the tokens that a cache lost cost more, in brackets; '' for nothing."""
    return f" ({amounts.format_money(sums.cache_lost_usd)})" if sums.cache_lost_usd else ""


def format_cost(sums: UsageSums) -> str:
    """What is known of the cost: a dash where there was nothing to pay for, such as requests that were refused; what
    has no price is said, never guessed."""
    if sums.unpriced:
        return f"{amounts.format_money(sums.cost_usd)} + {sums.unpriced:,} unpriced" if sums.cost_usd else "unpriced"
    used = sums.tokens_in + sums.tokens_out + sums.cache_read + sums.cache_write
    return amounts.format_money(sums.cost_usd) if sums.cost_usd or used else amounts.NONE


def _format_known_cost(sums: UsageSums) -> str:
    """The cost where a column of its own has what is unpriced."""
    known = format_cost(sums)
    return known if known == "unpriced" or not sums.unpriced else f"over {amounts.format_money(sums.cost_usd)}"


def _format_errors(sums: UsageSums) -> str:
    if not sums.errors:
        return amounts.NONE
    return f"{sums.errors:,} ({amounts.format_share(sums.errors / sums.requests)})"


def _format_first_byte(sums: UsageSums) -> str:
    first = sums.first_byte_ms
    return f"{amounts.format_seconds(first['p50'])} / {amounts.format_seconds(first['p95'])}" if first["p50"] else ""


def format_sums(
    key: str, group: Sequence[UsageSums], width: int | None, most: int, more_by: str = "fairlead usage"
) -> list[str]:
    """The sums by one key. A narrow terminal gets fewer columns. more_by: the command that shows all rows."""
    if not group:
        return []
    rows, more = group[:most], len(group) - most
    # An account of a backend without keys is the backend.
    names = [clean(one.name.removesuffix("/none") if key == "account" else one.name, 60) for one in rows]
    unpriced = any(one.unpriced and one.cost_usd for one in rows)
    columns = [
        _Column("requests", [f"{one.requests:,}" for one in rows], 0),
        _Column("errors", [_format_errors(one) for one in rows], 1),
        _Column("in", [amounts.format_tokens(one.tokens_in) for one in rows], 2),
        _Column(
            "cached",
            [amounts.format_share(one.cached_share) if one.cache_read else amounts.NONE for one in rows],
            4,
        ),
        *[_Column("lost", [_format_lost(one) for one in rows], 4)] * any(one.cache_lost for one in rows),
        *[_Column("saved", [_format_saved(one) for one in rows], 4)] * any(one.saved_usd for one in rows),
        _Column("out", [amounts.format_tokens(one.tokens_out) for one in rows], 2),
        _Column("p50 / p95", [_format_first_byte(one) or amounts.NONE for one in rows], 3),
        _Column("cost", [_format_known_cost(one) for one in rows], 0),
        *[_Column("unpriced", [f"{one.unpriced:,}" for one in rows], 3)] * unpriced,
    ]
    columns, names = _fit(columns, names, width)
    lines = format_table(
        [[name, *cells] for name, cells in zip(names, zip(*(one.cells for one in columns), strict=True), strict=True)],
        "  ",
        header=[key, *(one.name for one in columns)],
        right=range(1, len(columns) + 1),
        width=width,
    )
    return lines + wrap(f"  and {more:,} more:   {more_by} --by {key} --json", width) * (more > 0)


def _fit(columns: list[_Column], names: list[str], width: int | None) -> tuple[list[_Column], list[str]]:
    """The columns that fit, the least important left out first; if the names are still too long, they are cut."""
    if width is None:
        return columns, names
    room = width - len("  ")
    while (used := sum(len(GAP) + max(map(len, (one.name, *one.cells))) for one in columns)) + max(
        map(len, names)
    ) > room and (least := max(one.weight for one in columns)):
        columns = [one for one in columns if one.weight < least]
    most = max(_SHORTEST, room - used)
    return columns, [name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}" for name in names]


def flow(parts: Sequence[str], width: int | None, label: str = "") -> list[str]:
    """The parts side by side, as many on each line as fit; each is in one piece where it can be."""
    return wrap_row(label, GAP.join(parts), width)
