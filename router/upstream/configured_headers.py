"""Configured edits of request headers."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from router.net.headers import is_editable
from router.settings import Frozen
from router.settings.tables import BackendOptions, Edits

Line = tuple[bytes, bytes, bytes]
Changes = Mapping[bytes, Line | None]
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def header_changes(all_edits: Sequence[Edits], present: Mapping[bytes, bytes], notes: list[str]) -> Changes:
    """The header fields to change, by lower-case name; None removes one. present: those of the request."""
    found: dict[bytes, Line | None] = {}
    for edits in all_edits:
        wanted = [(name, None) for name in edits.remove_headers]
        for name, value in [*wanted, *edits.set_headers.items()]:
            line = _make_line(name, value)
            if line is None:
                notes.append(f"header {name} left alone")
            else:
                found[line[1]] = None if value is None else line
    for name, line in found.items():
        if line is not None:
            notes.append(f"header {name.decode()} set")
        elif name in present:
            notes.append(f"header {name.decode()} removed")
    return found


def set_headers(options: BackendOptions | None) -> Mapping[str, str]:
    """The headers that a backend's table sets on every request to it, by lower-case name; those that may be sent."""
    wanted = options.edits.set_headers if options is not None else Frozen[str]()
    return {name.lower(): value for name, value in wanted.items() if _make_line(name, value) is not None}


@lru_cache(maxsize=1024)
def _make_line(name: str, value: str | None) -> Line | None:
    """The header line as it is sent; None for one that must not be changed or cannot be sent."""
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch("x" if value is None else value):
        return None
    lowered = name.lower().encode()
    return (name.encode(), lowered, (value or "").encode()) if is_editable(lowered) else None
