"""How a card is shown: a line for each group, then what is not as it should be with its evidence."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from router.cli.common.layout import NARROW, find_width, wrap, wrap_row
from router.cli.common.output import format_count
from router.conform.age import format_age
from router.conform.probes.table import GROUPS, PROBES
from router.conform.record import Card, Row, format_counts
from router.settings.kinds import clean

_SIGNS = {"yes": "\N{CHECK MARK}", "partly": "~", "no": "\N{BALLOT X}", "unknown": "?"}
# For terminals whose encoding lacks the others.
_PLAIN = {"yes": "+", "partly": "~", "no": "x", "unknown": "?"}
_LABEL = 12
# Rows with one reason that are still shown one by one.
_ALIKE = 3


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
    for sign, about, text in _format_others(others, signs):
        narrow = width is not None and width < NARROW
        label, rest = (f"  {sign} ", f"{about}   {text}") if narrow else (f"  {sign} {about:<22} ", text)
        print("\n".join(wrap_row(label, rest, width)))
    legend = "   ".join(f"{sign} {word}" for word, sign in signs.items())
    print("\n".join(["", *wrap(f"{format_counts(rows)}   ({legend})", width)]))


def _format_others(rows: Sequence[Row], signs: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Sign, probe, and what was asked and what came, for each; unknown ones with one reason, as behind the budget, in
    one."""
    reasons = Counter(row.evidence for row in rows if row.verdict == "unknown")
    told: set[str] = set()
    for row in rows:
        count = reasons[row.evidence] if row.verdict == "unknown" else 1
        if count <= _ALIKE:
            asks = PROBES[row.id].asks if row.id in PROBES else ""
            yield signs[row.verdict], row.id, f"{asks}   {row.evidence}"
        elif row.evidence not in told:
            told.add(row.evidence)
            yield signs[row.verdict], format_count(count, "probe"), row.evidence


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
        print("\n".join(wrap(f"Take this over, for all of its models:   {clean(command)}", find_width())))


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
