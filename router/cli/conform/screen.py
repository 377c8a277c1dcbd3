"""How a card is shown: a line for each group, then what is not as it should be with its evidence."""

import sys
from collections.abc import Mapping, Sequence

from router.cli.common.layout import find_width, wrap, wrap_row
from router.cli.common.output import format_count
from router.conform.age import format_age
from router.conform.probes.table import GROUPS
from router.conform.record import Card, Row, format_counts
from router.settings.kinds import clean

_SIGNS = {"yes": "\N{CHECK MARK}", "partly": "~", "no": "\N{BALLOT X}", "unknown": "?"}
# For terminals whose encoding lacks the others.
_PLAIN = {"yes": "+", "partly": "~", "no": "x", "unknown": "?"}
_LABEL = 12


def print_card(card: Card, rows: Sequence[Row], spent: str) -> None:
    """Print rows of a card. spent: what the run came to, '' for a card that was made before."""
    width, signs = find_width(), _choose_signs()
    print("\n".join(wrap_row(f"{clean(card.backend)}   ", f"{clean(card.model)}   {spent or format_age(card)}", width)))
    for group in GROUPS:
        of_group = [row for row in rows if row.group == group.name]
        if of_group:
            said = "   ".join(f"{signs[row.verdict]} {row.id.partition('.')[2]}" for row in of_group)
            print("\n".join(wrap_row(f"  {group.name:<{_LABEL}} ", said, width)))
    others = [row for row in rows if row.verdict != "yes"]
    if others:
        print()
    for row in others:
        print("\n".join(wrap_row(f"  {signs[row.verdict]} {row.id:<21}   ", f"{row.evidence}", width)))
    legend = "   ".join(f"{sign} {word}" for word, sign in signs.items())
    print("\n".join(["", *wrap(f"{format_counts(rows)}   ({legend})", width)]))


def print_differences(card: Card, *, applied: bool) -> None:
    """Print what the profile lacks, and how to take it over."""
    if not card.profile_diff:
        return
    print("\n".join(["", *wrap(f"[backends.{card.backend}.profile]", find_width())]))
    for one in card.profile_diff:
        said = f"{format_value(one.now)} -> {format_value(one.seen)}   {', '.join(one.probes)}"
        print("\n".join(wrap_row(f"  {one.flag:<18} ", clean(said), find_width())))
    if not applied:
        command = f"fairlead conform {card.backend} --model {card.model} --show --apply"
        print("\n".join(wrap(f"Take this over:   {clean(command)}", find_width())))


def format_value(value: object) -> str:
    """A value of a flag as config.toml has it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value)) or "none"  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return f"{value}" if value != "" else '""'


def format_spent(card: Card) -> str:
    """Requests, tokens and cost of a run."""
    parts = [format_count(card.requests, "request"), f"{card.tokens_in + card.tokens_out:,} tokens"]
    if card.cost:
        parts.append(f"${card.cost:.4f}")
    elif card.cost is None:
        parts.append("its price is not known")
    return ", ".join(parts)


def _choose_signs() -> Mapping[str, str]:
    try:
        "".join(_SIGNS.values()).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _PLAIN
    return _SIGNS
