"""The web searches of a Responses answer: read from an item, and written as one with its events.

The item tells what was searched for; what was found it tells only as addresses
(https://platform.openai.com/docs/api-reference/responses/object, web_search_call).
"""

from typing import cast

from router.ir import Searched
from router.wire.neutral.answer_bounds import CITATIONS, check_length
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses.output.event_sequence import EventSequence

SEARCH = "web_search_call"
#: The fields of the item that are read, or say nothing that a client of another protocol would miss.
FIELDS = frozenset(("id", "type", "status", "action"))
_STEPS = ("in_progress", "searching", "completed")
_QUERIES = 64


def decode_search(item: Json, ctx: Context) -> Searched | None:
    """The search of an item; None, noted as a loss, where the model opened a page instead. Raises TooMany.

    The sources of an item have no titles, and its citations have: pages are left to these.
    """
    action = json_values.get_object(item, "action")
    kind = action.get("type", "search")
    if kind != "search":
        ctx.note_dropped(f"output item {SEARCH}.{str(kind)[:40]}")
        return None
    check_length(action.get("sources"), CITATIONS)
    listed = action.get("queries")
    queries = [one for one in cast("list[object]", listed) if isinstance(one, str)] if isinstance(listed, list) else []
    query = action.get("query")
    if not queries and isinstance(query, str) and query:
        queries = [query]
    return Searched(tuple(queries[:_QUERIES]), error="unavailable" if item.get("status") == "failed" else "")


def write_search(events: EventSequence, index: int, item_id: str, found: Searched) -> tuple[bytes, Json]:
    """The events of a whole search, and its item."""
    action: Json = {"type": "search", "query": "; ".join(found.queries), "queries": list(found.queries)}
    if found.pages:
        action["sources"] = [{"type": "url", "url": page.url} for page in found.pages]
    item: Json = {"id": item_id, "type": SEARCH, "status": "in_progress", "action": action}
    out = events.event("response.output_item.added", output_index=index, item=item)
    status = "failed" if found.error else "completed"
    for step in _STEPS[:2] if found.error else _STEPS:
        out += events.event(f"response.{SEARCH}.{step}", output_index=index, item_id=item_id)
    item = {**item, "status": status}
    return out + events.event("response.output_item.done", output_index=index, item=item), item
