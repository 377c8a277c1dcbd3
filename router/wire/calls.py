"""Maps a path and its method to the call it makes: the protocol, and what is allowed there."""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from router.wire import protocols
from router.wire.dialect import Dialect
from router.wire.paths import tables
from router.wire.paths.spelling import spell
from router.wire.protocol import MODEL, WireProtocol
from router.wire.protocols import COMPLETIONS, EMBEDDINGS, OTHERS
from router.wire.raw.json.top_level import Top


class Call(NamedTuple):
    """The call that a path under /v1 makes."""

    #: Canonical form, beginning with /v1, or as its protocol has it.
    path: str
    #: Forms of errors and events.
    dialect: Dialect
    #: The protocol a backend must speak; None when any backend that follows the common API can serve it.
    protocol: str | None
    #: A model answers, so an error object inside a 200 counts as a failure.
    generates: bool
    #: The entry of its protocol; OTHERS, COMPLETIONS or EMBEDDINGS for paths of no protocol.
    entry: WireProtocol = OTHERS
    #: It is a POST that names a model, and the path alone stores nothing at the upstream.
    asks_model: bool = False
    #: Its answer is a count of tokens.
    counts: bool = False
    #: A model answers in a form of its own, with the tokens it used.
    metered: bool = False
    #: Its answer is an item that stands for the conversation.
    compacts: bool = False
    #: Model and stream flag as given by the path, where they do not stand in the body.
    model: str | None = None
    stream: bool = False
    #: The stream is the elements of a JSON array in place of events.
    array: bool = False
    #: The path with MODEL in it, '' where the model does not stand in the path.
    template: str = ""

    @property
    def counted(self) -> bool:
        """True for a request that a model answers, so that its tokens are counted, by an estimate if need be."""
        return self.generates or self.metered or self.path in tables.METERED

    @property
    def writes(self) -> bool:
        """True for a request that asks a model to write text in a known protocol."""
        return self.generates and self.protocol is not None

    def path_with(self, model: str | None) -> str:
        """The path of the same call for another model; None keeps the model it has."""
        return self.entry.fill_path(self.template, model) if self.template and model is not None else self.path


class _Paths(NamedTuple):
    """The tables that paths are looked up in."""

    #: Calls by their whole path.
    exact: dict[str, Call]
    #: Calls with the model in the path: the text before the model's name, the text behind it (longest first), the call.
    placed: tuple[tuple[str, str, Call], ...]
    #: Dialect and protocol by the beginning of the path.
    below: tuple[tuple[str, Dialect, WireProtocol], ...]
    #: The protocols whose paths have a form of their own.
    own: tuple[WireProtocol, ...]


_NO_FIELDS: Mapping[bytes, bytes] = {}


@protocols.derived
def _build_paths() -> _Paths:
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
        if entry.compaction is not None:
            found.append(text._replace(path=entry.compaction.path, compacts=True))
        starts = (entry.prefix, *entry.prefixes, *((entry.live,) if entry.live else ()))
        below += [(start, entry.prefix_dialect or entry.dialect, entry) for start in starts]
    own = tuple(entry for entry in protocols.BY_NAME.values() if entry.read_path is not None)
    exact = {one.path: one for one in found if MODEL not in one.path}
    halves = [(one.path.partition(MODEL), one) for one in found if MODEL in one.path and one.entry.read_path is None]
    placed = [(before, behind, one) for (before, _, behind), one in halves]
    placed.sort(key=lambda place: -len(place[1]))
    return _Paths(exact, tuple(placed), tuple(below), own)


# Tools double the prefix when their base URL ends in /v1, or leave it out when it does not.
_PREFIX = re.compile(r"^(?:/v1)*(?=/|$)")
_SEGMENTS = (
    "completions|embeddings|models|files|batches|images|audio|moderations|uploads"
    "|vector_stores|conversations|fine_tuning|rerank|containers|evals|skills|videos|assistants|threads"
)
# The list of models, and one model, whose name may hold slashes, escaped or not. fairlead answers both itself.
_MODELS = re.compile("/+(?:v1/+)*models(?:/+|$)")


def canonical(path: str) -> str | None:
    """The path as everything decides by it and as it is sent: in its one spelling, with exactly one /v1 in front. None
    when it is no path of an LLM API. path: of a request whose head was checked."""
    paths = _build_paths()
    exact = paths.exact
    if path in exact:
        return path
    for entry in paths.own:
        spelt = entry.spell_path(path) if entry.spell_path is not None else None
        if spelt is not None:
            return spelt
    models = _MODELS.match(path)
    if models is not None:
        name = path[models.end() :]
        return f"/v1/models/{name}" if name else "/v1/models"
    path = spell(path)
    if path.startswith("/v1/"):
        path = "/v1" + _PREFIX.sub("", path)
        if path == "/v1":
            return None
    elif _compile_bare().match(path):
        path = "/v1" + path
    else:
        return None
    # Some servers take a path in letters of any case.
    lowered = path.lower()
    return lowered if lowered in exact else path


