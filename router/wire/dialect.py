"""The interface of a protocol's errors, events and usage, and the types that all protocols share.

A dialect is stateless. The state of one stream (its id, its last sequence number) is kept in the stream's Tap; the
dialect reads it from there to end a broken stream.
"""

import enum
import re
from typing import NamedTuple, Protocol

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire.costs.extras import ToolReader
from router.wire.errors import codes, overflow, texts
from router.wire.raw import sse
from router.wire.raw.json.json_values import Json

# Most characters of an upstream's text that an error of fairlead quotes.
QUOTE_LIMIT = 2048

# (Anthropic type, OpenAI type) by status.
_KINDS = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "invalid_request_error"),
    402: ("billing_error", "insufficient_quota"),
    403: ("permission_error", "invalid_request_error"),
    404: ("not_found_error", "invalid_request_error"),
    409: ("conflict_error", "invalid_request_error"),
    413: ("request_too_large", "invalid_request_error"),
    429: ("rate_limit_error", "rate_limit_error"),
    500: ("api_error", "server_error"),
    503: ("overloaded_error", "server_error"),
    504: ("timeout_error", "server_error"),
    529: ("overloaded_error", "server_error"),
}
#: The error types that Anthropic documents.
ANTHROPIC_KINDS = frozenset(kind for kind, _ in _KINDS.values())


def anthropic_kind(status: int) -> str:
    """The Anthropic error type of a status."""
    return _KINDS.get(status, _KINDS[400 if status < 500 else 500])[0]


def openai_kind(status: int) -> str:
    """The OpenAI error type of a status."""
    return _KINDS.get(status, _KINDS[400 if status < 500 else 500])[1]


class Verdict(enum.Enum):
    """How one event before the commit point is to be treated."""

    HOLD = "preamble"
    COMMIT = "content, or the end"
    ERROR = "the answer is an error"


class Failure(NamedTuple):
    """An error found inside a 200."""

    #: The status the answer should have had.
    status: int
    #: The body in the protocol's error form.
    body: bytes


class Stream(Protocol):
    """The state of a stream that is needed to write the event that ends it when it breaks."""

    response_id: str
    created: int
    model: str

    @property
    def sequence(self) -> int:
        """The last sequence number seen, -1 when none was."""
        ...

    def collect_response(self) -> Json:
        """The response object as far as it is known: what the stream announced, with the output of a translated one;
        {} for none."""
        ...


#: The bytes that a usage object begins with in most protocols.
USAGE = (b'"usage":{', b'"usage": {')


class Needles(NamedTuple):
    """Byte patterns by which a tap finds the events it must decode."""

    #: Patterns of the events that end a stream. A hit is a candidate: the event is then decoded (`ending`). They
    #: are few, since a stream is searched for each: a name with its quotes is in both spellings of its field.
    ending: tuple[bytes, ...]
    #: Pattern of a usage object that replaces all earlier ones; None where each adds to the others.
    counts: re.Pattern[bytes] | None = None
    #: The beginning of a usage object, in both spellings in use: without and with a space.
    usage: tuple[bytes, bytes] = USAGE
    #: The name of an error in the JSON of a 200.
    error: bytes = b'"error"'
    #: Patterns of events that hold usage and nothing else.
    alone: tuple[bytes, ...] = ()
    #: Reads the provider's tools that an answer used where the usage object does not tell them.
    tools: ToolReader | None = None


class Dialect(Protocol):
    """Errors, events and usage of one protocol."""

    @property
    def name(self) -> str:
        """The name used in settings and backend files: messages, chat, responses."""
        ...

    @property
    def title(self) -> str:
        """The name used in texts for users."""
        ...

    @property
    def needles(self) -> Needles:
        """The byte patterns by which a tap finds the events it must decode."""
        ...

    @property
    def has_terminal(self) -> bool:
        """False where a stream has no end mark of its own: then the end of the body is its end."""
        ...

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """The JSON body of an error that fairlead raises itself."""
        ...

    def error_events(self, error: RouterError, request_id: str, stream: Stream) -> bytes:
        """The events that end a stream that broke after it was committed."""
        ...

    def ping(self, begun: bool) -> bytes:
        """Bytes that keep the client's idle timer from running out. begun: the first event was sent."""
        ...

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """How to treat an event before the commit point. data: its decoded JSON object."""
        ...

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """True for an event that ends the stream well, False for one that ends it as failed, else None."""
        ...

    def failure(self, data: Json) -> Failure | None:
        """The error that the JSON of a 200 holds, None when it holds none."""
        ...

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """The counts of a `usage` object. known: the counts of earlier ones of the same answer."""
        ...

    def usage_in(self, data: Json) -> Json:
        """The `usage` object of a whole answer, {} when it holds none."""
        ...

    def is_usage_event(self, data: Json) -> bool:
        """True for an event that holds usage and nothing else, which is sent only on request."""
        ...


#: Patterns of events that hold an error outside the protocol's form: named `error`, or on a line `error: {…}`.
ERROR_EVENTS = (b"event: error", b"error: {")


def find_failure(dialect: Dialect, name: str, data: Json) -> Failure | None:
    """The error in the JSON of an event, None when it holds none. name: of the event."""
    return dialect.failure(wrap_error(data) if name == "error" else data)


def wrap_error(data: Json) -> Json:
    """The JSON of an event that is named `error`, with the bare error of some servers in the protocols' form."""
    if data.get("error") or data.get("type") == "error" or not isinstance(data.get("message"), str):
        return data
    return {"type": "error", "error": data}


def read_message(error: Json, data: Json) -> str:
    """The message of an error object, or of the body around it."""
    return texts.find_message(error) or texts.find_message(data) or "The upstream reported an error."


def error_status(error: Json) -> int:
    """The HTTP status that an error object inside a 200 stands for; 502 when it names none."""
    for name in ("code", "status", "status_code"):
        value = error.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    if overflow.is_overflow(texts.find_message(error), error.get("code"), error.get("type")):
        return 400
    for name in ("code", "type", "status"):
        found = codes.find_status(error.get(name))
        if found is not None:
            return found
    return 502
