"""Finds captures by a request's id, or by a path, and reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

from router.errors import CommandError
from router.settings.kinds import clean
from router.store.captures import folder
from router.store.captures.format import FILE_LIMIT, Capture, Unreadable, decode
from router.store.home.home import Home
from router.store.home.permissions import shown, word

_HINT = (
    "Captures are kept for 24 h while history.capture is on. Turn it on, and let it happen again:\n"
    "fairlead config set history.capture on"
)


def find_capture(home: Home, name: str) -> tuple[Path, Capture]:
    """The capture of a request, and its file. name: the request's id, its beginning or its end, `-` for the latest, or
    the path of a file. Raises CommandError."""
    given = name != "-" and (os.sep in name or name.endswith(folder.SUFFIXES))
    path = Path(name) if given else _find_path(home, name)
    return path, read_capture(path)


def read_capture(path: Path) -> Capture:
    """The capture in a file. Raises CommandError."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    if len(data) > FILE_LIMIT:
        raise CommandError(f"{shown(path)} is over {FILE_LIMIT >> 20} MiB, which no capture is.")
    try:
        return decode(data)
    except Unreadable as error:
        raise CommandError(f"{shown(path)} is not a capture: {clean(str(error), 300)}.") from None


def read_folder(path: Path) -> Mapping[str, Capture]:
    """The captures in a folder, by the names of their files. Raises CommandError where there is none."""
    try:
        files = sorted(entry for entry in path.iterdir() if entry.name.endswith(folder.SUFFIXES))
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    if not files:
        raise CommandError(
            f"{shown(path)} holds no captures.", f"Make one of a request:   fairlead repro - -o {word(path)}/a.jsonl"
        )
    return {file.name: read_capture(file) for file in files}


def list_captures(home: Home) -> list[Path]:
    """The files of all captures of a home, the latest first."""
    where = folder.folder(home)
    if where is None:
        return []
    with os.scandir(where) as entries:
        files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(folder.SUFFIXES)]
    return [Path(path) for _, path in sorted(files, reverse=True)]


def _find_path(home: Home, name: str) -> Path:
    exact = folder.path_of(home, name)
    if exact is not None:
        return exact
    files = list_captures(home)
    if name != "-":
        files = [path for path in files if path.stem.startswith(name) or path.stem.endswith(name)]
    if not files:
        raise CommandError("nothing is captured." if name == "-" else f"nothing is captured of {clean(name)}.", _HINT)
    if name != "-" and len(files) > 1:
        raise CommandError(f"{clean(name)} matches {len(files)} captures.", "Use more characters of the id.")
    return files[0]
