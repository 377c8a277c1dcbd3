"""Writes a reasoning item of a Responses answer: a summary of one part, and the sealed state that restores it."""

from router.wire.conversation.sealed_state import StateSealer
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.event_sequence import EventSequence, delta_head


class ReasoningWriter:
    """One reasoning item that is being streamed."""

    __slots__ = ("_events", "_head", "_item", "_said", "_sealer", "index", "signature")

    def __init__(self, events: EventSequence, index: int, item_id: str, sealer: StateSealer):
        self._events = events
        self._item: Json = {"id": item_id, "type": "reasoning", "summary": []}
        self.index = index
        self._sealer = sealer
        self._said: list[str] = []
        self._head = b""
        #: The upstream's signature of the text.
        self.signature = ""

    def begin(self) -> bytes:
        """Announce the item."""
        return self._events.event("response.output_item.added", output_index=self.index, item=self._item)

    def add_text(self, text: str) -> bytes:
        """More text. Its part begins with the first; reasoning without any has no part."""
        out = b""
        if not self._said:
            if not text:
                return b""
            self._head = delta_head(
                "response.reasoning_summary_text.delta",
                item_id=self._item["id"],
                output_index=self.index,
                summary_index=0,
            )
            out = self._event("part.added", part={"type": "summary_text", "text": ""})
        self._said.append(text)
        return out + self._events.delta(self._head, text) + b"}\n\n"

    def redact(self, data: str) -> None:
        """Make it reasoning of opaque data in place of text."""
        self._item["encrypted_content"] = self._sealer.seal("redacted", data, "")

    def _event(self, kind: str, **said: object) -> bytes:
        where = {"item_id": self._item["id"], "output_index": self.index, "summary_index": 0}
        return self._events.event(f"response.reasoning_summary_{kind}", **where, **said)

    def collect(self, status: str) -> Json:
        """The item so far. status: that of the answer, which reasoning does not have."""
        text = "".join(self._said)
        summary = [{"type": "summary_text", "text": text}] if text else []
        return {"encrypted_content": self._seal(text), **self._item, "summary": summary}

    def _seal(self, text: str) -> str:
        """Seal what restores the reasoning: its signature, or its text, which some callers leave out."""
        sealer = self._sealer
        return sealer.seal("signature", self.signature, text) if self.signature else sealer.seal("text", text, "")

    def end(self, status: str) -> tuple[bytes, Json]:
        """End the item: the events of its end, and the whole item."""
        out = b""
        if self._said:
            text = "".join(self._said)
            out = self._event("text.done", text=text)
            out += self._event("part.done", part={"type": "summary_text", "text": text})
        item = self.collect(status)
        return out + self._events.event("response.output_item.done", output_index=self.index, item=item), item
