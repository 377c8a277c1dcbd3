"""Writes web searches and what a text cites as `groundingMetadata`.

Google counts the places of texts in bytes of UTF-8; here, as Gemini CLI reads them, from the beginning of all text of
the answer (https://ai.google.dev/gemini-api/docs/google-search).
"""

from router.ir import Citation, Searched
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json


class Grounding:
    """The searches and citations of one answer."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._queries: dict[str, None] = {}
        # The titles of pages by their addresses: those that are cited, with their numbers, and those that were found.
        self._cited: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._found: dict[str, str] = {}
        # The pages, by their numbers, of each place in the text.
        self._places: dict[tuple[int, int], dict[int, None]] = {}
        # The open text, where it begins, and its citations.
        self._texts: list[str] = []
        self._begin = 0
        self._open: list[Citation] = []

    def search(self, made: Searched) -> None:
        """Add a search."""
        self._queries |= dict.fromkeys(made.queries)
        for page in made.pages or ():
            self._found.setdefault(page.url, page.title)
        if made.error:
            self._ctx.note_dropped("web_search.error")

    def say(self, text: str) -> None:
        """Add text to the open block."""
        self._texts.append(text)

    def cite(self, citation: Citation) -> None:
        """Add a citation of the open block; one that comes while none is open belongs to no text."""
        if citation.quote:
            self._ctx.note_dropped("citations.quote")
        self._open.append(citation)

    def end_block(self) -> None:
        """End the open block of text."""
        if not self._texts and not self._open:
            return
        text = "".join(self._texts)
        self._texts.clear()
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if self._open:
            self._place_citations(text)
        self._begin += size

    def _place_citations(self, text: str) -> None:
        wanted = [_find_place(citation, len(text)) for citation in self._open]
        marks = _count_bytes(text, {place for pair in wanted for place in pair})
        for citation, (start, end) in zip(self._open, wanted, strict=True):
            number = self._numbers.setdefault(citation.url, len(self._numbers))
            self._cited.setdefault(citation.url, citation.title)
            if text:
                place = (self._begin + marks[start], self._begin + marks[end])
                self._places.setdefault(place, {})[number] = None
        self._open.clear()

    def collect(self) -> Json:
        """The `groundingMetadata`; {} for an answer without any."""
        self.end_block()
        out: Json = {}
        if self._queries:
            out["webSearchQueries"] = list(self._queries)
        pages = self._cited or self._found
        if pages:
            out["groundingChunks"] = [
                {"web": {"uri": url, "title": title} if title else {"uri": url}} for url, title in pages.items()
            ]
        if self._places:
            out["groundingSupports"] = [
                {"segment": {"startIndex": start, "endIndex": end}, "groundingChunkIndices": list(numbers)}
                for (start, end), numbers in self._places.items()
            ]
        return out


def _find_place(citation: Citation, size: int) -> tuple[int, int]:
    """The characters of its text that rest on a page: all of them where that is not given."""
    if citation.start is None or citation.end is None:
        return 0, size
    start = max(0, citation.start)
    return start, max(start, citation.end)


def _count_bytes(text: str, places: set[int]) -> dict[int, int]:
    """The place in bytes of UTF-8 of each place in characters; of one behind the end, that of the end."""
    found: dict[int, int] = {}
    last = size = 0
    for place in sorted(places):
        size += len(text[last:place].encode("utf-8", "surrogatepass"))
        found[place], last = size, place
    return found
