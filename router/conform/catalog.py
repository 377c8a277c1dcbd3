"""What a backend's list of models says: its names, and the entry of one model."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from router.conform.bench import Bench
from router.conform.client import Reply
from router.wire.raw.json import json_values
from router.wire.raw.json.depth import too_deep

#: Larger than other answers: some lists have thousands of models.
LIST_BYTES = 8 << 20


async def read_list(bench: Bench) -> Reply:
    """The answer to a request for the list of models; sent once in a run. Raises Unknown."""
    return await bench.share("models", lambda: bench.get("/models", limit=LIST_BYTES))


def list_entries(reply: Reply) -> list[Mapping[str, Any]]:
    """The entries of a list of models, [] for anything else. Together answers with the bare list; Google's has other
    names for the fields."""
    if not reply.ok or too_deep(reply.body):
        return []
    try:
        data: Any = msgspec.json.decode(reply.body)
    except json_values.UNREADABLE:
        return []
    if isinstance(data, dict):
        table = cast("dict[str, Any]", data)
        data = table["data"] if "data" in table else table.get("models")
    if not isinstance(data, list):
        return []
    entries = [cast("dict[str, Any]", one) for one in cast("list[Any]", data) if isinstance(one, dict)]
    entries = [one if "id" in one else {**one, "id": one.get("name")} for one in entries]
    return [one for one in entries if isinstance(one.get("id"), str) and one["id"]]


def find_entry(entries: Iterable[Mapping[str, Any]], model: str) -> Mapping[str, Any] | None:
    """The entry of a model. Some lists have `models/` before the names that requests leave out."""
    return next((one for one in entries if one["id"].removeprefix("models/") == model), None)
