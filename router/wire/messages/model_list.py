"""Anthropic's list of models."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from router.errors import BadRequest
from router.wire.raw.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# Its entries have dates; catalogs of other vendors do not say.
_UNDATED = "1970-01-01T00:00:00Z"
_PAGE, _PAGE_LIMIT = 20, 1000


def entry(name: str, owner: str) -> Json:
    """One model."""
    return {"type": "model", "id": name, "display_name": name, "created_at": _UNDATED}


def page(listed: Mapping[str, str], query: str) -> Json:
    """One page of the list; `limit`, `after_id` and `before_id` as Anthropic documents them. Raises BadRequest."""
    asked = dict(parse_qsl(query))
    names = list(listed)
    size = parse_whole(asked.get("limit", str(_PAGE)), 1, _PAGE_LIMIT)
    if size is None:
        raise BadRequest(f"limit must be a number from 1 to {_PAGE_LIMIT}.")
    start = 0
    if asked.get("after_id") in listed:
        start = names.index(asked["after_id"]) + 1
    elif asked.get("before_id") in listed:
        end = names.index(asked["before_id"])
        start, size = max(0, end - size), min(size, end)
    found = names[start : start + size]
    return {
        "data": [entry(name, listed[name]) for name in found],
        "has_more": start + size < len(names),
        "first_id": found[0] if found else None,
        "last_id": found[-1] if found else None,
    }
