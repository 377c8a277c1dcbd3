"""An endpoint as data, and the table that matches paths to endpoints."""

from collections.abc import Iterable, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar
from urllib.parse import quote, unquote

import msgspec

Body = TypeVar("Body")
Answer = TypeVar("Answer")
Verb = Literal["GET", "POST", "DELETE"]
#: Whom an endpoint answers: who holds the operator token, that or the token for /metrics, the token of the local page
#: or a one-time code for it, or anyone.
Access = Literal["operator", "metrics", "viewer", "code", "anyone"]


class Parameter(NamedTuple):
    """A query parameter: its name, and what it selects."""

    name: str
    about: str


class Endpoint(msgspec.Struct, Generic[Body, Answer], frozen=True, eq=False, kw_only=True):
    """One verb of one path. GET is served for HEAD too."""

    verb: Verb
    #: Segments in braces are names, as in `/admin/backends/{name}`; their values are percent-decoded and never empty.
    path: str
    #: Its effect, in a sentence.
    about: str
    #: The type of the answer's JSON; of one event where the answer is a stream; `str` for text.
    answer: type[Answer]
    #: The type of the body, None where it is not read.
    body: type[Body] | None = None
    query: tuple[Parameter, ...] = ()
    access: Access = "operator"
    #: True for those of the local page, whose code is loaded at the first request to one.
    page: bool = False
    #: True when it changes the configuration or the state of the proxy.
    changes: bool = False
    #: The status of a successful answer.
    status: int = 200
    #: The content type of the answer.
    content: str = "application/json"

    def url_path(self, names: Mapping[str, str]) -> str:
        """The path with these values in the place of the braces."""
        return self.path.format_map({name: quote(value, safe="") for name, value in names.items()})


class Match(NamedTuple):
    """The result of matching a path."""

    #: The endpoints of the path by verb.
    verbs: Mapping[str, Endpoint[Any, Any]]
    #: The values that the path has for the names in braces.
    names: Mapping[str, str]

    @property
    def allow(self) -> str:
        """The value of the Allow header."""
        return ", ".join([*self.verbs, *(["HEAD"] if "GET" in self.verbs else [])])

    def endpoint(self, method: str) -> Endpoint[Any, Any] | None:
        """The endpoint that serves a method, None when there is none."""
        return self.verbs.get("GET" if method == "HEAD" else method)


class EndpointTable:
    """Endpoints, found by the paths of requests."""

    def __init__(self, endpoints: Iterable[Endpoint[Any, Any]]):
        self.all = tuple(endpoints)
        self._fixed: dict[str, dict[str, Endpoint[Any, Any]]] = {}
        self._named: dict[tuple[str, ...], dict[str, Endpoint[Any, Any]]] = {}
        for endpoint in self.all:
            if "{" in endpoint.path:
                verbs = self._named.setdefault(tuple(endpoint.path.split("/")), {})
            else:
                verbs = self._fixed.setdefault(endpoint.path, {})
            verbs[endpoint.verb] = endpoint

    def match(self, path: str) -> Match | None:
        """The endpoints of a path, None when it has none."""
        verbs = self._fixed.get(path)
        if verbs is not None:
            return Match(verbs, {})
        segments = path.split("/")
        for pattern, verbs in self._named.items():
            names = _read_names(pattern, segments)
            if names is not None:
                return Match(verbs, names)
        return None


def _read_names(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    """The values of the names in a path, None when it does not match the pattern."""
    if len(pattern) != len(segments):
        return None
    names: dict[str, str] = {}
    for wanted, segment in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            name = unquote(segment)
            if not name:
                return None
            names[wanted[1:-1]] = name
        elif wanted != segment:
            return None
    return names
