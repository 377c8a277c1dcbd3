"""What setup wrote, so that it can be taken back: `setup/TOOL.json` in the home; and copies of the files before."""

import msgspec

from router.errors import CommandError
from router.setup.edits import Edit
from router.store.home.home import Home
from router.store.home.permissions import shown

SCHEMA = 1
_FOLDER, _BACKUPS = "setup", "backups"
#: Copies that are kept of a tool's files.
KEPT_BACKUPS = 20


class FileRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was changed."""

    #: As the tool names it.
    path: str
    #: A name of `formats.registry`.
    format: str
    edits: list[Edit]
    #: It was not there before.
    created: bool
    #: Folders that were made for it, outermost first.
    folders: list[str]
    #: Permission bits before, None where they were left as they were.
    mode: int | None
    #: SHA-256 before ("" where there was none) and after.
    before: str
    after: str


class SetupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All that was written for one tool."""

    schema: int
    tool: str
    #: Of the tool, "" where it was not known.
    version: str
    #: Seconds since 1970.
    time: float
    url: str
    model: str
    files: list[FileRecord]


def read_record(home: Home, tool: str) -> SetupRecord | None:
    """What was written for a tool, None for nothing. Raises CommandError."""
    name = f"{_FOLDER}/{tool}.json"
    data = home.read(name)
    if data is None:
        return None
    try:
        record = msgspec.json.decode(data, type=SetupRecord)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandError(
            f"{shown(home.at(name))} cannot be read: {error}.",
            f"Copies of the tool's files are in {shown(home.at(_BACKUPS))}.",
        ) from None
    if record.schema != SCHEMA:
        raise CommandError(f"{shown(home.at(name))} is of a newer fairlead.", "Use that one to undo it.")
    return record


def write_record(home: Home, record: SetupRecord) -> None:
    """Keep what was written for a tool. Raises CommandError."""
    home.write(f"{_FOLDER}/{record.tool}.json", msgspec.json.encode(record))


def remove_record(home: Home, tool: str) -> None:
    """Forget what was written for a tool. Raises CommandError."""
    home.remove(f"{_FOLDER}/{tool}.json")


def back_up(home: Home, tool: str, stamp: str, name: str, data: bytes) -> None:
    """Keep a copy of a file, and remove the oldest ones of the tool beyond KEPT_BACKUPS. stamp: of the time, sortable.
    Raises CommandError."""
    home.write(f"{_BACKUPS}/{tool}-{stamp}-{name}", data)
    copies = [one for one in home.names(_BACKUPS, "") if one.startswith(f"{tool}-2")]
    for old in copies[:-KEPT_BACKUPS]:
        home.remove(f"{_BACKUPS}/{old}")
