"""The reasoning of a Responses answer as neutral events."""

from typing import cast

from router.ir import BlockEnded, Event, Signed, ThinkingDelta
from router.wire.neutral.answer_bounds import PARTS, check_length
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.item_table import ItemTable, OutputItem, list_objects
from router.wire.responses.output.open_text import OpenText, read_index
from router.wire.responses.output.reasoning_state import encode_proof

_RAW = "response.reasoning_text"


class ReasoningReader:
    """The reasoning of one answer."""

    def __init__(self, table: ItemTable, text: OpenText):
        self._table = table
        self._text = text

    def _find(self, data: Json) -> OutputItem:
        found = self._table.find("reasoning", data.get("item_id"), data.get("output_index"))
        return cast("OutputItem", found)  # Only calls may be ambiguous.

    def read_delta(self, data: Json) -> list[Event]:
        """More text; of two forms of the same reasoning the first counts."""
        delta = data.get("delta")
        if not isinstance(delta, str) or not delta:
            return []
        item = self._find(data)
        source = str(data.get("type"))
        item.source = item.source or source
        if item.source != source:
            return []
        return self._think(item, read_index(data, "summary_index", "content_index"), delta)

    def _think(self, item: OutputItem, part: object, text: str) -> list[Event]:
        parted = bool(item.parts) and part != item.part and not item.source.startswith(_RAW)
        before = self._text.turn_to(item, part)
        item.pieces.append(text)
        return [*before, *([ThinkingDelta("\n\n")] if parted else []), ThinkingDelta(text)]

    def read_done(self, data: Json) -> list[Event]:
        """The whole text of a part."""
        text = data.get("text")
        item = self._find(data)
        source = str(data.get("type")).removesuffix(".done") + ".delta"
        if item.done or not isinstance(text, str) or (item.source or source) != source:
            return []
        item.source = source
        return self._top_up(item, read_index(data, "summary_index", "content_index"), text)

    def _top_up(self, item: OutputItem, part: int, text: str) -> list[Event]:
        rest = item.find_rest(part, text)
        return self._think(item, part, rest) if rest else []

    def end(self, item: OutputItem, found: Json) -> list[Event]:
        """End reasoning: its text where no delta brought it, and the state that restores it in a later request."""
        summary, content = _read_texts(found.get("summary")), _read_texts(found.get("content"))
        if not item.source:
            item.source = _RAW if content and not any(summary) else "summary"
        out: list[Event] = []
        for at, text in enumerate(content if item.source.startswith(_RAW) else summary):
            out += self._top_up(item, at, text)
        proof = found.get("encrypted_content")
        if isinstance(proof, str) and proof:
            # Reasoning of another item that is open has a proof of its own.
            out += self._text.turn_to(item, item.part)
            out.append(Signed(encode_proof(str(found.get("id") or ""), proof, summary)))
        if not out and self._text.item is not item:
            return []
        self._text.item = None
        return [*out, BlockEnded()]


def _read_texts(parts: object) -> list[str]:
    check_length(parts, PARTS)
    if isinstance(parts, str):
        return [parts]
    texts = [part.get("text") for part in list_objects(parts)]
    return [text for text in texts if isinstance(text, str)]
