"""Writes the web searches of an answer as the blocks that Anthropic's own search has: a call, and its result.

Upstreams of other protocols name what they found only by what the text cites, so the result of such a search stands
behind the text. Its pages have an empty `encrypted_content`: clients require the field, and Anthropic alone can fill
it. The result form has no place for the cited words (https://platform.claude.com/docs/en/agents-and-tools/tool-use/
web-search-tool).
"""

from router.ir import Citation, Searched, WebPage
from router.wire.neutral.answer_bounds import CITATIONS
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json

#: The name of the tool in calls.
SEARCH = "web_search"


class SearchWriter:
    """The searches of one answer."""

    __slots__ = ("_ctx", "_pages", "_waiting", "count")

    def __init__(self, ctx: Context):
        self._ctx = ctx
        # The ids of searches whose results are not written, and the pages that the text has cited since.
        self._waiting: list[str] = []
        self._pages: dict[str, WebPage] = {}
        #: How many searches were made.
        self.count = 0

    def write(self, found: Searched) -> list[Json]:
        """The blocks of a search: its call, and its result where that is known."""
        name = f"srvtoolu_{self._ctx.new_id()}"
        self.count += not found.error
        call = _build_call(name, "; ".join(found.queries))
        if found.pages is None and not found.error:
            self._waiting.append(name)
            return [call]
        return [call, build_result(name, found.pages or (), found.error)]

    def cite(self, citation: Citation) -> None:
        """Keep a page that the text cites for the result of the search that found it; without one it is a loss."""
        asked = self._ctx.searching and not self.count
        if not self._waiting and not asked:
            self._ctx.note_dropped("citations")
            return
        self._ctx.note_weakened("citations")
        known = self._pages.get(citation.url)
        if (known is None and len(self._pages) < CITATIONS.limit) or (known is not None and not known.title):
            self._pages[citation.url] = WebPage(citation.url, citation.title)

    def finish(self) -> list[Json]:
        """The results that are still due. Which of several searches found a page is not known: the last has them all.
        A search that was asked for and only shows in what is cited gets its call here."""
        out: list[Json] = []
        if self._pages and not self._waiting:
            out = self.write(Searched())
        last = len(self._waiting) - 1
        for at, name in enumerate(self._waiting):
            out.append(build_result(name, tuple(self._pages.values()) if at == last else ()))
        self._waiting.clear()
        self._pages.clear()
        return out


def _build_call(name: str, query: str) -> Json:
    return {"type": "server_tool_use", "id": name, "name": SEARCH, "input": {"query": query} if query else {}}


def build_result(name: str, pages: tuple[WebPage, ...], error: str = "") -> Json:
    """The block of a result. name: the id of its call."""
    content: object = [_build_page(page) for page in pages]
    if error:
        content = {"type": "web_search_tool_result_error", "error_code": error}
    return {"type": "web_search_tool_result", "tool_use_id": name, "content": content}


def _build_page(page: WebPage) -> Json:
    return {
        "type": "web_search_result",
        "url": page.url,
        "title": page.title or page.url,
        "encrypted_content": "",
        "page_age": page.age or None,
    }
