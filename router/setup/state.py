"""Where a tool points now: here by setup, here by hand, elsewhere, nowhere, or no longer as setup wrote it."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from router.errors import CommandError
from router.settings.kinds import NO_KEY
from router.setup import edits
from router.setup.files import read_config
from router.setup.formats.document import InvalidDocument, make_invalid_error
from router.setup.formats.registry import FORMATS
from router.setup.record import SetupRecord
from router.setup.tool import Place, Tool, dig
from router.store.home.permissions import shown

VERSION_SECONDS = 10.0
_VERSION = re.compile(r"\d{1,9}(?:\.\d{1,9}){1,3}")
# Of what a program prints.
_VERSION_LIMIT = 4096


class State(NamedTuple):
    """Where a tool points."""

    #: `here`, `elsewhere`, `changed`, `not set`, `unreadable`.
    kind: str
    #: The URL that it points to, "" for none or one that is not known.
    url: str = ""
    #: setup wrote it.
    ours: bool = False
    #: What is the matter, "" for nothing.
    problem: str = ""


def find_program(tool: Tool, environ: Mapping[str, str]) -> str:
    """The path of its program, "" where it is not on PATH."""
    return shutil.which(tool.program, path=environ.get("PATH")) or "" if tool.program else ""


def ask_version(tool: Tool, program: str, environ: Mapping[str, str]) -> str:
    """The version that its program prints, "" where it prints none in time."""
    try:
        done = subprocess.run(  # noqa: S603 - the program of the tool that the user asks about
            [program, *tool.version_arguments],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=VERSION_SECONDS,
            env=dict(environ),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    found = _VERSION.search(done.stdout[:_VERSION_LIMIT].decode("utf-8", "replace"))
    return found[0] if found and done.returncode == 0 else ""


def is_too_old(tool: Tool, version: str) -> bool:
    """True for a version that does not read what setup writes. version: "" for one that is not known."""
    if not tool.oldest or not version:
        return False
    found, oldest = ([int(part) for part in one.split(".")] for one in (version, tool.oldest))
    return found < oldest


def read_state(tool: Tool, place: Place, url: str, record: SetupRecord | None) -> State:
    """Where the tool points. url: the proxy's. record: of what setup wrote."""
    try:
        if record is not None:
            if _is_changed(record):
                return State("changed", record.url, ours=True)
            return State("here" if record.url == url else "elsewhere", record.url, ours=True)
        base = read_base(tool, place)
    except CommandError as error:
        return State("unreadable", problem=str(error))
    if not base:
        return State("not set")
    return State("here" if is_here(base, url) else "elsewhere", base)


def read_base(tool: Tool, place: Place) -> str:
    """The base URL in its main file. Raises CommandError."""
    if tool.find_main is None or tool.read_base is None:
        return ""
    return _read_base(tool, *tool.find_main(place))


def _read_base(tool: Tool, path: Path, form: str) -> str:
    value = parse_file(path, form)
    return tool.read_base(value) if tool.read_base is not None and value is not None else ""


def parse_file(path: Path, form: str) -> Any:
    """The value of a file, None where there is none. Raises CommandError."""
    file = read_config(path)
    try:
        return None if file.data is None else FORMATS[form].parse(file.text)
    except InvalidDocument as error:
        raise make_invalid_error(shown(path), FORMATS[form].title, error) from None


def is_here(base: str, url: str) -> bool:
    """True for a URL of the proxy, with a path or without one."""
    return base == url or base.startswith(f"{url}/")


def _is_changed(record: SetupRecord) -> bool:
    for one in record.files:
        file, form = read_config(Path(one.path)), FORMATS[one.format]
        try:
            if file.data is None or edits.list_missing(form, file.text, one.edits):
                return True
        except InvalidDocument as error:
            raise make_invalid_error(shown(file.path), form.title, error) from None
    return False


def list_stronger(tool: Tool, place: Place, url: str, folder: Path) -> list[str]:
    """What has precedence over the user's file and points elsewhere: an administrator's file, a project's in `folder`
    or above it, variables; a line each."""
    lines: list[str] = []
    if tool.find_main is None:
        return lines
    main, form = tool.find_main(place)
    managed = [Path(one) for one in tool.managed_files.get(place.system, ())]
    projects = [above / name for above in (folder, *folder.parents) for name in tool.project_files]
    if tool.reads_one_file:
        projects = [path for path in projects if path.exists()][:1]
    for path in (*managed, *projects):
        if path.exists() and not _is_same(path, main):
            base = _try(lambda path=path: _read_base(tool, path, "jsonc" if form == "json" else form))
            if tool.reads_one_file and not base:
                lines.append(f"{shown(path)} is read in the place of {shown(main)}, and names no URL.")
            if base and not is_here(base, url):
                who = "is your administrator's" if path in managed else "belongs to a project"
                lines.append(f"{shown(path)} {who} and has precedence: there {tool.title} uses {base}.")
    for name in tool.stronger_variables:
        value = place.environ.get(name, "")
        if value and value != NO_KEY and not is_here(value, url):
            lines.append(f"${name} has precedence over the file, and is set in this shell: unset it.")
    return lines


def list_conflicts(tool: Tool, place: Place) -> list[str]:
    """Keys of the main file that contradict what setup writes; a line each."""
    if tool.find_main is None or not tool.conflicts:
        return []
    path, form = tool.find_main(place)
    value = _try(lambda: parse_file(path, form))
    found = [(names, what) for names, what in tool.conflicts if dig(value, *names) is not None]
    return [f"{shown(path)} has {'.'.join(names)}. {what}" for names, what in found]


def _try(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except CommandError:
        return None


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
