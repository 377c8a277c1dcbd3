"""Which protocol a path speaks, and what it may do there."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from router.wire import protocols
from router.wire.dialect import Dialect
from router.wire.protocol import MODEL, WireProtocol, fill_model
from router.wire.protocols import COMPLETIONS, EMBEDDINGS, OTHERS
from router.wire.raw.top_level import Top


class Call(NamedTuple):
    """What a path under /v1 is."""

    #: Canonical form, beginning with /v1.
    path: str
    #: Forms of errors and events.
    dialect: Dialect
    #: What a backend must speak, None when any that follows the common API will do.
    protocol: str | None
    #: A model answers, so an error inside a 200 is one.
    generates: bool
    #: The entry of its protocol; OTHERS and its like for paths of none.
    entry: WireProtocol = OTHERS
    #: It is a POST that names a model, and by itself leaves nothing behind.
    asks_model: bool = False
    #: Its answer is a count of tokens.
    counts: bool = False
    #: What its path says of model and stream, where they do not stand in the body.
    model: str | None = None
    stream: bool = False
    #: The path with MODEL in it, '' where the model does not stand in the path.
    template: str = ""

    @property
    def writes(self) -> bool:
        """True for a request that has a model write text in a protocol that is known."""
        return self.generates and self.protocol is not None

    def path_with(self, model: str | None) -> str:
        """The path of the same call for another model, None for the one it has."""
        return fill_model(self.template, model) if self.template and model is not None else self.path


class _Paths(NamedTuple):
    """What paths are. exact: by the path. placed: what stands before and behind a model's name; the longest end first.
    below: by the beginning."""

    exact: dict[str, Call]
    placed: tuple[tuple[str, str, Call], ...]
    below: tuple[tuple[str, Dialect, WireProtocol], ...]


_NO_FIELDS: Mapping[bytes, bytes] = {}


@protocols.derived
def _paths() -> _Paths:
    found = [
        Call(entry.path, entry.dialect, None, generates=True, entry=entry, asks_model=True)
        for entry in (COMPLETIONS, EMBEDDINGS)
    ]
    below: list[tuple[str, Dialect, WireProtocol]] = []
    for entry in protocols.BY_NAME.values():
        text = Call(entry.path, entry.dialect, entry.name, generates=True, entry=entry, asks_model=True)
        found.append(text)
        if entry.stream_path:
            found.append(text._replace(path=entry.stream_path, stream=True))
        if entry.count is not None:
            asks = entry.count.asks_model
            found.append(text._replace(path=entry.count.path, generates=False, asks_model=asks, counts=True))
        below.append((entry.prefix, entry.prefix_dialect or entry.dialect, entry))
    exact = {one.path: one for one in found if MODEL not in one.path}
    halves = [(one.path.partition(MODEL), one) for one in found if MODEL in one.path]
    placed = [(before, behind, one) for (before, _, behind), one in halves]
    placed.sort(key=lambda place: -len(place[1]))
    return _Paths(exact, tuple(placed), tuple(below))


# Tools double the prefix when their base URL ends in /v1, or leave it out when it does not.
_PREFIX = re.compile(r"^(?:/v1)*(?=/|$)")
_SEGMENTS = (
    "completions|embeddings|models|files|batches|images|audio|moderations|uploads"
    "|vector_stores|conversations|fine_tuning|rerank|containers|evals|skills|videos|assistants|threads"
)
# Closed unless passthrough = all: what manages an organisation, its keys and its bill.
_CLOSED = re.compile(
    r"^/v1/(?:organizations?|admin|projects?|api_?keys?|keys?|auth|users?|billing|credits?|usage|dashboard|account"
    r"|invites?|workspaces?|limits?)(?:/|$)",
    re.IGNORECASE,
)

_SPENDS = re.compile(r"^/v1/(?:images|audio|videos|batches|messages/batches|fine_tuning|rerank|realtime)(?:/|$)")


def canonical(path: str) -> str | None:
    """The path with one /v1 in front; None when it is no path of an LLM's API."""
    if path.startswith("/v1/"):
        return "/v1" + _PREFIX.sub("", path) if path.startswith("/v1/v1/") else path
    return "/v1" + path if _bare().match(path) else None


@protocols.derived
def _bare() -> re.Pattern[str]:
    """What begins like a path below /v1."""
    own = [re.escape(entry.path.split("/")[2]) for entry in protocols.BY_NAME.values()]
    return re.compile(f"^/(?:{'|'.join(own)}|{_SEGMENTS})(?:/|$)")


def is_closed(path: str, method: str) -> bool:
    """True for a canonical path that needs passthrough = all, however it is percent-encoded."""
    path = re.sub("/+", "/", unquote(path))
    if _CLOSED.match(path) is not None:
        return True
    entry = call(path).entry
    return method == "DELETE" and not (entry.deletes and path.startswith(entry.prefix))


def spends(path: str, method: str) -> bool:
    """True for a canonical path whose POST costs money that no answer tells of: pictures, sound, batches, training."""
    return method == "POST" and _SPENDS.match(path) is not None


def call(path: str, fields: Mapping[bytes, bytes] = _NO_FIELDS) -> Call:
    """The call a canonical path is; fields: the request's headers by lower-case name, which tell whose API it is where
    several have the path."""
    paths = _paths()
    known = paths.exact.get(path)
    if known is not None:
        return known
    for before, behind, found in paths.placed:
        name = path[len(before) : len(path) - len(behind)]
        if name and path.startswith(before) and path.endswith(behind):
            return found._replace(path=path, model=unquote(name), template=found.path)
    for beginning, dialect, entry in paths.below:
        if path.startswith(beginning):
            return Call(path, dialect, entry.name, False, entry)
    entry = protocols.entry_marked_in(fields)
    if entry is None:
        return Call(path, OTHERS.dialect, None, False)
    return Call(path, entry.dialect, entry.name, False, entry)


def by_content(found: Call, top: Top) -> Call:
    """The call that a body is meant for: some tools send requests of another protocol to a path. top: its top level."""
    if not found.generates or found.entry.conversation in top:
        return found
    for name in found.entry.strays:
        entry = protocols.BY_NAME[name]
        if entry.conversation in top:
            return call(entry.path)
    return found


def operation(path: str) -> str:
    """What a path has a model do, as OpenTelemetry calls it."""
    found = call(path)
    if found.writes:
        return "chat"
    return _OPERATIONS.get(path, "other")


_OPERATIONS = {COMPLETIONS.path: "text_completion", EMBEDDINGS.path: "embeddings"}
