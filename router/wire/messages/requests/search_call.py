"""Reads a Messages request that is nothing but one web search, as Claude Code sends it: one message, and a choice that
leaves the search alone."""

from typing import NamedTuple, cast

from router.errors import BadRequest
from router.ir import WebSearch
from router.wire.messages.requests.hosted_tools import SEARCH, read_search
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.top_level import Top

# What stands before the query in the message.
_LEAD_IN = "Perform a web search for the query: "
# Such a request is short; a longer one is something else.
_SIZE_LIMIT = 64 << 10


class SearchCall(NamedTuple):
    """The search that a request asks for."""

    query: str
    #: What the caller set of domains and place.
    limits: WebSearch


def read_search_call(top: Top) -> SearchCall | None:
    """The search of a request; None for a request that is more than one search."""
    raw = top.raw("tools"), top.raw("messages"), top.raw("tool_choice")
    if None in raw or sum(len(part or b"") for part in raw) > _SIZE_LIMIT:
        return None
    tools, messages, choice = (top.value(name) for name in ("tools", "messages", "tool_choice"))
    tool = _only(tools)
    message = _only(messages)
    if tool is None or message is None or message.get("role") != "user" or not isinstance(choice, dict):
        return None
    wanted = cast("Json", choice)
    forced = wanted.get("type") == "any" or (wanted.get("type") == "tool" and wanted.get("name") == SEARCH)
    if not forced or not str(tool.get("type")).startswith(f"{SEARCH}_"):
        return None
    query = _read_text(message.get("content")).removeprefix(_LEAD_IN).strip()
    try:
        return SearchCall(query, read_search(tool, "tools[0]", forced=True)) if query else None
    except BadRequest:
        return None


def _only(value: object) -> Json | None:
    """The object that a list consists of."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    return cast("Json", found[0]) if len(found) == 1 and isinstance(found[0], dict) else None


def _read_text(content: object) -> str:
    """The text of a message that has nothing else; '' for another one."""
    if isinstance(content, str):
        return content
    listed = cast("list[object]", content) if isinstance(content, list) else []
    parts = [cast("Json", one) for one in listed if isinstance(one, dict)]
    texts = [part.get("text") for part in parts if part.get("type") == "text"]
    whole = len(texts) == len(listed) and all(isinstance(text, str) for text in texts)
    return "\n".join(cast("list[str]", texts)) if whole else ""
