"""The home: whose it is, who could read it, and where it lies."""

import os
import platform
import stat
import sys
from pathlib import Path

from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.store.home.network_mounts import network_type
from router.store.home.permissions import shown, word

#: Folders that programs copy to other machines, by a part of their path in lower case.
_COPIED = ("dropbox", "onedrive", "google drive", "googledrive", "icloud drive", "mobile documents", "nextcloud")
#: Files that are looked at: a home has some dozens.
_FILES = 5000
#: Folders of the home that hold secrets, and "" for the home itself.
_PRIVATE = ("", "backends", "keys", "logins", "captures", "setup", "run")


def check_home(situation: Situation) -> list[Row]:
    """Whether there is a home, and it is private."""
    path = situation.home_path
    if situation.home_problem is not None:
        return [Row("home", "fail", str(situation.home_problem), situation.home_problem.hint)]
    if path is None or situation.home is None:
        where = shown(path) if path is not None else "the home"
        return [Row("home", "info", f"{where} is not there yet; the first command that keeps something makes it")]
    rows = [*_list_open_files(path), *_judge_place(path, platform.release(), sys.platform)]
    mode = "" if sys.platform == "win32" else f" ({stat.S_IMODE(path.stat().st_mode):04o})"
    return rows or [Row("home", "ok", f"{shown(path)}{mode}")]


def _list_open_files(home: Path) -> list[Row]:
    """A row for files that other users could read: a key in them may have been read already."""
    if sys.platform == "win32":
        return []
    found: list[Path] = []
    for folder in _PRIVATE:
        place = home / folder
        try:
            entries = sorted(os.scandir(place), key=lambda one: one.name)[:_FILES]
        except OSError:
            continue
        for entry in entries:
            try:
                info = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISREG(info.st_mode) and info.st_mode & 0o077:
                found.append(place / entry.name)
    if not found:
        return []
    first = f"{shown(found[0])} (mode {stat.S_IMODE(found[0].stat().st_mode):04o})"
    more = f" and {len(found) - 1} more files" if len(found) > 1 else ""
    fix = f"Close them: find {word(home)} -type f -perm /077 -exec chmod go= {{}} +"
    return [Row("home", "fail", f"others can read {first}{more}", fix)]


def _judge_place(home: Path, release: str, system: str) -> list[Row]:
    """Rows for a place that is shared with other machines, or has no permissions. release: of the kernel."""
    rows: list[Row] = []
    move = "Use a local folder: export FAIRLEAD_HOME=/absolute/path"
    real = Path(os.path.realpath(home))
    kind = network_type(home)
    lowered = str(real).lower()
    copied = next((name for name in _COPIED if name in lowered), "")
    if system == "linux" and "microsoft" in release.lower() and str(real).startswith("/mnt/"):
        text = f"{shown(home)} is on a Windows drive, where Linux's file permissions do not count"
        rows.append(Row("home", "warn", text, move))
    elif kind:
        rows.append(Row("home", "warn", f"{shown(home)} is on a network file system ({kind}): its keys travel", move))
    if copied:
        rows.append(Row("home", "warn", f"{shown(home)} is in a folder that is copied to other machines", move))
    return rows
