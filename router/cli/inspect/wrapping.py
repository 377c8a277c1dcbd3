"""Lays out a line of facts for the width of a terminal: facts and commands stay whole where they can."""

import re
from collections.abc import Iterator

from router.cli.common.output import GAP, LEAST_WIDTH

# Terminals below this width show continued lines further left.
_NARROW = 60
_INDENT = 4
_COMMAND = re.compile(r"(?<=[:;,]) (?=(?:then )?fairlead [a-z])")


def wrap_row(label: str, text: str, width: int | None) -> list[str]:
    """The lines of a row. label: what stands before the text, with the spaces up to it. text: facts with GAP between
    them. width: of the terminal, None for lines of any length. A command is never broken, so that it can be copied."""
    if width is None or len(label) + len(text) <= width:
        return [(label + text).rstrip()]
    width = max(width, LEAST_WIDTH)
    indent = " " * (len(label) if width >= _NARROW and label else _INDENT)
    lines = [label]
    fresh = True
    for gap, unit in _split(text, width - len(indent)):
        if fresh or len(lines[-1]) + len(gap) + len(unit) <= width:
            lines[-1] += unit if fresh else gap + unit
        else:
            lines.append(indent + unit)
        fresh = False
    return [line.rstrip() for line in lines]


def _split(text: str, room: int) -> Iterator[tuple[str, str]]:
    """The units that stay whole, each with what stands before it on the same line. room: characters of a line."""
    for fact in text.split(GAP):
        gap = GAP
        for piece in _COMMAND.split(fact):
            command = piece.removeprefix("then ").startswith("fairlead ")
            units = piece.split(" ") if len(piece) > room // 2 and not command else [piece]
            for unit in units:
                yield gap, unit
                gap = " "
