"""Calls in a conversation that the server ran itself, as text."""

from typing import cast

from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def summarize_server_call(entry: Json, kind: str) -> str:
    """One line on a call that the server ran itself, or on its result."""
    if kind.endswith("_use"):
        return f"[{entry.get('name')}: {json_values.encode_json(entry.get('input'))}]"
    found = entry.get("content")
    parts = cast("list[object]", found) if isinstance(found, list) else []
    pages = [cast("Json", one) for one in parts if isinstance(one, dict)]
    lines = [f"{one.get('title') or ''} - {one['url']}" for one in pages if one.get("url")]
    return f"[{kind}: {'; '.join(lines) or 'its content cannot be shown here'}]"
