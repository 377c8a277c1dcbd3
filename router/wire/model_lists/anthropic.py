"""Anthropic's list of models."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from router.errors import BadRequest
from router.wire.model_lists.listed import ListedModel
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

# Its entries have dates; catalogs of other vendors do not say.
_UNDATED = "1970-01-01T00:00:00Z"
_PAGE, _PAGE_LIMIT = 20, 1000
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


def entry(model: ListedModel) -> Json:
    """One model, with Anthropic's fields for what is known of it."""
    found: Json = {"type": "model", "id": model.name, "display_name": model.label, "created_at": _format_date(model)}
    for name, value in (
        ("description", model.description or None),
        ("max_input_tokens", model.max_input),
        ("max_tokens", model.max_output),
        ("capabilities", _list_capabilities(model) or None),
        ("retires_at", f"{model.retires}T00:00:00Z" if model.retires else None),
    ):
        if value is not None:
            found[name] = value
    found["lifecycle"] = "deprecated" if model.deprecated else "active"
    return found


def _format_date(model: ListedModel) -> str:
    if model.created is None:
        return _UNDATED
    return datetime.fromtimestamp(model.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _list_capabilities(model: ListedModel) -> Json:
    found: Json = {}
    if model.modalities is not None:
        for name, kind in (("image_input", "image"), ("pdf_input", "file")):
            found[name] = {"supported": kind in model.modalities}
    if model.efforts is not None:
        levels = {name: {"supported": name in model.efforts} for name in _EFFORTS}
        found["effort"] = {"supported": any(name in model.efforts for name in _EFFORTS), **levels}
    return found


def page(names: Sequence[str], describe: Callable[[Sequence[str]], list[ListedModel]], query: str) -> Json:
    """One page of the list; `limit`, `after_id` and `before_id` as Anthropic documents them. describe: what is known of
    some of the models. Raises BadRequest."""
    asked = dict(parse_qsl(query))
    size = parse_whole(asked.get("limit", str(_PAGE)), 1, _PAGE_LIMIT)
    if size is None:
        raise BadRequest(f"limit must be a number from 1 to {_PAGE_LIMIT}.")
    start = 0
    if asked.get("after_id") in names:
        start = names.index(asked["after_id"]) + 1
    elif asked.get("before_id") in names:
        end = names.index(asked["before_id"])
        start, size = max(0, end - size), min(size, end)
    found = names[start : start + size]
    return {
        "data": [entry(model) for model in describe(found)],
        "has_more": start + size < len(names),
        "first_id": found[0] if found else None,
        "last_id": found[-1] if found else None,
    }
