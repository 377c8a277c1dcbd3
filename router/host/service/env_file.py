"""A file of variables for the service: `NAME=value` lines, for keys that stand in no configuration.

Rules of this file: it is read by systemd (EnvironmentFile=, systemd.exec(5)) on one system and by fairlead on others,
so that only what both read alike is taken: no escapes, no continued lines, no `export`. No message shows a value.
"""

import os
import re
import shlex
import stat
import sys
from pathlib import Path

from router.errors import CommandError

_LIMIT = 1 << 20
_LINE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)")
# Quotes around all of it, or none at all; a backslash would begin an escape.
_VALUE = re.compile(r"'([^'\\]*)'|\"([^\"\\$`]*)\"|([^'\"\\]*)")


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a private file. Raises CommandError for one that others may read or change, and for a line that
    not every manager would read alike."""
    text = _read(path)
    found: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(" \t\r")
        if not line or line[0] in "#;":
            continue
        match = _LINE.fullmatch(line)
        value = _VALUE.fullmatch(match[2].strip(" \t")) if match else None
        if match is None or value is None or not line.isprintable():
            raise CommandError(
                f"{path} line {number} cannot be read by every service manager.",
                "Expected NAME=value, without export, escapes or $; quotes only around the whole value.",
            )
        found[match[1]] = next(part for part in value.groups() if part is not None)
    return found


def _read(path: Path) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            _check(path, os.fstat(file.fileno()))
            data = file.read(_LIMIT + 1) or b""
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(data) > _LIMIT:
        raise CommandError(f"{path} is larger than 1 MiB.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8.") from None


def _check(path: Path, entry: os.stat_result) -> None:
    if not stat.S_ISREG(entry.st_mode):
        raise CommandError(f"{path} is not a plain file.")
    if sys.platform == "win32":
        return
    if entry.st_uid != os.getuid():
        raise CommandError(f"{path} belongs to another user.")
    if entry.st_mode & 0o077:
        raise CommandError(
            f"{path} can be read or changed by others.", f"Close it:   chmod 600 {shlex.quote(str(path))}"
        )
