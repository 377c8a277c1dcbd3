"""Output that several commands print: tables, the lines that point a tool at the proxy, unreadable backends."""

import contextlib
import os
import sys
import textwrap
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence

from router.backends import APIS, Backend, speaks_api
from router.cli.common.parser import note
from router.settings import Loaded, Settings
from router.settings.kinds import NO_KEY
from router.store.config import toml
from router.store.config.backends import Problem
from router.store.home.home import Home

#: Between two columns of a table.
GAP = "   "
#: Lines are not broken for a narrower terminal.
LEAST_WIDTH = 24


def find_width() -> int | None:
    """The columns of the terminal that reads the output, or what $COLUMNS says; None where lines can have any length,
    as in a pipe."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return int(named)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError, AttributeError):
        return None


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
    every = [header, *rows] if header else rows
    widths = [max(len(cell) for cell in column) for column in zip(*every, strict=True)]
    room = width - len(indent) if width is not None else None
    fitting = _count_fitting(widths, room)
    lines: list[str] = []
    for row in every:
        cells = [
            cell.rjust(size) if place in right else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append((indent + GAP.join(cells[:fitting])).rstrip())
        rest = GAP.join(cell for cell in row[fitting:] if cell)
        if rest and row is not header:
            lines += textwrap.wrap(
                rest,
                max(width or 0, LEAST_WIDTH),
                initial_indent=indent + "  ",
                subsequent_indent=indent + "  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def _count_fitting(widths: Sequence[int], room: int | None) -> int:
    """How many of the first columns fit side by side, one at least."""
    used, number = 0, 0
    for size in widths:
        used += size + (len(GAP) if number else 0)
        if number and room is not None and used > room:
            return number
        number += 1
    return number


def format_count(number: int, noun: str) -> str:
    """`1 model`, `23 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def collect_login_protocols(backends: Iterable[Backend]) -> frozenset[str]:
    """The protocols served by a backend that passes on the caller's own login; a key variable would replace it."""
    return frozenset(
        protocol
        for backend in backends
        if backend.enabled and backend.auth == "client"
        for protocol in backend.protocols
    )


def build_variables(url: str, key: str, own: frozenset[str]) -> dict[str, str]:
    """The environment variables that point tools at the proxy."""
    found: dict[str, str] = {}
    for api in APIS:
        found[api.url_variable] = url + api.url_suffix
        if not speaks_api(own, api):
            found[api.key_variable] = key
    return found


def format_tool_lines(url: str, *, asks_key: bool, own: frozenset[str] = frozenset()) -> list[str]:
    """The lines that say how to point a tool at the proxy. They hold no real key: terminals and journals keep them."""
    values = build_variables(url, NO_KEY, own)
    lines = ["Point a tool here:"]
    for api in APIS:
        pairs = [(api.url_variable, values[api.url_variable])]
        if api.key_variable in values and not asks_key:
            pairs.append((api.key_variable, values[api.key_variable]))
        lines.append("  " + _format_assignments(pairs))
    if asks_key:
        lines.append("Clients must send a key; this prints the lines with it:   fairlead env")
    return lines


def _format_assignments(pairs: list[tuple[str, str]]) -> str:
    if sys.platform == "win32":
        return "; ".join(f'$env:{name}="{value}"' for name, value in pairs)
    return "export " + "    ".join(f"{name}={value}" for name, value in pairs)


def read_settings(home: Home, flags: Mapping[str, str] | None = None) -> Settings:
    """The settings alone of `load_settings`."""
    return load_settings(home, flags).settings


def load_settings(home: Home, flags: Mapping[str, str] | None = None) -> Loaded:
    """The settings of this home, this environment and these flags. Prints a warning on stderr for each unknown key of
    config.toml. Raises CommandError."""
    loaded = toml.load(home, os.environ, flags)
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    return loaded


def note_problems(problems: Iterable[Problem]) -> None:
    """Print on stderr which backends could not be read."""
    for line in format_problems(problems):
        note(line)


def format_problems(problems: Iterable[Problem]) -> list[str]:
    """The lines that name the backends that could not be read, each with its remedy."""
    lines: list[str] = []
    for problem in problems:
        lines += [f"error: {problem.message}", *(f"       {line}" for line in problem.hint.splitlines())]
    return lines


def print_in_background(lines: Sequence[str], *, error: bool = False) -> None:
    """Print lines from a thread, so that a full pipe without a reader does not block the caller.

    Writes to the descriptor, not to sys.stdout: a blocked print holds a lock that the interpreter needs at exit.
    """

    def write() -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(2 if error else 1, data) :]

    if lines:
        threading.Thread(target=write, name="output", daemon=True).start()
