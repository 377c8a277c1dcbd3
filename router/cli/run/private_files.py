"""The files and the folder that a program gets for as long as it runs."""

import contextlib
import os
import shutil
import time
from collections.abc import Generator
from pathlib import Path

from router.cli.env.variables import Changes
from router.cli.run.plan import Plan, PrivateFolder
from router.errors import CommandError
from router.store.home import processes
from router.store.home.home import Home
from router.store.home.permissions import make_folder

_FOLDER = "children"


@contextlib.contextmanager
def private_files(home: Home, plan: Plan) -> Generator[tuple[list[str], Changes]]:
    """The command line and the variables with the paths of the private files, which are there until the end. Raises
    CommandError."""
    _remove_abandoned(home)
    words, variables, names = [*plan.words], Changes(), list[str]()
    try:
        for name, data in plan.files.items():
            stored = _choose_name(name)
            names.append(stored)
            _create(home, stored, data)
            words = [word.replace(plan.file_word(name), os.path.abspath(home.at(stored))) for word in words]
        if plan.folder is not None:
            stored = _choose_name(plan.folder.name.lstrip("."))
            names.append(stored)
            if not _fill_folder(home, stored, plan.folder):
                plan.notes.append(f"no links can be made here, so what {plan.folder.own} has beside that is not seen.")
            variables[plan.folder.variable] = os.path.abspath(home.at(stored))
        yield words, variables
    finally:
        for stored in names:
            _remove(home, stored)


def _choose_name(name: str) -> str:
    return f"{_FOLDER}/{os.getpid()}-{time.time_ns()}.{name}"


def _create(home: Home, name: str, data: bytes) -> None:
    try:
        home.create(name, data)
    except OSError as error:
        raise CommandError(f"{home.at(name)} cannot be written: {error.strerror or error}.") from None


def _fill_folder(home: Home, stored: str, folder: PrivateFolder) -> bool:
    """Write the folder's files, and link the rest of the tool's own one; False where the system makes no links."""
    inside = home.at(stored) / folder.name
    for path in (home.at(_FOLDER), inside.parent, inside):
        make_folder(path)
    for name, data in folder.files.items():
        _create(home, f"{stored}/{folder.name}/{name}", data)
    try:
        others = [one for one in folder.own.iterdir() if one.name not in folder.files.keys() | folder.left_out]
    except OSError:
        return True
    try:
        for one in others:
            (inside / one.name).symlink_to(one.absolute(), target_is_directory=one.is_dir())
    except OSError:
        return False
    return True


def _remove(home: Home, stored: str) -> None:
    path = home.at(stored)
    with contextlib.suppress(CommandError):
        if _is_folder(path):
            # Links in it are removed, and not what they lead to.
            shutil.rmtree(path, ignore_errors=True)
        else:
            home.remove(stored)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove_abandoned(home: Home) -> None:
    """Remove the private files of processes that were killed; their keys have ended with them."""
    with contextlib.suppress(CommandError):
        for name in home.names(_FOLDER, ""):
            pid = name.partition("-")[0]
            if pid.isdecimal() and not processes.alive(int(pid)):
                _remove(home, f"{_FOLDER}/{name}")
