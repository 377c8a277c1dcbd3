"""Requests to count tokens, and the model's name in bodies of requests whose path names it.

    {"contents": […]}
    {"generateContentRequest": {"model": "models/NAME", "contents": […], "systemInstruction": …, "tools": […]}}

Only the second form counts the system prompt and the tools (https://ai.google.dev/api/tokens). Vertex has the members
of the second beside the contents in place of it (CountTokensRequest of google.cloud.aiplatform.v1).
"""

from typing import cast

import msgspec

from router.wire.gemini.names import both, get, to_snake
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.splice import Splice

_REQUEST = "generateContentRequest"
# Of a request for text, what Vertex counts; it refuses other members.
_FLAT = both("contents", "systemInstruction", "tools", "generationConfig")
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_objects = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


def read_counted(data: Json) -> Json:
    """The request for text that a request to count is about."""
    found = get(data, _REQUEST)
    return cast("Json", found) if isinstance(found, dict) else data


def write_counted(data: Json, model: str) -> Json:
    """The request to count a request for text. model: its name in the path."""
    return {_REQUEST: {"model": f"models/{model}", **data}}


def flatten_counted(splice: Splice) -> bool:
    """Put the members of the request that is counted into the body itself, as Vertex reads them; False for a body that
    has none inside. Raises BadRequest for a doubled key."""
    place = next((name for name in (_REQUEST, to_snake(_REQUEST)) if splice.raw(name) is not None), "")
    if not place:
        return False
    try:
        held = _object.decode(splice.raw(place) or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    splice.drop(place)
    for name, value in held.items():
        if name in _FLAT:
            splice.put(name, bytes(value))
    return True


def rename_model(splice: Splice, model: str) -> None:
    """Put a model's new name where a body repeats it: Google refuses one that is not the path's. Raises BadRequest for
    a doubled key."""
    name = msgspec.Raw(msgspec.json.encode(f"models/{model}"))
    if splice.raw("model") is not None:
        splice.put("model", bytes(name))
    for place in (_REQUEST, to_snake(_REQUEST)):
        raw = splice.raw(place)
        if raw is None:
            continue
        try:
            held = _object.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if "model" in held:
            splice.put(place, msgspec.json.encode({**held, "model": name}))
    raw = splice.raw("requests")
    if raw is None:
        return
    try:
        entries = _objects.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if any("model" in one for one in entries):
        renamed = [{**one, "model": name} if "model" in one else one for one in entries]
        splice.put("requests", msgspec.json.encode(renamed))
