"""Lays out what commands print, for a terminal of any width: words and commands stay whole, so that they can be copied.
What goes to a pipe is not broken."""

import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

#: Between two columns of a table, or two facts of a line.
GAP = "   "
#: Stands for a value that is not known.
NONE = "\N{EN DASH}"
#: The width of help pages where lines can have any length.
USUAL_WIDTH = 80
#: Lines are not broken for a narrower terminal.
_LEAST_WIDTH = 24
#: Terminals below this width show continued lines further left.
NARROW = 60
_INDENT = 4
#: The commands that are kept whole inside a sentence.
NAMES = (
    *("proxy", "demo", "init", "stop", "status", "run", "env", "backend", "accounts", "keys", "config"),
    *("explain", "usage", "why", "history", "resume", "restart", "models", "completions", "upgrade", "setup"),
    *("login", "service", "doctor", "mcp", "repro", "replay", "log", "top", "subagent", "conform", "cache", "ui"),
)
_COMMAND = re.compile(
    rf"((?<!\S)`[^`]*`[.,;:)]*|(?<!\S)\(?(?:then )?fairlead (?:{'|'.join(NAMES)})\b"
    r".*?(?:(?<![.,;:)])[.,;:)]++(?= |$)|$)|export \w+=.*)"
)
# What continued lines stand behind.
_LABEL = re.compile(r" *(?:(?:error|warning|note): |[a-z]{1,9} {3,})?")


def find_width(stream: Any = None) -> int | None:
    """The columns of the terminal that reads the stream, or what $COLUMNS says; None where lines can have any length,
    as in a pipe. stream: stdout when None."""
    named = os.environ.get("COLUMNS", "")
    # Longer numbers are no width, and `int` refuses very long ones.
    if named.isdecimal() and int(named[:5]):
        return max(int(named[:5]), _LEAST_WIDTH)
    try:
        columns = os.get_terminal_size((stream or sys.stdout).fileno()).columns
        return max(columns, _LEAST_WIDTH) if columns else None
    except (OSError, ValueError, AttributeError):
        return None


def say(text: str) -> None:
    """Print lines of the command's output."""
    print("\n".join(wrap(text, find_width())))


def note(text: str) -> None:
    """Print lines on stderr, beside the command's output."""
    print("\n".join(wrap(text, find_width(sys.stderr))), file=sys.stderr)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print a value as JSON in ASCII: escapes in place of characters that a terminal could take for something else."""
    import json

    print(json.dumps(value, indent=indent).replace("\x7f", "\\u007f"))


def make_printable(line: str) -> str:
    """A line with its control characters as escapes. Texts of other programs, names of files and of processes come
    here in many ways, so that it is done where lines are printed."""
    if line.isprintable():
        return line
    # Late: most lines need none of it, and `--help` none of the settings.
    from router.settings.kinds import escape_controls

    return escape_controls(line)


def wrap(text: str, width: int | None, indent: str = "") -> list[str]:
    """The lines of a text; a long one continues below its first word, or below what follows `error:` or a label. width:
    of the terminal, None for lines of any length. indent: before all lines."""
    narrow = width is not None and width < NARROW
    lines: list[str] = []
    for line in map(make_printable, text.split("\n")):
        label = _LABEL.match(line)
        first = label[0] if label else ""
        rest = " " * (min(len(first), _INDENT) if narrow else len(first))
        said = line[len(first) :]
        lines += _fill(indent + (first if first.strip() else rest), indent + rest, said, width)
    return lines


def wrap_row(label: str, text: str, width: int | None) -> list[str]:
    """The lines of a row. label: what stands before the text, with the spaces up to it. text: facts with GAP between
    them; each is whole where it can be. width: of the terminal, None for lines of any length."""
    wide = label and width is not None and width >= NARROW
    text = make_printable(text)
    return _fill(label, " " * (len(label) if wide else _INDENT), text, width)


def _fill(first: str, rest: str, text: str, width: int | None) -> list[str]:
    """The lines of a text. first, rest: what the first line begins with, and the others."""
    if width is None or len(first) + len(text) <= width:
        return [(first + text).rstrip()]
    lines = [first]
    fresh = True
    for gap, unit in _split(text, width - len(rest)):
        gap = "" if fresh else gap
        if len(lines[-1]) + len(gap) + len(unit) <= width or (fresh and first.strip()):
            lines[-1] += gap + unit
        else:
            # A long command starts further left.
            begin = rest[: width - len(unit)] if len(unit) <= width else rest[:2]
            lines[-1 if fresh else len(lines) :] = [begin + unit]
        fresh = False
    return [line.rstrip() for line in lines]


def _split(text: str, room: int) -> Iterator[tuple[str, str]]:
    """The units that stay whole, each with what stands before it on the same line. room: characters of a line."""
    asked = False
    for fact in text.split(GAP):
        gap = GAP
        # What stands alone behind a colon is to be typed.
        pieces = [fact] if asked and "fairlead " not in fact else _COMMAND.split(fact)
        for place, piece in enumerate(pieces):
            whole = place % 2 or (len(pieces) == 1 and (asked or len(piece) <= room // 2))
            for unit in [piece] if whole else piece.split():
                if unit.strip():
                    yield gap, unit.strip()
                    gap = " "
        asked = fact.endswith(":")


def format_table(
    rows: Sequence[Sequence[str]],
    indent: str = "",
    *,
    header: Sequence[str] = (),
    right: Collection[int] = (),
    width: int | None = None,
) -> list[str]:
    """One line per row, columns aligned. header: the names of the columns. right: the numbers of those with figures.
    width: of the terminal, None for any; columns that do not fit it move to lines of their own below the row."""
    room = width - len(indent) if width is not None else None
    rows = [[make_printable(cell) for cell in row] for row in rows]
    widths, fitting = _choose_columns([*([header] if header else []), *rows], room)
    lines: list[str] = []
    for row in [header, *rows] if header else rows:
        cells = [
            cell.rjust(size) if place in right else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        beside = min(fitting, _count_fitting([len(cell) for cell in cells], room))
        lines.append((indent + GAP.join(cells[:beside])).rstrip())
        rest = GAP.join(cell for cell in row[beside:] if cell not in ("", NONE))
        if rest and row is not header:
            lines += wrap(rest, width, indent + "  ")
    return lines


def _choose_columns(rows: Sequence[Sequence[str]], room: int | None) -> tuple[list[int], int]:
    """The widths of the columns, and how many stand side by side. A few rows that are too long for any columns do not
    count, where the others can have more columns then."""
    widths = _measure(rows)
    fitting = _count_fitting(widths, room)
    usual = [row for row in rows if room is None or len(GAP.join(row)) <= room]
    if len(usual) * 2 <= len(rows):
        return widths, fitting
    others = _measure(usual)
    more = _count_fitting(others, room)
    return (others, more) if more > fitting else (widths, fitting)


def _measure(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _count_fitting(widths: Sequence[int], room: int | None) -> int:
    """How many of the first columns fit side by side, one at least."""
    used, number = 0, 0
    for size in widths:
        used += size + (len(GAP) if number else 0)
        if number and room is not None and used > room:
            return number
        number += 1
    return number


def format_listing(rows: Sequence[tuple[str, str]], width: int | None, size: int) -> list[str]:
    """Names with what they mean beside them. size: the least width of the names."""
    rest = " " * (size + 3)
    return [line for name, about in rows for line in _fill(f"  {name:<{size}} ", rest, about, width)]
