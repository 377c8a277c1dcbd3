"""The steps of an upgrade and of going back.

Each step is one that a killed process leaves whole: what is new has no name yet, or nothing points to it; the switch is
one rename. A program in one file, which no link points to, is the same with its file replaced in the place of the link.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from router import __version__
from router.errors import CommandError
from router.installation.detect import Installation
from router.installation.upgrade import versions
from router.installation.upgrade.archive import BadArchive, unpack
from router.installation.upgrade.history import check_history
from router.installation.upgrade.manifest import Release, ReleaseFile
from router.installation.upgrade.trial import Trial
from router.installation.upgrade.versions import PROGRAM, Kept, explain
from router.store.database.migrations import MIGRATIONS
from router.store.home.home import Home
from router.store.home.permissions import shown


class Target(NamedTuple):
    """The installation that is replaced."""

    #: Where the version folders are.
    prefix: Path
    #: `folder` or `file`.
    form: str
    #: The program in one file that is replaced itself; None where `current` is switched.
    program: Path | None = None

    @property
    def current(self) -> str:
        """The installed version."""
        return __version__ if self.program is not None else versions.find_current(self.prefix) or __version__


class Tools(NamedTuple):
    """What the steps need of the world around."""

    #: Passes a URL's body on, of so many bytes at most. Raises CommandError.
    download: Callable[[str, Callable[[bytes], None], int], None]
    trial: Trial
    home: Home
    #: Told when a step is done: `downloaded`, `sha256`, `starts`.
    report: Callable[[str], None]


def make_target(installation: Installation, form: str, program: Path, data: Path) -> Target:
    """The target of an installation that fairlead replaces itself. data: the user's folder for program data."""
    if installation.prefix is not None:
        return Target(installation.prefix, form)
    # One folder for each place: two programs in one file may be of different versions.
    name = hashlib.sha256(os.fsencode(program)).hexdigest()[:12]
    return Target(data / "fairlead" / "programs" / name, "file", program)


def install(
    target: Target,
    release: Release,
    file: ReleaseFile,
    url: str,
    tools: Tools,
    *,
    current: str,
    running: Collection[str],
) -> None:
    """Download a release's program, try it, and switch to it. current: the version that the release was chosen for.
    running: versions that proxies run. Raises CommandError."""
    check_history(tools.home, release.history_schema, release.version)
    with versions.hold_lock(target.prefix):
        if target.current != current:
            # The release could be older than what is there now, or be that: replaced, it would be gone for an instant.
            raise CommandError(f"another upgrade has installed {target.current} meanwhile.", "Run this one again.")
        part = target.prefix / versions.VERSIONS / f"{versions.PART}{os.getpid()}"
        try:
            versions.clean_parts(target.prefix)
            check_writable(target)
            check_space(target.prefix, file)
            part.mkdir()
            archive = fetch(part, file, url, tools)
            tree = open_archive(archive, part, target, file)
            describe(tree, release.version, release.history_schema)
            tools.trial.check(tree / PROGRAM, release.version)
            tools.report("starts")
            keep_current(target, current)
            versions.place_version(tree, target.prefix, release.version)
            switch(target, release.version)
        except OSError as error:
            raise explain(error, target.prefix) from None
        except BadArchive as error:
            raise CommandError(f"{file.name} was refused: {error}.", "The installed version was not changed.") from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        versions.clean(target.prefix, {release.version, current, *running})


def roll_back(target: Target, tools: Tools, *, running: Collection[str]) -> str:
    """Switch to the version that was replaced last; returns it. Raises CommandError."""
    with versions.hold_lock(target.prefix):
        current = target.current
        kept = versions.find_previous(target.prefix, current)
        if kept is None:
            raise CommandError(
                f"no version before {current} is kept here.", "Another one:   fairlead upgrade --to VERSION"
            )
        folder = versions.folder_of(target.prefix, kept.version)
        try:
            if versions.hash_files(folder) != kept.files:
                raise CommandError(
                    f"{shown(folder)} is not as it was kept: files were changed, added or lost.",
                    f"Download it anew:   fairlead upgrade --to {kept.version}",
                )
            check_history(tools.home, kept.history_schema, kept.version)
            check_writable(target)
            tools.trial.check(folder / PROGRAM, kept.version)
            tools.report("starts")
            keep_current(target, current)
            switch(target, kept.version)
        except OSError as error:
            raise explain(error, target.prefix) from None
        versions.clean(target.prefix, {kept.version, current, *running})
        return kept.version


