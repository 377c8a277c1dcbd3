"""Reads the web searches that an upstream of Messages made: the call, and the result that names it."""

from typing import cast

from router.ir import Searched, WebPage
from router.wire.messages.searches import SEARCH
from router.wire.neutral.answer_bounds import CITATIONS, AnswerCounts
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

RESULT = "web_search_tool_result"
#: The most characters of a call's input that are read: a query is shorter.
INPUT_LIMIT = 16 << 10


def is_call(block: Json) -> bool:
    """True for the call of a web search that the upstream made itself."""
    return block.get("type") == "server_tool_use" and block.get("name") == SEARCH


class SearchReader:
    """The searches of one answer."""

    __slots__ = ("_counts", "_ctx", "_inputs", "_queries", "_sizes")

    def __init__(self, ctx: Context, counts: AnswerCounts):
        self._ctx = ctx
        self._counts = counts
        # By the id of the call: the query, as far as it is known; and the pieces of its input, with their length.
        self._queries: dict[str, str] = {}
        self._inputs: dict[str, list[str]] = {}
        self._sizes: dict[str, int] = {}

    def begin(self, block: Json) -> str:
        """Read the beginning of a call; returns its id."""
        name = str(block.get("id") or "")
        self._queries[name] = _read_query(block.get("input"))
        self._inputs[name], self._sizes[name] = [], 0
        return name

    def add(self, name: str, fragment: str) -> None:
        """Add a piece of the input of a call."""
        self._sizes[name] += len(fragment)
        if self._sizes[name] <= INPUT_LIMIT:
            self._inputs[name].append(fragment)

    def end(self, name: str) -> None:
        """End the call."""
        said = json_values.decode_object("".join(self._inputs.pop(name, ())))
        self._queries[name] = _read_query(said) or self._queries.get(name, "")

    def read_result(self, block: Json) -> Searched:
        """The search that a result belongs to. What it holds for Anthropic alone is a loss. Raises TooMany."""
        query = self._queries.pop(str(block.get("tool_use_id") or ""), "")
        queries = (query,) if query else ()
        content = block.get("content")
        if isinstance(content, dict):
            code = cast("Json", content).get("error_code")
            return Searched(queries, error=code if isinstance(code, str) and code else "unavailable")
        self._ctx.note_weakened(f"content block {RESULT}")
        pages: list[WebPage] = []
        for entry in cast("list[object]", content) if isinstance(content, list) else ():
            form = cast("Json", entry) if isinstance(entry, dict) else {}
            if url := _text(form, "url"):
                self._counts.add(CITATIONS)
                pages.append(WebPage(url, _text(form, "title"), _text(form, "page_age")))
        return Searched(queries, tuple(pages))

    def finish(self) -> list[Searched]:
        """The searches whose results never came."""
        left = [Searched((query,) if query else (), ()) for query in self._queries.values()]
        self._queries.clear()
        return left


def _read_query(found: object) -> str:
    return _text(cast("Json", found), "query") if isinstance(found, dict) else ""


def _text(form: Json, name: str) -> str:
    value = form.get(name)
    return value if isinstance(value, str) else ""
