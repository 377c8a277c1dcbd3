"""Answers that fairlead stores for Responses callers: their ids, and their forms when they are asked for again.

The entry of an answer holds `items`, the new items of the conversation, of which the first `inputs` are the request's,
and `response`, the response object without its output. Forms and parameters are those of
https://platform.openai.com/docs/api-reference/responses.
"""

import re
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import parse_qs

from router.errors import BadRequest
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# What an id begins with: OpenAI's begin with a time, so that none of its ids does.
_MARK = "fa171ead"
_DIGITS = 48
_OWN = re.compile(f"resp_{_MARK}[0-9a-f]{{{_DIGITS - len(_MARK)}}}")
# The id that an item without one gets in a list: the digits of its answer's id, and its place among the answer's items.
_ITEM = re.compile(f"[a-z]+_({_MARK}[0-9a-f]{{{_DIGITS - len(_MARK)}}})i([0-9]{{1,6}})")
_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_PAGE, _PAGE_LIMIT = 20, 100


def make_id(digits: str) -> str:
    """The id of a new answer. digits: 48 random hex digits."""
    return f"resp_{(_MARK + digits)[:_DIGITS]}"


def is_own_id(name: str) -> bool:
    """True for the id of an answer that fairlead made, whether it is stored or not."""
    return _OWN.fullmatch(name) is not None


def find_holder(name: str) -> tuple[str, int] | None:
    """The answer that an item belongs to, and its place there, by an id that a list of input items gave it; None for
    other ids."""
    match = _ITEM.fullmatch(name)
    return (f"resp_{match[1]}", int(match[2])) if match else None


def build_response(entry: Json) -> Json | None:
    """The response object of an answer; None where the entry is of a version that did not store it."""
    response = entry.get("response")
    if not isinstance(response, dict):
        return None
    return {**cast("Json", response), "output": _get_items(entry)[_count_inputs(entry) :]}


def build_deletion(name: str) -> Json:
    """The answer to the deletion of an answer."""
    return {"id": name, "object": "response", "deleted": True}


def list_inputs(name: str, entries: Mapping[str, Json], query: str) -> tuple[Json, bool]:
    """A page of the items that an answer was made of, and False when those of some earlier answer are missing.

    entries: that answer and those it continues, by id. query: of the URL. Raises BadRequest.
    """
    asked = {key.removesuffix("[]"): values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    items, whole = _collect_inputs(name, entries)
    if asked.get("order", "desc") not in ("asc", "desc"):
        raise _refuse("order", "expected asc or desc")
    if asked.get("order") != "asc":
        items.reverse()
    limit = parse_whole(asked.get("limit", str(_PAGE)), 1, _PAGE_LIMIT)
    if limit is None:
        raise _refuse("limit", f"expected a whole number from 1 to {_PAGE_LIMIT}")
    start, end = 0, len(items)
    places = {item["id"]: at for at, item in enumerate(items)}
    if after := asked.get("after"):
        if after not in places:
            raise _refuse("after", f"no item of this response has the id '{after[:80]}'")
        start = places[after] + 1
    if before := asked.get("before"):
        if before not in places:
            raise _refuse("before", f"no item of this response has the id '{before[:80]}'")
        end = places[before]
    found = items[start : min(end, start + limit)]
    page: Json = {
        "object": "list",
        "data": found,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
        "has_more": start + len(found) < end,
    }
    return page, whole


def _refuse(name: str, why: str) -> BadRequest:
    error = BadRequest(f"{name}: {why}.")
    error.param = name
    return error


def _collect_inputs(name: str, entries: Mapping[str, Json]) -> tuple[list[Json], bool]:
    """The items that an answer was made of, the oldest first; False when those before some answer are not known."""
    chain: list[tuple[str, Sequence[Json]]] = []
    seen = {name}
    entry = entries[name]
    chain.append((name, _get_items(entry)[: _count_inputs(entry)]))
    while (before := str(entry.get("previous") or "")) and before not in seen:
        found = entries.get(before)
        if found is None:
            break
        seen.add(before)
        entry = found
        chain.append((before, _get_items(entry)))
    items = [_show_item(item, holder, at) for holder, part in reversed(chain) for at, item in enumerate(part)]
    # An item that a later request repeated is listed where it was last.
    latest = {str(item["id"]): at for at, item in enumerate(items)}
    return [item for at, item in enumerate(items) if latest[str(item["id"])] == at], not before or before in seen


def _get_items(entry: Json) -> list[Json]:
    return cast("list[Json]", entry.get("items") or [])


def _count_inputs(entry: Json) -> int:
    return json_values.as_count(entry.get("inputs")) or 0


def _show_item(item: Json, holder: str, at: int) -> Json:
    """An item as lists have it: with an id and a status, and with its content as parts. Callers may leave these out."""
    kind = str(item.get("type") or "message")
    shown: Json = {"type": kind, **{key: value for key, value in item.items() if key != "id"}}
    name = item.get("id")
    prefix = _PREFIXES.get(kind, "item")
    shown["id"] = name if isinstance(name, str) and name else f"{prefix}_{holder.partition('_')[2]}i{at}"
    if kind == "message":
        shown["content"] = _show_content(item)
    if kind != "reasoning":
        shown.setdefault("status", "completed")
    return shown


def _show_content(item: Json) -> list[object]:
    content = item.get("content")
    if isinstance(content, str):
        if item.get("role") == "assistant":
            return [{"type": "output_text", "text": content, "annotations": []}]
        return [{"type": "input_text", "text": content}]
    parts = cast("list[object]", content) if isinstance(content, list) else []
    return [_show_part(part) for part in parts]


def _show_part(part: object) -> object:
    if not isinstance(part, dict):
        return part
    found = cast("Json", part)
    return {"detail": "auto", **found} if found.get("type") == "input_image" else found