@protocols.derived
def _compile_bare() -> re.Pattern[str]:
    """Matches a path below /v1 whose /v1 was left out."""
    own = [re.escape(entry.path.split("/")[2]) for entry in protocols.BY_NAME.values()]
    return re.compile(f"^/(?:{'|'.join(own)}|{_SEGMENTS})(?:/|$)")


def is_closed(path: str, method: str) -> bool:
    """True for a canonical path that needs passthrough = all."""
    if method != "DELETE" and path in _build_paths().exact:
        return False
    if tables.is_administration(path):
        return True
    if method != "DELETE":
        return False
    entry = call(path).entry
    return not (entry.deletes and path.startswith(entry.prefix))


def is_free(path: str, method: str) -> bool:
    """True for a request to a canonical path that no provider bills. Those of other paths cost what their answers may
    not tell, unless `Call.counted`."""
    return method in tables.UNBILLED_METHODS or call(path).counts or tables.is_unbilled(path)


def tells_usage(path: str, method: str) -> bool:
    """True for a request to a canonical path whose answer, where it has a usage, tells what this request used."""
    return method not in tables.UNBILLED_METHODS and not tables.retells_usage(path)


def call(path: str, fields: Mapping[bytes, bytes] = _NO_FIELDS) -> Call:
    """The call that a canonical path makes. fields: the request's headers by lower-case name, which identify the API
    where several vendors have the path."""
    paths = _build_paths()
    known = paths.exact.get(path)
    if known is not None:
        return known
    for before, behind, found in paths.placed:
        name = path[len(before) : len(path) - len(behind)]
        if name and path.startswith(before) and path.endswith(behind):
            return found._replace(path=path, model=unquote(name), template=found.path)
    for entry in paths.own:
        if (own := _read_own(path, entry)) is not None:
            return own
    for beginning, dialect, entry in paths.below:
        if path.startswith(beginning):
            return Call(path, dialect, entry.name, False, entry)
    entry = protocols.entry_marked_in(fields)
    if entry is None:
        return Call(path, OTHERS.dialect, None, False)
    return Call(path, entry.dialect, entry.name, False, entry)


def _read_own(path: str, entry: WireProtocol) -> Call | None:
    """The call of a path that has the form of its protocol alone, None for any other."""
    parts = entry.read_path(path) if entry.read_path is not None else None
    if parts is None:
        return None
    return Call(
        path,
        entry.dialect,
        entry.name,
        generates=parts.kind in ("text", "stream"),
        entry=entry,
        asks_model=True,
        counts=parts.kind == "count",
        metered=parts.kind == "metered",
        model=parts.model,
        stream=parts.kind == "stream",
        template=parts.template,
    )


def with_query(found: Call, query: str) -> Call:
    """The call with what its query says of the form of its stream: events, or without the words for those an array."""
    if not found.stream or not found.entry.stream_query:
        return found
    wanted = parse_qsl(found.entry.stream_query)[0]
    asked = [(name.removeprefix("$"), value.partition(";")[0].lower()) for name, value in parse_qsl(query)]
    return found if wanted in asked else found._replace(array=True)


def find_listed(path: str) -> str | None:
    """The model that a canonical path asks about, '' for the list of all models; None for any other path."""
    if path == "/v1/models":
        return ""
    paths = _build_paths()
    if path in paths.exact:
        return None
    for entry in paths.own:
        found = entry.find_listed(path)
        if found is not None:
            return found
        if entry.read_path is not None and entry.read_path(path) is not None:
            return None
    return unquote(path.removeprefix("/v1/models/").strip("/")) if path.startswith("/v1/models/") else None


def by_content(found: Call, top: Top) -> Call:
    """The call that a body is meant for: some tools send a request of another protocol to a path, and a request may ask
    for a compaction. top: the body's top level."""
    if not found.generates:
        return found
    if found.entry.conversation not in top:
        strays = (protocols.BY_NAME[name] for name in found.entry.strays)
        found = next((call(entry.path) for entry in strays if entry.conversation in top), found)
    compaction = found.entry.compaction
    if compaction is None or found.compacts or not compaction.is_asked(top):
        return found
    return found._replace(compacts=True)


def operation(path: str) -> str:
    """The name that OpenTelemetry has for the operation of a path."""
    found = call(path)
    if found.writes:
        return "chat"
    return _OPERATIONS.get(path, "other")


_OPERATIONS = {COMPLETIONS.path: "text_completion", EMBEDDINGS.path: "embeddings"}
