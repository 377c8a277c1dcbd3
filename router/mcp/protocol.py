"""The messages of the Model Context Protocol, in both of its eras.

Up to revision 2025-11-25 a client opens a session with `initialize`. From 2026-07-28 on there is none: each request
says in its `_meta` which revision it is made by. A request is answered by what it says itself, so that both kinds may
come over one pipe, in any order, and nothing is remembered between requests.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn, cast

from router import __version__

#: The revisions that begin with `initialize`, oldest first.
SESSION_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
#: The revisions without one.
STATELESS_VERSIONS = ("2026-07-28",)

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
UNSUPPORTED_VERSION = -32022
#: Of the revisions with a session; the later ones have INVALID_PARAMS in its place.
RESOURCE_NOT_FOUND = -32002

_META = "io.modelcontextprotocol/"
_VERSION, _CAPABILITIES = f"{_META}protocolVersion", f"{_META}clientCapabilities"
#: Who serves.
SERVER = {"name": "fairlead", "title": "fairlead", "version": __version__}
# Characters of foreign text that an error repeats.
_SHOWN = 80

Id = str | int
Json = dict[str, Any]


class ProtocolError(Exception):
    """A message cannot be answered with a result. id: of the request, None where it has none that can be read."""

    def __init__(self, code: int, message: str, *, id: Id | None = None, data: Json | None = None):  # noqa: A002
        super().__init__(message)
        self.code = code
        self.message = message
        self.id = id
        self.data = data


class Request(NamedTuple):
    """One request, or a notification."""

    #: None for a notification, which gets no answer.
    id: Id | None
    method: str
    params: Mapping[str, Any]
    #: It carries its revision itself, one of STATELESS_VERSIONS.
    stateless: bool = False


class Freshness(NamedTuple):
    """For how long, and by whom, a result may be kept; told in the stateless revisions alone."""

    ms: int
    scope: str = "private"


def parse(line: bytes) -> Request | None:
    """The request in a line, None for a message that is answered by silence: a response, or a notification that says
    nothing to this server. Raises ProtocolError."""
    try:
        message = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError(PARSE_ERROR, "The line is not JSON in UTF-8.") from None
    if isinstance(message, list):
        raise ProtocolError(INVALID_REQUEST, "Batches are not served: send one message a line.")
    if not isinstance(message, dict):
        raise ProtocolError(INVALID_REQUEST, "A message is a JSON object.")
    fields = cast("Json", message)
    id_ = fields.get("id")
    known = id_ if _is_id(id_) else None
    method = fields.get("method")
    if method is None and ("result" in fields or "error" in fields):
        return None
    if fields.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, 'A message has "jsonrpc": "2.0".', id=known)
    if "id" in fields and known is None:
        raise ProtocolError(INVALID_REQUEST, "The id of a request is a text or a whole number.")
    if not isinstance(method, str):
        raise ProtocolError(INVALID_REQUEST, "A request names its method.", id=known)
    params = fields.get("params", {})
    if not isinstance(params, dict):
        if known is None:
            return None
        raise ProtocolError(INVALID_PARAMS, "params is a JSON object.", id=known)
    request = Request(known, method, cast("Json", params))
    return request if known is None else request._replace(stateless=_read_era(request))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _is_id(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _read_era(request: Request) -> bool:
    """True for a request that carries its revision. Raises ProtocolError for a revision that is not known, and for one
    that leaves out what each such request must have."""
    meta = request.params.get("_meta", {})
    if not isinstance(meta, dict):
        raise ProtocolError(INVALID_PARAMS, "_meta is a JSON object.", id=request.id)
    fields = cast("Json", meta)
    if _VERSION not in fields:
        if request.method == "server/discover":
            raise ProtocolError(INVALID_PARAMS, f"_meta lacks {_VERSION}.", id=request.id)
        return False
    version = fields[_VERSION]
    if not isinstance(version, str):
        raise ProtocolError(INVALID_PARAMS, f"{_VERSION} is a text.", id=request.id)
    if version not in STATELESS_VERSIONS:
        supported = [*reversed(STATELESS_VERSIONS), *reversed(SESSION_VERSIONS)]
        data = {"supported": supported, "requested": version[:_SHOWN]}
        raise ProtocolError(UNSUPPORTED_VERSION, "Unsupported protocol version", id=request.id, data=data)
    if not isinstance(fields.get(_CAPABILITIES), dict):
        raise ProtocolError(INVALID_PARAMS, f"_meta lacks {_CAPABILITIES}.", id=request.id)
    return True


def choose_version(params: Mapping[str, Any], id_: Id | None) -> str:
    """The revision of a session: the one that `initialize` asks for, else the newest that has sessions. Raises
    ProtocolError."""
    asked = params.get("protocolVersion")
    if not isinstance(asked, str):
        raise ProtocolError(INVALID_PARAMS, "initialize names its protocolVersion.", id=id_)
    return asked if asked in SESSION_VERSIONS else SESSION_VERSIONS[-1]


def format_result(request: Request, result: Json, freshness: Freshness | None = None) -> Json:
    """The message that answers a request. freshness: None for a result that is not to be kept."""
    if request.stateless:
        result = {"resultType": "complete", **result, "_meta": {f"{_META}serverInfo": SERVER}}
        if freshness is not None:
            result |= {"ttlMs": freshness.ms, "cacheScope": freshness.scope}
    return {"jsonrpc": "2.0", "id": request.id, "result": result}


def format_error(error: ProtocolError) -> Json:
    """The message that tells of an error."""
    told: Json = {"code": error.code, "message": error.message}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": error.id, "error": told}


def encode(message: Json) -> bytes:
    """A message as a line: in ASCII, since an id that is given back may hold what UTF-8 does not have."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def show(text: str) -> str:
    """A foreign word in an error's message: short, on one line."""
    return "".join(char if "!" <= char <= "~" else "?" for char in text[:_SHOWN])
