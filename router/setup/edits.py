"""Changes a document's text, and takes the changes back, also after others have changed the rest of it.

Rules of this file: a text is changed at one place at a time; then it is read again, and what it holds must differ from
what it held by that change and by nothing else. A change is taken back by putting the old text in the place of the new
one; where that does not stand as it was written, the part is removed by its path.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from router.setup.formats.document import (
    MISSING,
    Change,
    Format,
    InvalidDocument,
    Item,
    Path,
    Step,
    UnsupportedChange,
    find_splice,
    get,
    with_change,
    without,
)

# Places that are tried where the same text stands more than once.
_PLACES = 64


class StepRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of a path, as records hold it."""

    value: str
    #: None for a key.
    field: str | None = None


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was made, with what takes it back."""

    path: list[StepRecord]
    #: What was set.
    value: Any
    #: What was there, in a list; empty where nothing was.
    replaced: list[Any]
    #: How many of the path's steps were there before.
    parents: int
    #: Where the text was changed, in characters, and how.
    start: int
    before: str
    after: str
    #: The tool itself gives it other values.
    volatile: bool = False

    def to_path(self) -> Path:
        """The path in the document."""
        return tuple(step.value if step.field is None else Item(step.field, step.value) for step in self.path)


class ChangedSince(Exception):
    """Parts that were set are no longer what they were set to. edits: these parts, each with what is there now,
    MISSING where nothing is."""

    def __init__(self, edits: list[tuple[Edit, Any]]):
        super().__init__("changed since")
        self.edits = edits


def apply_changes(form: Format, text: str, changes: Iterable[Change], newline: str) -> tuple[str, list[Edit]]:
    """The text with all changes, and what takes them back; what is so already is left alone. newline: what ends lines
    that are added. Raises InvalidDocument, UnsupportedChange."""
    edits: list[Edit] = []
    for change in changes:
        value = form.parse(text)
        there = get(value, change.path) if value is not None or not change.path else MISSING
        if there == change.value or (change.only_missing and there is not MISSING):
            continue
        text, edit = _apply(form, text, change, value, newline)
        edits.append(edit)
    return text, edits


def _apply(form: Format, text: str, change: Change, value: Any, newline: str) -> tuple[str, Edit]:
    wanted = with_change(value, change)
    splice = find_splice(text, form.set(text, change.path, change.value))
    splice = splice._replace(after=splice.after.replace("\r\n", "\n").replace("\n", newline))
    changed = splice.apply(text)
    _check_result(form, changed, wanted)
    there = get(value, change.path) if value is not None else MISSING
    edit = Edit(
        path=[_to_record(step) for step in change.path],
        value=change.value,
        replaced=[] if there is MISSING else [there],
        parents=_count_parents(value, change.path),
        start=splice.start,
        before=splice.before,
        after=splice.after,
        volatile=change.volatile,
    )
    return changed, edit


def _check_result(form: Format, text: str, wanted: Any) -> None:
    try:
        found = form.parse(text)
    except InvalidDocument as error:
        raise UnsupportedChange(f"the changed text would not be valid ({error.reason})") from None
    if not _is_same(found, wanted):
        raise UnsupportedChange("the change would reach more than the part that it is for")


def _is_same(one: Any, other: Any) -> bool:
    # An empty text has no value; an empty table is as good.
    return one == other or (
        not one and not other and not isinstance(one, str | int) and not isinstance(other, str | int)
    )


def _to_record(step: Step) -> StepRecord:
    return StepRecord(step.value, step.field) if isinstance(step, Item) else StepRecord(step)


def _count_parents(value: Any, path: Path) -> int:
    return sum(1 for depth in range(1, len(path)) if value is not None and get(value, path[:depth]) is not MISSING)


def list_settings(edits: Sequence[Edit]) -> list[tuple[Path, Any]]:
    """What was set, without the values that the tool gives itself."""
    return [(edit.to_path(), None if edit.volatile else edit.value) for edit in edits]


def list_changed(form: Format, text: str, edits: Sequence[Edit]) -> list[tuple[Edit, Any]]:
    """The edits whose parts are no longer as they were written, with what is there now. One that somebody has taken
    back already is not among them. Raises InvalidDocument."""
    value = form.parse(text)
    found: list[tuple[Edit, Any]] = []
    last = {_key_of(edit): edit for edit in edits}
    for edit in last.values():
        now = _get(value, edit.to_path())
        if now != edit.value and not edit.volatile and not _is_undone(edit, now):
            found.append((edit, now))
    return found


def list_missing(form: Format, text: str, edits: Sequence[Edit]) -> list[Edit]:
    """The edits whose parts are not there as they were written. Raises InvalidDocument."""
    value = form.parse(text)
    last = {_key_of(edit): edit for edit in edits}.values()
    return [edit for edit in last if not edit.volatile and _get(value, edit.to_path()) != edit.value]


def _is_undone(edit: Edit, now: Any) -> bool:
    """What is there now is what was there before."""
    return now == edit.replaced[0] if edit.replaced else now is MISSING


def _key_of(edit: Edit) -> tuple[tuple[str, str | None], ...]:
    return tuple((step.value, step.field) for step in edit.path)


def _get(value: Any, path: Path) -> Any:
    return get(value, path) if value is not None else MISSING


def undo(form: Format, text: str, edits: Sequence[Edit]) -> str:
    """The text as it would be without the edits. Raises ChangedSince, InvalidDocument, UnsupportedChange."""
    changed = list_changed(form, text, edits)
    if changed:
        raise ChangedSince(changed)
    for edit in reversed(edits):
        text = _undo(form, text, edit)
    return text


def _undo(form: Format, text: str, edit: Edit) -> str:
    value, path = form.parse(text), edit.to_path()
    if _is_undone(edit, _get(value, path)):
        return text
    if edit.replaced:
        wanted = with_change(value, Change(path, edit.replaced[0]))
        return _restore(form, text, edit, wanted) or _set_again(form, text, edit, wanted)
    if not path:
        return _restore(form, text, edit, None) or ""
    wanted = _prune(without(value, path), path, edit.parents)
    restored = _restore(form, text, edit, wanted)
    return restored if restored is not None else _remove(form, text, edit, wanted)


def _prune(value: Any, path: Path, parents: int) -> Any:
    """Without the parents that were made for a part, where nothing else is in them."""
    for depth in range(len(path) - 1, parents, -1):
        if get(value, path[:depth]) in ({}, []):
            value = without(value, path[:depth])
    return value


def _restore(form: Format, text: str, edit: Edit, wanted: Any) -> str | None:
    """The text with the old text in the place of the new one; None where that gives something else."""
    for at in _list_places(text, edit):
        restored = text[:at] + edit.before + text[at + len(edit.after) :]
        try:
            if _is_same(form.parse(restored), wanted):
                return restored
        except InvalidDocument:
            continue
    return None


def _list_places(text: str, edit: Edit) -> Iterator[int]:
    if text.startswith(edit.after, edit.start):
        yield edit.start
    if not edit.after:
        return
    at = -1
    for _ in range(_PLACES):
        at = text.find(edit.after, at + 1)
        if at < 0:
            return
        if at != edit.start:
            yield at


def _set_again(form: Format, text: str, edit: Edit, wanted: Any) -> str:
    changed = form.set(text, edit.to_path(), edit.replaced[0])
    _check_result(form, changed, wanted)
    return changed


def _remove(form: Format, text: str, edit: Edit, wanted: Any) -> str:
    path = edit.to_path()
    text = form.remove(text, path)
    for depth in range(len(path) - 1, edit.parents, -1):
        if _get(form.parse(text), path[:depth]) in ({}, [], None):
            text = form.remove(text, path[:depth])
    _check_result(form, text, wanted)
    return text
