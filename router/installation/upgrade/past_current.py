"""Programs on PATH that lead past the link `current`: they go on to start the version that they name.

Somebody linked a version's folder, or put it on PATH. After an upgrade that is the old version, and some upgrades later
nothing.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from router.installation.upgrade.versions import CURRENT, PROGRAM, VERSIONS

#: As many as the kernel follows, path_resolution(7).
_LINKS = 40
#: Entries of PATH that are looked at.
_ENTRIES = 256


class Bypass(NamedTuple):
    """A program on PATH that leads past `current`."""

    #: As PATH has it.
    place: Path
    #: The version that it starts.
    version: str
    #: True for a link, False where PATH names the version's folder itself.
    link: bool


def find_bypasses(prefix: Path, environ: Mapping[str, str]) -> list[Bypass]:
    """Those of an installation, each once, in the order of PATH."""
    folders = environ.get("PATH", "").split(os.pathsep)[:_ENTRIES]
    root = os.path.realpath(prefix)
    found: dict[Path, Bypass] = {}
    for folder in folders:
        place = Path(folder) / PROGRAM
        # One of a folder that this user may not read is no program for them.
        if not os.path.isabs(folder) or not os.path.isfile(place):
            continue
        version = _find_version(os.path.realpath(place), root)
        if version and not _leads_through(place, os.path.normcase(os.path.join(root, CURRENT))):
            found.setdefault(place, Bypass(place, version, place.is_symlink()))
    return list(found.values())


def _find_version(real: str, root: str) -> str:
    """The version whose program that is, '' for any other file."""
    folder = Path(real).parent
    return folder.name if folder.parent == Path(root) / VERSIONS else ""


def _leads_through(place: Path, link: str) -> bool:
    """True when the system comes by that link on its way to a file."""
    at, rest = place.anchor, list(reversed(place.parts[1:]))
    followed = 0
    while rest:
        part = rest.pop()
        # Without its links already, so that the folder above is the one by name.
        step = os.path.dirname(at) if part == ".." else os.path.join(at, part)
        if os.path.normcase(step) == link:
            return True
        if not os.path.islink(step):
            at = step
            continue
        followed += 1
        if followed > _LINKS:
            return False
        target = Path(os.readlink(step))
        at = target.anchor or at
        rest += reversed(target.parts[1:] if target.anchor else target.parts)
    return False
