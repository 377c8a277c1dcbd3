"""Pages of model lists, as the APIs write them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import msgspec

from router.backends import Api, Backend
from router.backends.known import known
from router.net.control.request import clean

# What Google's list calls the verbs of models that answer with text or with embeddings.
_VERBS = {"generateContent", "embedContent"}
_PREFIX = "models/"


class Entry(msgspec.Struct):
    """A model."""

    id: str


class Page(msgspec.Struct):
    """One page. last_id: where the next one begins."""

    data: list[Entry] | None
    has_more: bool | None = None
    last_id: str | None = None


def decode_page(data: object, api: Api) -> tuple[Page, list[Mapping[str, object]]]:
    """A page, and its entries with all that they hold. Raises msgspec.ValidationError."""
    # Together answers with the bare list.
    shape = cast("dict[str, Any]", {"data": data} if isinstance(data, list) else data)
    if isinstance(data, dict) and isinstance(shape.get(api.models_field), list) and api.models_field != "data":
        shape = _from_google(shape)
    return msgspec.convert(shape, type=Page), shape["data"] or []


def _from_google(shape: dict[str, Any]) -> dict[str, Any]:
    """Google's form in the common one: names stand behind `models/`, and only some models answer requests."""
    entries = cast("list[object]", shape["models"])
    found: list[object] = []
    for entry in entries:
        fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
        verbs = fields.get("supportedGenerationMethods")
        name = fields.get("name")
        if isinstance(name, str) and (not isinstance(verbs, list) or _VERBS & {*map(str, cast("list[object]", verbs))}):
            found.append(fields | {"id": name.removeprefix(_PREFIX)})
    token = shape.get("nextPageToken")
    return {"data": found, "has_more": bool(token), "last_id": token if isinstance(token, str) else None}


def iter_names(
    backend: Backend, entries: Iterable[tuple[Entry, Mapping[str, object]]]
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The names to keep, each with its entry."""
    vendor = known(backend.vendor)
    for entry, whole in entries:
        name = entry.id.removeprefix(vendor.model_prefix) if vendor is not None else entry.id
        if name and len(name) <= 256 and (_is_plain(name) or _is_clean(name)):
            yield name, whole


def _is_plain(name: str) -> bool:
    """True for nearly all names: of letters, digits and signs that need no look at each."""
    return name.isascii() and name.isprintable() and " " not in name


def _is_clean(name: str) -> bool:
    return len(name.encode("utf-8", "replace")) <= 256 and name == clean(name, 256)
