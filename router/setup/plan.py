"""What would be written for a tool, and what would be taken back, file by file; nothing is written here."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from router.errors import CommandError
from router.setup import edits
from router.setup.edits import ChangedSince, Edit
from router.setup.files import ConfigFile, compute_hash, list_missing_folders, read_config
from router.setup.formats.document import MISSING, InvalidDocument, UnsupportedChange, make_invalid_error
from router.setup.formats.registry import FORMATS
from router.setup.record import FileRecord, SetupRecord
from router.setup.tool import FileChange
from router.store.home.permissions import shown

_PRIVATE = 0o600
_OTHERS = 0o077


class FilePlan(NamedTuple):
    """What happens to one file."""

    file: ConfigFile
    #: The text after; None where the file is removed.
    after: str | None
    mode: int
    #: What is recorded; None where nothing of fairlead's is left in it.
    record: FileRecord | None
    #: Folders that are removed with the file where they are empty.
    folders: tuple[Path, ...] = ()

    @property
    def changes(self) -> bool:
        """The file would not be as it is."""
        if self.after is None:
            return self.file.data is not None
        return self.file.data != self.file.encode(self.after) or self.mode != self.file.mode


def plan_setup(wanted: Sequence[FileChange], record: SetupRecord | None, *, secret: str) -> list[FilePlan]:
    """What would be written. record: of what was written before, which is taken back first. secret: the key, ""
    for none: a file that holds it is closed to others. Raises CommandError."""
    known = {one.path: one for one in record.files} if record is not None else {}
    plans = [_plan_file(change, known.pop(str(change.path), None), secret=secret) for change in wanted]
    return [*plans, *(plan_undo_file(old) for old in known.values())]


def _plan_file(change: FileChange, old: FileRecord | None, *, secret: str) -> FilePlan:
    file, form = read_config(change.path), FORMATS[change.format]
    bare = file.text if old is None or file.data is None else _take_back(file, old)
    try:
        text, made = edits.apply_changes(form, bare, change.changes, file.newline)
    except InvalidDocument as error:
        raise make_invalid_error(shown(change.path), form.title, error) from None
    except UnsupportedChange as error:
        raise _make_unsupported_error(change.path, error) from None
    mode = _PRIVATE if secret and secret in text and file.mode & _OTHERS else file.mode
    if old is not None and edits.list_settings(made) == edits.list_settings(old.edits) and bare != file.text:
        return FilePlan(file, file.text, mode, old)
    created = file.data is None or (old is not None and old.created)
    data = file.encode(text)
    before = "" if created else compute_hash(file.encode(bare))
    kept = old.mode if old is not None and old.mode is not None else (file.mode if mode != file.mode else None)
    folders = [str(one) for one in list_missing_folders(file.real)] if old is None else old.folders
    record = FileRecord(
        path=str(change.path),
        format=change.format,
        edits=made,
        created=created,
        folders=folders,
        mode=kept,
        before=before,
        after=compute_hash(data),
    )
    return FilePlan(file, text, mode, record)


def plan_undo(record: SetupRecord) -> list[FilePlan]:
    """What would be taken back. Raises CommandError."""
    return [plan_undo_file(one) for one in record.files]


def plan_undo_file(old: FileRecord) -> FilePlan:
    """What would be taken back in one file: its edits, and the file where nothing else is in it. Raises
    CommandError."""
    file = read_config(Path(old.path))
    folders = tuple(Path(one) for one in old.folders)
    if file.data is None:
        return FilePlan(file, None, file.mode, None, folders)
    text = _take_back(file, old)
    if old.created and "".join(text.split()) in ("", "{}", "[]"):
        return FilePlan(file, None, file.mode, None, folders)
    mode = old.mode if old.mode is not None and file.mode == _PRIVATE else file.mode
    return FilePlan(file, text, mode, None)


def _take_back(file: ConfigFile, old: FileRecord) -> str:
    form = FORMATS[old.format]
    try:
        return edits.undo(form, file.text, old.edits)
    except ChangedSince as error:
        lines = "\n".join(line for edit, now in error.edits for line in describe_changed(edit, now))
        raise CommandError(
            f"{shown(file.path)} was changed since fairlead wrote it, so it is left as it is:",
            f"{lines}\nTake these back by hand, or set them to what fairlead wrote (-). Then run the command again.",
        ) from None
    except InvalidDocument as error:
        raise make_invalid_error(shown(file.path), form.title, error) from None
    except UnsupportedChange as error:
        raise _make_unsupported_error(file.path, error) from None


def describe_changed(edit: Edit, now: Any) -> list[str]:
    """What was written, and what is there now."""
    name = ".".join(step.value for step in edit.path) or "the file"
    there = "(not there)" if now is MISSING else _format(now)
    return [f"  {name}", f"    - {_format(edit.value)}", f"    + {there}"]


def _format(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _make_unsupported_error(path: Path, error: UnsupportedChange) -> CommandError:
    return CommandError(
        f"{shown(path)} cannot be changed without touching other parts of it: {error}.",
        "It was left as it is. See what fairlead would set in an empty file:   HOME=$(mktemp -d) fairlead setup TOOL "
        "--print",
    )


def list_changes(plans: Iterable[FilePlan]) -> list[FilePlan]:
    """Those that would change a file."""
    return [plan for plan in plans if plan.changes]
