"""Decodes the pages that a Chat answer cites: `annotations` of the message, and the lists of sources that search
providers put beside the choices."""

from typing import cast

from router.ir import Citation
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Fields of an answer that list its sources, without a place in the text.
FIELDS = ("citations", "search_results")


def read_annotations(value: object, ctx: Context) -> list[Citation]:
    """The pages of a message's annotations; other annotations, as those of files, are named as a loss."""
    found: list[Citation] = []
    for one in cast("list[object]", value) if isinstance(value, list) else [value]:
        entry = cast("Json", one) if isinstance(one, dict) else {}
        form = json_values.get_object(entry, "url_citation") or entry
        url = form.get("url")
        if entry.get("type") != "url_citation" or not isinstance(url, str) or not url:
            ctx.note_dropped("annotations")
            continue
        start, end = json_values.as_count(form.get("start_index")), json_values.as_count(form.get("end_index"))
        if start is None or end is None or end <= start:
            start = end = None
        found.append(Citation(url, _text(form, "title"), _text(form, "content"), start, end))
    return found


def read_sources(answer: Json, ctx: Context) -> list[Citation]:
    """The pages of the lists beside the choices, each once."""
    results: dict[str, Json] = {}
    for one in _entries(answer, "search_results"):
        entry = cast("Json", one) if isinstance(one, dict) else {}
        if url := _text(entry, "url"):
            results.setdefault(url, entry)
        else:
            ctx.note_dropped("search_results")
    urls: list[str] = []
    for one in _entries(answer, "citations"):
        url = one if isinstance(one, str) else _text(cast("Json", one), "url") if isinstance(one, dict) else ""
        if url:
            urls.append(url)
        else:
            ctx.note_dropped("citations")
    return [Citation(url, _text(results.get(url, {}), "title")) for url in dict.fromkeys((*urls, *results))]


def _entries(answer: Json, name: str) -> list[object]:
    value = answer.get(name)
    return cast("list[object]", value) if isinstance(value, list) else []


def _text(form: Json, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""
