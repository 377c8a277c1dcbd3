"""Carries `reasoning_details`: the list in which gateways put reasoning with its signature, its encrypted form and its
summary, and want it back unchanged on the assistant's message.

An entry is one of: `reasoning.text` with `text` and perhaps a `signature`, `reasoning.summary` with a `summary`,
`reasoning.encrypted` with `data`; beside that `id`, `format` and `index`. A stream sends the text of one entry in
pieces, told apart by `index`. Entries travel as sealed state of the reasoning, in which text that the caller sees is
represented by its length.
"""

from typing import cast

import msgspec

from router.ir import BlockEnded, Event, Redacted, Signed
from router.wire.neutral.answer_bounds import ENTRIES, AnswerCounts
from router.wire.raw.json import json_values, lenient_json
from router.wire.raw.json.json_values import Json

FIELD = "reasoning_details"
_START = '{"' + FIELD + '":'
_TEXTS = ("text", "summary")


class _Entry:
    """One entry that is being read."""

    __slots__ = ("form", "is_full", "name", "parts")

    def __init__(self, form: Json):
        #: Its fields, without the text while that is being read.
        self.form = dict(form)
        #: The field of its text, '' without any.
        self.name = next((name for name in _TEXTS if isinstance(form.get(name), str)), "")
        self.parts: list[str] = [str(form[self.name])] if self.name else []
        #: False while a later piece may bring a field that is missing, beside the signature.
        self.is_full = None not in form.values()

    @property
    def text(self) -> str:
        return "".join(self.parts)

    def add(self, piece: Json) -> bool:
        """Add a piece; False when it is no more of this entry."""
        kind = piece.get("type")
        if kind == "reasoning.encrypted" or kind != self.form.get("type") or self.form.get("signature"):
            return False
        text = piece.get(self.name)
        if text.__class__ is str and self.is_full and len(piece) <= len(self.form) and not piece.get("signature"):
            # The form of nearly all pieces: more text, the other fields as before.
            self.parts.append(text)  # pyright: ignore[reportArgumentType]
            return True
        for name, value in piece.items():
            if name not in _TEXTS:
                self.form[name] = self.form.get(name) if value is None else value
            elif isinstance(value, str) and not (piece.get("signature") and value == self.text):
                self.name = self.name or name
                self.parts.append(value)
        return True

    def build(self, *, short: bool = False) -> Json:
        """Its fields. short: with the length in place of the text."""
        if not self.name:
            return self.form
        # Pieces may have been cut within a character, which the caller has as one.
        text = lenient_json.mend_text(self.text)
        return {**self.form, self.name: len(text) if short else text}


class DetailsReader:
    """The entries of one answer."""

    def __init__(self, counts: AnswerCounts, *, whole: bool):
        """whole: entries come whole, and none continues another."""
        self._counts = counts
        self._whole = whole
        self._entries: list[_Entry] = []
        self._by_index: dict[object, _Entry] = {}
        #: True when entries wait that hold more than the text that was shown.
        self.due = False

    def read(self, details: list[object]) -> str:
        """Read one list of entries; the text in them that is to be shown."""
        said = ""
        for one in details:
            if not isinstance(one, dict):
                continue
            piece = cast("Json", one)
            said += read_text(piece)
            index = piece.get("index") if isinstance(piece.get("index"), int) else None
            entry = None if self._whole else self._by_index.get(index)
            if entry is None or not entry.add(piece):
                self._counts.add(ENTRIES)
                entry = self._by_index[index] = _Entry(piece)
                self._entries.append(entry)
            if piece.get("signature") or piece.get("data"):
                self.due = True
        return said

    def seal(self, shown: str | None, out: list[Event]) -> None:
        """Add the state of the entries that wait. shown: the text of the block of reasoning that is open, None when
        none is."""
        text = "".join(entry.text for entry in self._entries)
        if text and text == shown:
            out += (Signed(_encode([entry.build(short=True) for entry in self._entries])), BlockEnded())
        else:
            out.append(Redacted(_encode([entry.build() for entry in self._entries])))
        self._entries, self.due = [], False
        self._by_index.clear()


def decode_details(data: str, shown: str) -> list[Json] | None:
    """The entries in sealed state; None for other state. shown: the text of its block of reasoning."""
    if not data.startswith(_START):
        return None
    found = json_values.decode_object(data) or {}
    entries: list[Json] = []
    at = 0
    for entry in json_values.read_objects(found.get(FIELD), FIELD):
        for name in _TEXTS:
            size = entry.get(name)
            if isinstance(size, int):
                entry[name] = shown[at : at + size]
                at += size
        entries.append(entry)
    return entries


def join_details(entries: list[Json], more: list[Json]) -> None:
    """Add entries to those in front of them; a signature that came behind other content goes to its text."""
    for one in more:
        late = entries and one.get("signature") and not read_text(one)
        entry = _Entry(entries[-1]) if late else None
        if entry is not None and entry.form.get("index") == one.get("index") and entry.add(one):
            entries[-1] = entry.build()
        else:
            entries.append(one)


def read_text(entry: Json) -> str:
    """The readable text of an entry, '' without any."""
    text = entry.get("text") or entry.get("summary")
    return text if isinstance(text, str) else ""


def _encode(entries: list[Json]) -> str:
    form = {FIELD: entries}
    try:
        return msgspec.json.encode(form).decode()
    except UnicodeEncodeError:
        # Fields beside the text may end with half a character too.
        return msgspec.json.encode(lenient_json.mend_value(form)).decode()
