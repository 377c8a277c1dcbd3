"""What a backend's list of models says: its names, and the entry of one model."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec

from router.conform.bench import Bench
from router.conform.client import Reply
from router.wire.raw.json import json_values
from router.wire.raw.json.depth import too_deep

#: Larger than other answers: some lists have thousands of models.
LIST_BYTES = 8 << 20
# What tells one build of a model from another, and stays the same from day to day.
_STEADY = ("id", "created", "created_at", "owned_by", "root", "digest", "revision", "max_model_len", "max_input_tokens")


async def read_list(bench: Bench) -> Reply:
    """The answer to a request for the list of models; sent once in a run. Raises Unknown."""
    return await bench.share("models", lambda: bench.get("/models", limit=LIST_BYTES))


def list_entries(reply: Reply) -> list[Mapping[str, Any]]:
    """The entries of a list of models, [] for anything else. Together answers with the bare list."""
    if not reply.ok or too_deep(reply.body):
        return []
    try:
        data: Any = msgspec.json.decode(reply.body)
    except json_values.UNREADABLE:
        return []
    if isinstance(data, dict):
        data = cast("dict[str, Any]", data).get("data")
    if not isinstance(data, list):
        return []
    entries = [cast("dict[str, Any]", one) for one in cast("list[Any]", data) if isinstance(one, dict)]
    return [one for one in entries if isinstance(one.get("id"), str) and one["id"]]


def find_entry(entries: Iterable[Mapping[str, Any]], model: str) -> Mapping[str, Any] | None:
    """The entry of a model. Some lists have `models/` before the names that requests leave out."""
    return next((one for one in entries if one["id"].removeprefix("models/") == model), None)


def compute_fingerprint(entry: Mapping[str, Any] | None) -> str:
    """A hash of what an entry says of which build of the model it is, '' where it says nothing."""
    said = {name: entry[name] for name in _STEADY if name in entry} if entry is not None else {}
    if set(said) <= {"id"}:
        return ""
    return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:16]
