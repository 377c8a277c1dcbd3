"""Which path of this program a service starts: one that an upgrade keeps.

A service outlives the version that it was installed with. So it is given the link that upgrades point elsewhere, never
a version's own folder.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from router import __version__
from router.errors import CommandError
from router.installation.detect import Copy, Installation
from router.installation.upgrade.versions import CURRENT, PROGRAM
from router.store.home.permissions import shown

#: Folders of package managers that hold a folder for each version.
_VERSIONED = {"Cellar", "Caskroom"}
#: Kinds of installations in Python that have an environment of their own, which stays.
_LASTING = {"uv tool", "pipx"}


class Chosen(NamedTuple):
    """What a service starts."""

    words: tuple[str, ...]
    #: What a user should know of it.
    notes: tuple[str, ...] = ()


def choose_program(words: Sequence[str], copy: Copy, installation: Installation, environ: Mapping[str, str]) -> Chosen:
    """The words that start this program at all times. words: those that started this process (`host.own_program`).
    Raises CommandError where only a version's own folder has it."""
    if copy.form or (len(words) == 2 and os.path.isabs(words[1])):
        # A script that an installer made names its interpreter itself.
        called = words[-1]
        for path in _list_candidates(called, copy, installation, environ):
            if _is_lasting(path) and os.path.realpath(path) == os.path.realpath(called):
                return Chosen((path,), _list_notes(path, copy, installation))
        raise CommandError(
            f"{shown(Path(called))} is in the folder of one version: an upgrade would leave the service without it.",
            "Make a link to it that stays, and call fairlead by that:   fairlead service install",
        )
    return Chosen(tuple(words), _list_notes(words[0], copy, installation))


def _list_candidates(called: str, copy: Copy, installation: Installation, environ: Mapping[str, str]) -> Iterator[str]:
    """Paths that may lead to the program, the best first."""
    if installation.prefix is not None:
        yield str(installation.prefix / CURRENT / PROGRAM)
    if not called.endswith(os.sep):
        yield called
    program = copy.program
    for parent in program.parents:
        if parent.name in _VERSIONED:
            yield str(parent.parent / "bin" / program.name)
        if parent.name == "fairlead" and parent.parent.name == "apps":
            yield str(parent / CURRENT / program.name)
    for folder in environ.get("PATH", "").split(os.pathsep):
        if os.path.isabs(folder):
            found = shutil.which(os.path.basename(called), path=folder)
            if found is not None:
                yield found


def _is_lasting(path: str) -> bool:
    folders = Path(path).parts[:-1]
    store = len(folders) > 2 and folders[1:3] == ("nix", "store")
    return not store and not any(folder in _VERSIONED or _names_version(folder) for folder in folders)


def _names_version(folder: str) -> bool:
    """True when this version stands in the name, and not as a part of another."""
    before, found, after = folder.partition(__version__)
    return bool(found) and not before.endswith((*"0123456789", ".")) and not after.startswith((*"0123456789",))


def _list_notes(path: str, copy: Copy, installation: Installation) -> tuple[str, ...]:
    found: list[str] = []
    if not copy.form and (copy.environment / "pyvenv.cfg").is_file() and installation.kind not in _LASTING:
        found.append(
            f"it runs from the Python environment {shown(copy.environment)}: the service ends for good when that goes."
        )
    elif not copy.form and installation.kind == "source":
        found.append(f"it runs from its sources in {shown(copy.package.parent)}, and ends for good when they go.")
    if not installation.own and installation.kind != "source":
        found.append(
            "an upgrade by other means than `fairlead upgrade` leaves the running service as it is. After it:   "
            "fairlead service restart"
        )
    temporary = ("/tmp/", "/var/tmp/", "/private/tmp/")  # noqa: S108 - to be named, not to be written to
    if sys.platform != "win32" and os.path.realpath(path).startswith(temporary):
        found.append(f"{shown(Path(path))} is in a folder for temporary files, which the system empties.")
    return tuple(found)
