"""Writes citations as the annotations of a Chat message.

OpenAI's form has an address, a title and the place in the message's text, all of them required; OpenRouter adds the
cited words as `content`. The accumulators of OpenAI's SDKs take one list for a whole stream: at a second one Python's
raises, and Node's forgets the first.
"""

from router.ir import Citation
from router.wire.raw.json_values import Json


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
    """Collects the citations of a stream, and follows the length of its text to place them."""

    __slots__ = ("_begin", "_entries", "_waiting", "length")

    def __init__(self) -> None:
        #: Characters of text so far.
        self.length = 0
        self._begin = 0
        self._entries: list[Json] = []
        #: Citations of the block that is open.
        self._waiting: list[Citation] = []

    def add(self, citation: Citation) -> None:
        """Add a citation of the open block."""
        self._waiting.append(citation)

    def end_block(self) -> None:
        """End the open block."""
        self._entries += [encode_annotation(one, self._begin, self.length) for one in self._waiting]
        self._waiting.clear()
        self._begin = self.length

    def finish(self) -> list[Json]:
        """All annotations."""
        self.end_block()
        return self._entries
