"""Output that several commands print: tables, the lines that point a tool at the proxy, unreadable backends."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence

from router.backends import APIS, Backend, speaks_api
from router.backends.known import find_own_protocols
from router.cli.common.layout import find_width, note, wrap
from router.settings import Loaded, Settings
from router.settings.kinds import NO_KEY
from router.store.config import toml
from router.store.config.backends import Problem
from router.store.home.home import Home


def format_count(number: int, noun: str) -> str:
    """`1 model`, `23 models`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def collect_login_protocols(backends: Iterable[Backend]) -> frozenset[str]:
    """The protocols served by a backend that passes on the caller's own login; a key variable would replace it."""
    return frozenset(
        protocol
        for backend in backends
        if backend.enabled and backend.auth == "client"
        for protocol in find_own_protocols(backend)
    )


def format_tool_lines(url: str, *, asks_key: bool, own: frozenset[str] = frozenset()) -> list[str]:
    """The lines that say how to point a tool at the proxy. They hold no real key: terminals and journals keep them."""
    lines = ["Point a tool here:"]
    for api in APIS:
        lines.append(_format_assignment(api.url_variable, url + api.url_suffix))
        if not asks_key and not speaks_api(own, api):
            lines.append(_format_assignment(api.key_variable, NO_KEY))
    if asks_key:
        lines.append("Clients must send a key; this prints the lines with it:   fairlead env")
    return lines


def _format_assignment(name: str, value: str) -> str:
    return f'  $env:{name} = "{value}"' if sys.platform == "win32" else f"  export {name}={value}"


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

    width = find_width(sys.stderr if error else sys.stdout)

    def write() -> None:
        data = "".join(f"{part}\n" for line in lines for part in wrap(line, width)).encode()
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(2 if error else 1, data) :]

    if lines:
        threading.Thread(target=write, name="output", daemon=True).start()
