"""The location of history.db: in the home, or in a local folder when the home is on a network file system.

SQLite's locks and shared memory do not work over a network, and two machines that share a home would write one file. So
each machine has its own: in $XDG_STATE_HOME, else in the system's folder for such state, else in /var/tmp, since the
user's own folder is often on the network too. Folders there have the permissions of a home.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from router.store.home.home import Home
from router.store.home.network_mounts import network_type
from router.store.home.permissions import check_home, make_folder, shown

NAME = "history.db"
#: The file of the cache of answers, which stands beside it.
CACHE_NAME = "answer_cache.db"


class Location(NamedTuple):
    """The location of history.db."""

    path: Path
    #: Why it is not in the home, "" when it is.
    elsewhere: str = ""
    #: Why there is no folder for it, "" when there is one.
    problem: str = ""


def locate(home: Home, environ: Mapping[str, str] = os.environ) -> Location:
    """Find the location of a home's history. Nothing is created."""
    kind = network_type(home.path)
    if not kind:
        return Location(home.at(NAME))
    why = f"{shown(home.path)} is on a network file system ({kind})"
    for folder in _list_folders(environ):
        if not network_type(_find_existing(folder)):
            # Each home has its own folder, named by a hash of the home's path.
            name = hashlib.sha256(str(home.path).encode("utf-8", "surrogateescape")).hexdigest()[:12]
            return Location(folder / f"home-{name}" / NAME, f"{why}; this machine's history is in {shown(folder)}")
    hint = "Name a local folder:   XDG_STATE_HOME=/absolute/path fairlead proxy"
    return Location(home.at(NAME), problem=f"{why}, and no local folder was found for the history. {hint}")


def locate_cache(home: Home) -> Location:
    """Find the location of a home's cache of answers. Nothing is created."""
    found = locate(home)
    return found._replace(path=found.path.with_name(CACHE_NAME))


def make_folders(location: Location) -> None:
    """Create the folders of a location that is not in the home. Raises CommandError."""
    if location.elsewhere:
        for folder in (location.path.parent.parent, location.path.parent):
            make_folder(folder)
            check_home(folder)


def check_folders(location: Location) -> None:
    """Refuse folders of such a location that another user made: one of them may be in /var/tmp. Raises CommandError."""
    if location.elsewhere:
        for folder in (location.path.parent.parent, location.path.parent):
            if os.path.lexists(folder):
                check_home(folder)


def _list_folders(environ: Mapping[str, str]) -> list[Path]:
    found: list[Path] = []
    named = environ.get("XDG_STATE_HOME", "")
    own = os.path.expanduser("~")
    if os.path.isabs(named):
        found.append(Path(named) / "fairlead")
    if sys.platform == "win32":
        return [*found, *(Path(local) / "fairlead" for local in [environ.get("LOCALAPPDATA", "")] if local)]
    if os.path.isabs(own):
        state = "Library/Application Support" if sys.platform == "darwin" else ".local/state"
        found.append(Path(own) / state / "fairlead")
    return [*found, Path(f"/var/tmp/fairlead-{os.getuid()}")]  # noqa: S108 - checked like a home before it is used


def _find_existing(folder: Path) -> Path:
    """The nearest folder that exists: a new folder would be on its file system."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
