"""Writes citations as the annotations of a Chat message.

OpenAI's form has an address, a title and the place in the message's text, all of them required; OpenRouter adds the
cited words as `content`. The accumulators of OpenAI's SDKs take one list for a whole stream: at a second one Python's
raises, and Node's forgets the first.
"""

from router.ir import Citation
from router.wire.raw.json.json_values import Json


def encode_annotation(citation: Citation, begin: int, end: int) -> Json:
    """One citation. begin, end: the place of its block in the message's text, in characters.

    A citation without a place of its own belongs to its whole block.
    """
    placed = citation.start is not None and citation.end is not None
    found: Json = {"url": citation.url, "title": citation.title}
    found["start_index"] = begin + (citation.start or 0) if placed else begin
    found["end_index"] = begin + (citation.end or 0) if placed else end
    if citation.quote:
        found["content"] = citation.quote
    return {"type": "url_citation", "url_citation": found}


class Annotations:
    """Collects the citations of a stream until the ends of their blocks are known."""

    __slots__ = ("_entries", "_open")

    def __init__(self) -> None:
        self._entries: list[Json] = []
        #: The citations of the open block, and where it begins.
        self._open: list[tuple[Citation, int]] = []

    def add(self, citation: Citation, begin: int) -> None:
        """Add a citation of the open block. begin: the block's place in the message's text."""
        self._open.append((citation, begin))

    def end_block(self, end: int) -> None:
        """End the open block. end: its place in the message's text."""
        self._entries += [encode_annotation(citation, begin, end) for citation, begin in self._open]
        self._open.clear()

    def finish(self, end: int) -> list[Json]:
        """All annotations. end: the length of the message's text."""
        self.end_block(end)
        return self._entries
