"""Citations of Messages answers.

A page of the web is carried over; a place in a document of the request is not, as other protocols cite by URL only. The
other way round nothing is written: the citation of a web page holds an index that only Anthropic's search can issue,
and that Anthropic reads when the history comes back; an invented one would make the history unusable there.
"""

from typing import cast

from router.ir import Citation
from router.wire.neutral.answer_bounds import CITATIONS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json

_WEB = ("http://", "https://")


def decode_citations(found: object, counts: AnswerCounts, ctx: Context) -> tuple[Citation, ...]:
    """The citations of web pages in a list of citations; others are noted as a loss. Raises TooMany."""
    entries = cast("list[object]", found) if isinstance(found, list) else []
    counts.add(CITATIONS, len(entries))
    decoded = [decode_citation(entry, ctx) for entry in entries]
    return tuple(citation for citation in decoded if citation is not None)


def decode_citation(found: object, ctx: Context) -> Citation | None:
    """The citation of a web page; None, noted as a loss, for any other."""
    entry = _as_object(found)
    # The source of a search result that the request brought along is its author's name for it, often a URL.
    url = entry.get("url") or entry.get("source")
    if not isinstance(url, str) or not url.startswith(_WEB):
        ctx.note_dropped("citations")
        return None
    title, quote = entry.get("title"), entry.get("cited_text")
    return Citation(url, title if isinstance(title, str) else "", quote if isinstance(quote, str) else "")


def _as_object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}
