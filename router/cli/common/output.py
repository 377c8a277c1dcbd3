"""What several commands print: tables, the lines that point a tool at the proxy, backends that could not be read."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence

from router.backends import APIS, Backend, speaks_api
from router.cli.common.parser import note
from router.settings import Loaded, Settings
from router.settings.kinds import NO_KEY
from router.store.config import toml
from router.store.config.backends import Problem
from router.store.home.home import Home


def table(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """Rows with their columns aligned."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        (indent + "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def count(number: int, noun: str) -> str:
    """`1 model`, `23 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def own_logins(backends: Iterable[Backend]) -> frozenset[str]:
    """The protocols that a backend with the caller's own login serves: there a key variable would replace it."""
    return frozenset(
        protocol
        for backend in backends
        if backend.enabled and backend.auth == "client"
        for protocol in backend.protocols
    )


def variables(url: str, key: str, own: frozenset[str]) -> dict[str, str]:
    """The environment variables that point tools at the proxy."""
    found: dict[str, str] = {}
    for api in APIS:
        found[api.url_variable] = url + api.url_suffix
        if not speaks_api(own, api):
            found[api.key_variable] = key
    return found


def point_lines(url: str, *, asks_key: bool, own: frozenset[str] = frozenset()) -> list[str]:
    """How to point a tool here. A key of value is not printed: this text ends in terminals and journals."""
    values = variables(url, NO_KEY, own)
    lines = ["Point a tool here:"]
    for api in APIS:
        pairs = [(api.url_variable, values[api.url_variable])]
        if api.key_variable in values and not asks_key:
            pairs.append((api.key_variable, values[api.key_variable]))
        lines.append("  " + _assignments(pairs))
    if asks_key:
        lines.append("Clients must send a key; this prints the lines with it:   fairlead env")
    return lines


def _assignments(pairs: list[tuple[str, str]]) -> str:
    if sys.platform == "win32":
        return "; ".join(f'$env:{name}="{value}"' for name, value in pairs)
    return "export " + "    ".join(f"{name}={value}" for name, value in pairs)


def read_settings(home: Home, flags: Mapping[str, str] | None = None) -> Settings:
    """As `load_settings`, the settings alone."""
    return load_settings(home, flags).settings


def load_settings(home: Home, flags: Mapping[str, str] | None = None) -> Loaded:
    """The settings of this home, this environment and these flags; what is unknown in config.toml is said on stderr.
    Raises CommandError."""
    loaded = toml.load(home, os.environ, flags)
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    return loaded


def note_problems(problems: Iterable[Problem]) -> None:
    """Say which backends could not be read."""
    for line in problem_lines(problems):
        note(line)


def problem_lines(problems: Iterable[Problem]) -> list[str]:
    """Which backends could not be read, and what mends them."""
    lines: list[str] = []
    for problem in problems:
        lines += [f"error: {problem.message}", *(f"       {line}" for line in problem.hint.splitlines())]
    return lines


def say_aside(lines: Sequence[str], *, error: bool = False) -> None:
    """Print lines from a thread: a pipe that nobody reads keeps the caller from nothing.

    Past Python's own stream: a print that waits holds a lock which the interpreter needs at its end.
    """

    def write() -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(2 if error else 1, data) :]

    if lines:
        threading.Thread(target=write, name="output", daemon=True).start()
