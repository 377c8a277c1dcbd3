"""The path, and the body, of a request to a provider that serves a protocol at paths of its own."""

import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from router.backends import MODEL, Endpoint
from router.backends.endpoints import below_version
from router.errors import BadRequest
from router.wire.protocol import WireProtocol
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.splice import Splice

# What would be read as another path, or as the end of the model's name.
_UNFIT = re.compile(r"[\x00-\x20\x7f-\x9f/\\:?#%]")

_encode = msgspec.json.encode


def find_template(endpoint: Endpoint, entry: WireProtocol, path: str, *, stream: bool) -> str:
    """The provider's own path for a path of the protocol, '' where the protocol's is used. stream: the request asks for
    a stream."""
    if not (endpoint.path or endpoint.stream_path or endpoint.count_path):
        return ""
    kind = classify_path(entry, path)
    if kind == "text":
        return endpoint.stream_path if stream and endpoint.stream_path else endpoint.path
    return endpoint.count_path if kind == "count" else ""


def classify_path(entry: WireProtocol, path: str) -> str:
    """What is asked at a path of the protocol: `text`, `count`, '' for anything else."""
    if entry.read_path is not None:
        parts = entry.read_path(path)
        return {"stream": "text"}.get(parts.kind, parts.kind) if parts is not None else ""
    if path in (entry.path, entry.stream_path):
        return "text"
    return "count" if entry.count is not None and path == entry.count.path else ""


def build_path(endpoint: Endpoint, entry: WireProtocol, path: str, model: str | None, *, stream: bool) -> str:
    """The path below a root of the version that the path has. Raises BadRequest for a model's name that cannot stand in
    one."""
    template = find_template(endpoint, entry, path, stream=stream)
    below = place_model(template, model, endpoint) if MODEL in template else template or below_version(path)
    return f"{below}?{entry.stream_query}" if stream and entry.stream_query and "?" not in below else below


def build_url(
    root: str,
    endpoint: Endpoint,
    entry: WireProtocol,
    path: str,
    model: str | None,
    *,
    stream: bool = False,
    query: bool = True,
) -> str:
    """The place below a root, which is a URL or its path, for a path of the protocol. query: with the one that a stream
    is asked for by. Raises BadRequest for a model's name that cannot stand in a path."""
    template = find_template(endpoint, entry, path, stream=stream)
    if not template:
        url = entry.join_root(root, path)
    else:
        url = root + (place_model(template, model, endpoint) if MODEL in template else template)
    return f"{url}?{entry.stream_query}" if query and stream and entry.stream_query and "?" not in url else url


def place_model(template: str, model: str | None, endpoint: Endpoint) -> str:
    """A path with the model's name in the place of MODEL, percent-encoded but for an @ and a colon: some providers name
    a version behind one. Raises BadRequest for a name that cannot stand there."""
    if not model:
        raise BadRequest("The request names no model, and this backend has the model's name in the path.")
    taken = endpoint.model_characters
    plain = model.translate({ord(character): None for character in taken}) if taken else model
    if _UNFIT.search(plain) or any(not part.strip(".") for part in model.split("/")):
        refused = " ".join(character for character in "/:?#%" if character not in taken)
        raise BadRequest(
            f"The model {ascii(model)[:80]} cannot stand in the path of this backend: a name has none of {refused} and "
            "no space."
        )
    return template.replace(MODEL, quote(model, safe="@:"))


def fit_splice(
    splice: Splice, endpoint: Endpoint, entry: WireProtocol, path: str, fields: Mapping[bytes, bytes] | None = None
) -> list[str]:
    """Change a body for the provider: the model that its path names and fields that it does not take are taken out, and
    fields that it needs are set where they are absent. fields: the request's headers by lower-case name. Returns notes
    for the record. Raises BadRequest for a body with doubled keys."""
    notes: list[str] = []
    if "model" in splice and MODEL in find_template(endpoint, entry, path, stream=False):
        splice.drop("model")
        notes.append("model moved to the path")
    kind = classify_path(entry, path)
    if kind not in ("text", "count"):
        return notes
    if kind == "count" and endpoint.flat_counts and entry.count is not None and entry.count.flatten(splice):
        notes.append("count put in the provider's form")
    for default in endpoint.set_fields:
        if default.name not in splice:
            splice.put(default.name, _encode(default.choose(fields or {})))
            notes.append(f"field {default.name} set")
    for name in endpoint.drop_fields:
        if name in splice:
            splice.drop(name)
            notes.append(f"field {name} left out")
    for lifted in endpoint.lift_headers:
        values = _split_values((fields or {}).get(lifted.header.encode(), b""))
        if values and lifted.field not in splice:
            splice.put(lifted.field, _encode(values))
            notes.append(f"field {lifted.field} set from the header {lifted.header}")
    return notes


def _split_values(header: bytes) -> list[str]:
    """What stands between the commas of a header."""
    return [part for one in header.decode("latin-1").split(",") if (part := one.strip())]


def fit_object(body: Json, endpoint: Endpoint, entry: WireProtocol, path: str) -> Json:
    """As `fit_splice`, for a body that fairlead makes itself."""
    dropped = {
        *endpoint.drop_fields,
        *(("model",) if MODEL in find_template(endpoint, entry, path, stream=False) else ()),
    }
    kept = {name: value for name, value in body.items() if name not in dropped}
    return {**{default.name: default.value for default in endpoint.set_fields}, **kept}
