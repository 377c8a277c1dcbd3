"""The path, and the body, of a request to a provider that serves a protocol at paths of its own."""

import re
from collections.abc import Mapping

import msgspec

from router.backends import MODEL, Endpoint
from router.backends.endpoints import below_version
from router.errors import BadRequest
from router.wire.protocol import WireProtocol, fill_model
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
    below = place_model(template, model) if MODEL in template else template or below_version(path)
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
        url = root + (place_model(template, model) if MODEL in template else template)
    return f"{url}?{entry.stream_query}" if query and stream and entry.stream_query and "?" not in url else url


def place_model(template: str, model: str | None) -> str:
    """A path with the model's name in the place of MODEL. Raises BadRequest for a name that cannot stand there."""
    if not model:
        raise BadRequest("The request names no model, and this backend has the model's name in the path.")
    if _UNFIT.search(model) or model.strip(".") == "":
        raise BadRequest(
            f"The model {ascii(model)[:80]} cannot stand in the path of this backend: a name has none of / : ? # % and "
            "no space."
        )
    return fill_model(template, model)


def fit_splice(
    splice: Splice, endpoint: Endpoint, entry: WireProtocol, path: str, fields: Mapping[bytes, bytes] | None = None
) -> list[str]:
    """Change a body for the provider: the model that its path names is taken out, and fields that it needs are set
    where they are absent. fields: the caller's headers by lower-case name. Returns notes for the record. Raises
    BadRequest for a body with doubled keys."""
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
    return notes


def fit_object(body: Json, endpoint: Endpoint, entry: WireProtocol, path: str) -> Json:
    """As `fit_splice`, for a body that fairlead makes itself."""
    drops = MODEL in find_template(endpoint, entry, path, stream=False)
    kept = {name: value for name, value in body.items() if not (drops and name == "model")}
    return {**{default.name: default.value for default in endpoint.set_fields}, **kept}
