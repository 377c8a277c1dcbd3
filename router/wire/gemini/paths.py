"""The paths of Google's API: the model and what is asked of it stand in the path, behind the version.

    /v1beta/models/MODEL:generateContent      /v1/…, /v1alpha/… alike; /v1beta/tunedModels/ID:generateContent
    /v1beta/models, /v1beta/models/MODEL      the list, and one model
    /v1beta/files, /upload/v1beta/files, …    further collections

A model's name may hold slashes and colons: what is asked is behind the last colon. Clients double the version when
their base URL ends in one, and the word `models/` when the name begins with it.
"""

from urllib.parse import quote, unquote

from router.errors import BadRequest
from router.wire.paths.spelling import spell
from router.wire.protocol import MODEL, PathParts
from router.wire.raw.json.top_level import check_model

#: First segments of its paths.
VERSIONS = frozenset(("v1beta", "v1alpha", "v1"))
#: The path of a request for text.
PATH = f"/v1beta/models/{MODEL}:generateContent"
STREAM_PATH = f"/v1beta/models/{MODEL}:streamGenerateContent"
COUNT_PATH = f"/v1beta/models/{MODEL}:countTokens"
#: What its further paths begin with, beside `/v1beta/`.
PREFIXES = (
    "/v1alpha/",
    *(f"/v1/{name}" for name in ("interactions", "cachedContents", "operations", "tunedModels", "fileSearchStores")),
    "/upload/v1",
)
#: Where its live sessions are, which are web sockets.
LIVE = "/ws/google.ai.generativelanguage."
_KINDS = {
    "generateContent": "text",
    "streamGenerateContent": "stream",
    "countTokens": "count",
    "embedContent": "metered",
    "batchEmbedContents": "metered",
    # What these cost is not in their answers.
    "asyncBatchEmbedContent": "other",
    "batchGenerateContent": "other",
    "predict": "other",
    "predictLongRunning": "other",
}
_TUNED = "tunedModels/"
# What may stand in a model's name without an escape, beside letters, digits and `-._~`.
_LITERAL = "@/:"
_REFUSED = frozenset("?#%")


def spell_path(path: str) -> str | None:
    """The canonical form of a path of this API, None for any other. path: as it came, without the query."""
    if path.startswith(LIVE):
        return path if spell(path) == path else None
    version, rest = _split_version(path)
    if not version:
        if not path.startswith("/upload/"):
            return None
        version, rest = _split_version(path.removeprefix("/upload"))
        return spell(f"/upload/{version}/{rest}") if version else None
    collection, _, name = rest.partition("/")
    if collection in ("models", "tunedModels"):
        name = unquote(name.lstrip("/"))
        model, _, verb = name.rpartition(":")
        if model and verb in _KINDS:
            return f"/{version}/{collection}/{_quote(_strip(model))}:{verb}"
        if version == "v1":
            return None
        return f"/{version}/{collection}/{_quote(name)}" if name else f"/{version}/{collection}"
    if version == "v1":
        return None  # of all vendors
    if collection == "openai" and name:
        return spell(f"/v1/{name}")  # Google's own endpoint for OpenAI's clients
    return spell(f"/{version}/{rest}") if rest else None


def read_path(path: str) -> PathParts | None:
    """What a canonical path asks of which model; None for a path that names none, or asks what is not known."""
    version, rest = _split_version(path)
    collection, _, name = rest.partition("/")
    if not version or collection not in ("models", "tunedModels"):
        return None
    model, _, verb = unquote(name).rpartition(":")
    kind = _KINDS.get(verb)
    if not model or kind is None:
        return None
    model = _TUNED + model if collection == "tunedModels" else model
    return PathParts(kind, model, f"/{version}/models/{MODEL}:{verb}")


def find_listed(path: str) -> str | None:
    """The model that a canonical path asks about, '' for the list of all; None for any other path."""
    version, rest = _split_version(path)
    collection, _, name = rest.partition("/")
    if not version or collection != "models" or "/operations/" in name or read_path(path) is not None:
        return None
    return unquote(name)


def fill_path(path: str, model: str) -> str:
    """The path with the model's name in the place of MODEL. A tuned model is in a collection of its own."""
    found = path.replace(MODEL, _quote(model))
    return found.replace("/models/tunedModels/", "/tunedModels/", 1) if model.startswith(_TUNED) else found


def join_root(root: str, path: str) -> str:
    """The place of a canonical path at a backend: with the version that the caller asked for in place of the root's. A
    cloud's root has its own version, in front of project and location, which stays. root: a URL, or its path."""
    root = root.rstrip("/")
    base, _, last = root.rpartition("/")
    if last in VERSIONS:
        return base + path
    version, rest = _split_version(path)
    return f"{root}/{rest}" if version and not VERSIONS.isdisjoint(base.split("/")) else root + path


def check_name(model: str) -> None:
    """Refuse a model's name that cannot stand in a path in one reading. Raises BadRequest."""
    check_model(model)
    if not (model.isprintable() and _REFUSED.isdisjoint(model)):
        raise BadRequest("The model's name in the path has a control character, or one of ? # %.")
    if any(part in ("", ".", "..") for part in model.split("/")):
        raise BadRequest("The model's name in the path has an empty or a dot segment.")


def _split_version(path: str) -> tuple[str, str]:
    """The last of the versions that a path begins with, '' for none, and the rest."""
    version, rest = "", path.lstrip("/")
    while True:
        head, _, more = rest.partition("/")
        if head not in VERSIONS:
            return version, rest
        version, rest = head, more.lstrip("/")


def _strip(model: str) -> str:
    """The name without `models/`, which some clients write twice."""
    while model.startswith("models/") and len(model) > len("models/"):
        model = model[len("models/") :]
    return model


def _quote(model: str) -> str:
    return quote(model, safe=_LITERAL)