def check_writable(target: Target) -> None:
    """Refuse before the download what the switch could not write. Raises CommandError."""
    for folder in (target.prefix, *([target.program.parent] if target.program is not None else [])):
        if not os.access(folder, os.W_OK):
            raise CommandError(
                f"{shown(folder)} cannot be written by this user.", "Run the command as the user who installed it."
            )


def check_space(prefix: Path, file: ReleaseFile) -> None:
    """Refuse when the disk has not three times the room of what is unpacked. Raises CommandError."""
    free, wanted = shutil.disk_usage(prefix).free, file.size + 3 * file.unpacked
    if free < wanted:
        raise CommandError(
            f"{shown(prefix)} has {free >> 20:,} MB free; an upgrade needs {(wanted >> 20) + 1:,} MB.",
            "The installed version was not changed.",
        )


def fetch(part: Path, file: ReleaseFile, url: str, tools: Tools) -> Path:
    """Download a file, hashed as it comes. Raises CommandError, OSError."""
    path = part / file.name
    digest = hashlib.sha256()
    size = 0
    with path.open("xb") as out:

        def write(data: bytes) -> None:
            nonlocal size
            size += len(data)
            digest.update(data)
            out.write(data)

        tools.download(url, write, file.size)
    if size != file.size:
        raise CommandError(
            f"the download of {file.name} was cut: {size:,} of {file.size:,} bytes came.",
            "The installed version was not changed. Try again.",
        )
    tools.report("downloaded")
    if digest.hexdigest() != file.sha256:
        raise CommandError(
            f"{file.name} is not the file of this release: its SHA-256 is another.",
            "The installed version was not changed.",
        )
    tools.report("sha256")
    return path


def open_archive(archive: Path, part: Path, target: Target, file: ReleaseFile) -> Path:
    """The folder of the new version, not of its name yet. Raises BadArchive, OSError."""
    if target.form == "folder":
        tree = unpack(archive, part / "unpacked", unpacked=file.unpacked)
        if not (tree / PROGRAM).is_file():
            raise BadArchive(f"it holds no {PROGRAM}")
        return tree
    tree = part / "unpacked"
    tree.mkdir()
    archive.chmod(0o755)
    with archive.open("rb+") as program:
        os.fsync(program.fileno())
    archive.rename(tree / PROGRAM)
    return tree


def describe(tree: Path, version: str, schema: int) -> None:
    """Write into a version's folder what going back to it needs. Raises OSError."""
    versions.write_record(tree, Kept(version=version, history_schema=schema, files=versions.hash_files(tree)))


def keep_current(target: Target, current: str) -> None:
    """Make the installed version one that can be gone back to. Raises OSError."""
    folder = versions.folder_of(target.prefix, current)
    if target.program is not None and not (folder / PROGRAM).is_file():
        part = target.prefix / versions.VERSIONS / f"{versions.PART}kept-{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        shutil.copy2(target.program, part / PROGRAM)
        part.rename(folder)
    if not folder.is_dir():
        return
    record = versions.read_record(folder)
    known = record.history_schema if record is not None else len(MIGRATIONS) if current == __version__ else -1
    # The installer writes no record; what it installed is taken as it stands.
    files = record.files if record is not None else versions.hash_files(folder)
    left = versions.find_time(target.prefix)
    versions.write_record(folder, Kept(version=current, history_schema=known, left=left, files=files))


def switch(target: Target, version: str) -> None:
    """Make a version the installed one. Raises OSError."""
    if target.program is None:
        versions.point_current(target.prefix, version)
        return
    program = target.program
    new = program.with_name(f".{program.name}-{os.getpid()}")
    # Under the lock: what is there is of a killed one.
    for left in program.parent.glob(f".{program.name}-*"):
        left.unlink()
    try:
        shutil.copyfile(versions.folder_of(target.prefix, version) / PROGRAM, new)
        shutil.copymode(program, new)
        with new.open("rb+") as file:
            os.fsync(file.fileno())
        _replace_program(new, program)
    finally:
        new.unlink(missing_ok=True)
    versions.sync_folder(program.parent)


def _replace_program(new: Path, program: Path) -> None:
    if os.name != "nt":
        new.replace(program)
        return
    # A running program can be renamed there, and not replaced.
    for left in program.parent.glob(f"{program.name}.old-*"):
        try:
            left.unlink()
        except OSError:
            continue
    old = program.with_name(f"{program.name}.old-{os.getpid()}")
    program.rename(old)
    try:
        new.rename(program)
    except OSError:
        old.rename(program)
        raise
