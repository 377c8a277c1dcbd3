"""Writes a message of a Responses answer: parts of text and of refusal, one open at a time."""

from typing import Literal, cast

import msgspec

from router.ir import Citation
from router.wire.neutral.logprobs import Logprob
from router.wire.raw.json import large_json
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.event_sequence import EventSequence, delta_head
from router.wire.responses.output.parts import encode_citation, encode_logprobs

# Each takes some hundred bytes.
_LARGE_LOGPROBS = 1024


class MessageWriter:
    """One message that is being streamed."""

    __slots__ = (
        *("_annotations", "_events", "_head", "_item", "_length", "_logprobs", "_parts", "_said", "index", "part"),
    )

    def __init__(self, events: EventSequence, index: int, item_id: str):
        self._events = events
        self._item: Json = {"id": item_id, "type": "message", "status": "in_progress", "role": "assistant"}
        self.index = index
        #: The kind of the part that is open.
        self.part: Literal["", "output_text", "refusal"] = ""
        self._parts: list[Json] = []
        self._said: list[str] = []
        self._annotations: list[Json] = []
        self._logprobs: list[Logprob] = []
        # Characters of text in the open part.
        self._length = 0
        self._head = b""

    def begin(self) -> bytes:
        """Announce the item."""
        item: Json = {**self._item, "content": []}
        return self._events.event("response.output_item.added", output_index=self.index, item=item)

    def add_text(self, text: str, logprobs: tuple[Logprob, ...]) -> bytes:
        """More text, in the open part of text or in a new one."""
        out = b"" if self.part == "output_text" else self._begin_part("output_text")
        self._said.append(text)
        self._length += len(text)
        out += self._events.delta(self._head, text)
        if not logprobs:
            return out + b',"logprobs":[]}\n\n'
        self._logprobs += logprobs
        if self._events.silent:
            return b""
        return out + b',"logprobs":%b}\n\n' % msgspec.json.encode(logprobs)

    def add_citation(self, citation: Citation) -> bytes:
        """A citation in the open part of text."""
        annotation = encode_citation(citation, self._length)
        at = len(self._annotations)
        self._annotations.append(annotation)
        return self._event("output_text.annotation.added", annotation_index=at, annotation=annotation)

    def add_refusal(self, text: str) -> bytes:
        """More words of refusal, in the open part of them or in a new one."""
        out = b"" if self.part == "refusal" else self._begin_part("refusal")
        self._said.append(text)
        return out + self._events.delta(self._head, text) + b"}\n\n"

    def _begin_part(self, kind: Literal["output_text", "refusal"]) -> bytes:
        out = self.end_part()
        self.part = kind
        self._said, self._annotations, self._logprobs, self._length = [], [], [], 0
        where = {"item_id": self._item["id"], "output_index": self.index, "content_index": len(self._parts)}
        self._head = delta_head(f"response.{kind}.delta", **where)
        return out + self._event("content_part.added", part=self._build_part())

    def _event(self, kind: str, **said: object) -> bytes:
        where = {"item_id": self._item["id"], "output_index": self.index, "content_index": len(self._parts)}
        return self._events.event(f"response.{kind}", **where, **said)

    def _build_part(self) -> Json:
        text = "".join(self._said)
        if self.part == "refusal":
            return {"type": "refusal", "refusal": text}
        logprobs = encode_logprobs(self._logprobs)
        return {"type": "output_text", "text": text, "annotations": self._annotations, "logprobs": logprobs}

    def end_part(self) -> bytes:
        """End the open part, if any."""
        if not self.part:
            return b""
        part = self._build_part()
        said = {name: part[name] for name in ("text", "refusal", "logprobs") if name in part}
        out = self._event(f"{self.part}.done", **said) + self._event("content_part.done", part=part)
        self.part = ""
        self._parts.append(part)
        return out

    def collect(self, status: str) -> Json:
        """The item so far."""
        parts = [*self._parts, *([self._build_part()] if self.part else [])]
        return {**self._item, "status": status, "content": parts}

    def end(self, status: str) -> tuple[bytes, Json]:
        """End the message: the events of its end, and the whole item."""
        out = self.end_part()
        item = self.collect(status)
        return out + self._events.event("response.output_item.done", output_index=self.index, item=item), item


def is_large(item: Json) -> bool:
    """True for a message whose texts or log probabilities take megabytes."""
    parts = item.get("content") if item.get("type") == "message" else None
    return isinstance(parts, list) and any(
        len(part.get("logprobs") or ()) > _LARGE_LOGPROBS or len(part.get("text") or "") > large_json.LONG_TEXT
        for part in cast("list[dict[str, list[object]]]", parts)
    )
