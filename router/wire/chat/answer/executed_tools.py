"""Reads the web searches that a Chat upstream made itself and lists in its message (Groq's `executed_tools`,
https://console.groq.com/docs/browser-search)."""

from typing import cast

from router.ir import Searched, WebPage
from router.wire.neutral.answer_bounds import CALLS, CITATIONS, AnswerCounts, check_length
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

FIELD = "executed_tools"
_SEARCHES = ("search", "browser_search", "browser.search", "web_search")


def read_searches(listed: object, counts: AnswerCounts, ctx: Context) -> list[Searched]:
    """The searches among the tools; others are named as a loss. Raises TooMany."""
    check_length(listed, CALLS)
    entries = cast("list[object]", listed) if isinstance(listed, list) else []
    found = [_read_search(cast("Json", one), counts, ctx) for one in entries if isinstance(one, dict)]
    return [one for one in found if one is not None]


def _read_search(entry: Json, counts: AnswerCounts, ctx: Context) -> Searched | None:
    """A search with what it found. A stream announces it before that; a page that the model opened has found none."""
    results = json_values.get_object(entry, "search_results").get("results")
    if not isinstance(results, list):
        if entry.get("type") not in _SEARCHES or entry.get("output"):
            ctx.note_dropped(FIELD)
        return None
    pages: list[WebPage] = []
    for page in cast("list[object]", results):
        form = cast("Json", page) if isinstance(page, dict) else {}
        url, title = form.get("url"), form.get("title")
        if isinstance(url, str) and url:
            counts.add(CITATIONS)
            pages.append(WebPage(url, title if isinstance(title, str) else ""))
    arguments = entry.get("arguments")
    asked = json_values.decode_object(arguments) if isinstance(arguments, str) else None
    query = (asked or {}).get("query")
    queries = (query,) if isinstance(query, str) and query else ()
    return Searched(queries, tuple(pages)) if pages else None
