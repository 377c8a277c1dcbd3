"""A card as Markdown, for an issue or a page."""

from router.conform.probes.table import PROBES
from router.conform.record import Card, Row, format_counts


def format_markdown(card: Card) -> str:
    """The whole card. The backend's URL is left out: it may name a private host."""
    lines = [
        f"### {_escape(card.backend)}: {_escape(card.model)}",
        "",
        f"{format_counts(card.probes)}. fairlead {card.fairlead}, {card.date[:10]}.",
        "",
        "| probe | yes means | verdict | evidence |",
        "|---|---|---|---|",
        *(f"| {row.id} | {_find_question(row)} | {row.verdict} | {_escape(row.evidence)} |" for row in card.probes),
    ]
    if card.profile_diff:
        lines += ["", "| profile | now | seen |", "|---|---|---|"]
        lines += [f"| {one.flag} | {_escape(str(one.now))} | {_escape(str(one.seen))} |" for one in card.profile_diff]
    return "\n".join(lines)


def _find_question(row: Row) -> str:
    """What was asked; '' for a probe of another version."""
    return PROBES[row.id].asks if row.id in PROBES else ""


def _escape(text: str) -> str:
    """Text of the network that is shown as it is, and neither ends a cell nor is taken for markup."""
    for char in "\\`*_{}[]<>|#@":
        text = text.replace(char, f"\\{char}")
    return text
