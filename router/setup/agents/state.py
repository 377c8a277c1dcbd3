"""Whether a host has a file of fairlead's, and what may be done with it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from router import __version__
from router.errors import CommandError
from router.setup.agents.hosts import Host, Project
from router.setup.agents.mark import read_mark
from router.setup.edits import Edit
from router.setup.files import ConfigFile, compute_hash, list_missing_folders, read_config
from router.setup.plan import FilePlan
from router.setup.record import FileRecord, SetupRecord
from router.setup.registrations import Server
from router.setup.tool import Place
from router.store.home.permissions import shown

#: `current`: what this fairlead would write. `older`, `newer`: written by fairlead and unchanged since, by another
#: version or for a program at another place. `edited`: changed since. `foreign`: not written by fairlead.
Kind = Literal["absent", "current", "older", "newer", "edited", "foreign", "unreadable"]


class Wanted(NamedTuple):
    """A file as it should be."""

    host: Host
    path: Path
    text: str


class Found(NamedTuple):
    """A file as it is."""

    wanted: Wanted
    kind: Kind
    #: Of the fairlead that wrote it, "" where that is not known.
    version: str = ""
    #: Why it cannot be read.
    problem: str = ""
    file: ConfigFile | None = None


def list_wanted(
    hosts: Sequence[Host], place: Place, project: Project, server: Server, tools: Sequence[str]
) -> list[Wanted]:
    """The files of some hosts. project: None for the user's own. tools: the names of the server's."""
    return [Wanted(host, host.find(place, project), host.write(server, tools)) for host in hosts]


def examine(wanted: Wanted, record: SetupRecord | None) -> Found:
    """What is there. record: of what was written there, None for nothing."""
    try:
        file = read_config(wanted.path)
    except CommandError as error:
        return Found(wanted, "unreadable", problem=str(error))
    if file.data is None:
        return Found(wanted, "absent", file=file)
    if _end_lines(file.text) == wanted.text:
        return Found(wanted, "current", __version__, file=file)
    mark = read_mark(file.text)
    if mark is None:
        # Without its mark it is known by the record alone.
        return Found(wanted, "foreign" if _find_record(record, wanted) is None else "edited", file=file)
    if not mark.intact:
        return Found(wanted, "edited", file=file)
    return Found(wanted, "newer" if _is_newer(mark.version) else "older", mark.version, file=file)


def _end_lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def _is_newer(version: str) -> bool:
    return _read_numbers(version) > _read_numbers(__version__)


def _read_numbers(version: str) -> list[int]:
    return [int(part) if part.isdecimal() and len(part) < 10 else 0 for part in version.split(".")]


def describe(found: Found) -> str:
    """The state in words, with the other version where there is one."""
    if found.kind in ("older", "newer"):
        other = found.version != __version__
        return f"{found.kind}: of fairlead {found.version}" if other else "older: written anew it would differ"
    return {"foreign": "not of fairlead", "edited": "changed since", "unreadable": "cannot be read"}.get(
        found.kind, found.kind
    )


def plan_write(found: Found, record: SetupRecord | None) -> FilePlan:
    """What makes the file what it should be. record: as for `examine`. What was there before fairlead comes back when
    it is taken back."""
    file, text = found.file, found.wanted.text
    assert file is not None
    old = find_own(found, record)
    if old is not None and found.kind == "current":
        return FilePlan(file, file.text, file.mode, old)
    if old is None:
        folders = [str(one) for one in list_missing_folders(file.real)]
        replaced = [] if file.data is None else [file.text]
        before = compute_hash(file.data)
        made = _make_record(found, text, replaced, folders=folders, before=before)
    else:
        made = _make_record(found, text, old.edits[0].replaced, folders=old.folders, before=old.before)
    return FilePlan(file, text, file.mode, made)


def find_own(found: Found, record: SetupRecord | None) -> FileRecord | None:
    """What takes back the file that fairlead wrote, as it is now; None where there is none. A file without a record,
    as after that was lost, is known by its mark, and removed."""
    file = found.file
    if file is None or found.kind in ("absent", "foreign"):
        return None
    old = _find_record(record, found.wanted)
    if old is None or not old.edits:
        return _make_record(found, file.text, [], folders=[], before="")
    return _make_record(found, file.text, old.edits[0].replaced, folders=old.folders, before=old.before)


def _make_record(found: Found, text: str, replaced: list[Any], *, folders: list[str], before: str) -> FileRecord:
    """A record by which the whole text is taken back. replaced: as in `Edit`."""
    assert found.file is not None
    there = "".join(replaced)
    edit = Edit(path=[], value=text, replaced=replaced, parents=0, start=0, before=there, after=text)
    return FileRecord(
        path=str(found.wanted.path),
        format="whole",
        edits=[edit],
        created=not replaced,
        folders=folders,
        mode=None,
        before=before,
        after=compute_hash(found.file.encode(text)),
    )


def _find_record(record: SetupRecord | None, wanted: Wanted) -> FileRecord | None:
    files = record.files if record is not None else []
    return next((one for one in files if one.path == str(wanted.path)), None)


def list_refused(found: Sequence[Found]) -> list[str]:
    """Why files must not be replaced or removed without being asked for; a clause each."""
    reasons = {"edited": "was changed since fairlead wrote it", "foreign": "was not written by fairlead"}
    return [f"{shown(one.wanted.path)} {reasons[one.kind]}" for one in found if one.kind in reasons]
