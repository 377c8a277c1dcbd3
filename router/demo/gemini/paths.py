"""The paths of Google's API: the model's name and what is asked of it stand in the path."""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote

_VERSIONS = ("v1beta", "v1", "v1alpha")
_MODELS = "models"
#: What can be asked of a model.
VERBS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents")


class GooglePath(NamedTuple):
    """What a path asks for."""

    #: "" for the list of all.
    model: str
    #: One of VERBS, "" for what is told of a model.
    verb: str


def read_path(path: str) -> GooglePath | None:
    """What is asked of which model; None for a path of another API, and for another verb."""
    version, _, rest = path.removeprefix("/").partition("/")
    collection, _, name = rest.partition("/")
    if version not in _VERSIONS or collection != _MODELS:
        return None
    model, _, verb = unquote(name).rpartition(":")
    if model and verb in VERBS:
        return GooglePath(model, verb)
    # A path that several vendors have, unless the version is one of Google's alone.
    return GooglePath(unquote(name), "") if version != "v1" else None


def wants_events(query: str) -> bool:
    """True for a stream of events; a stream is an array in JSON otherwise."""
    return parse_qs(query).get("alt", [""])[-1] == "sse"


def read_key(query: str) -> str:
    """The key in a query, "" for none."""
    return parse_qs(query).get("key", [""])[-1]
