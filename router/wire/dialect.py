"""What every protocol file provides, and the terms they share.

A dialect is stateless. What a relay must remember of one stream (its id, its last sequence number) stands in the
stream's Tap, and the dialect reads it from there when it has to end a broken stream.
"""

import enum
import re
from typing import NamedTuple, Protocol

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire.raw import sse
from router.wire.raw.json_values import Json

# Text of an upstream that is quoted in an error of ours.
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
_STATUS = {kind: status for status, (kind, _) in _KINDS.items()} | {
    "overloaded_error": 529,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "invalid_prompt": 400,
    "server_error": 500,
    "context_length_exceeded": 400,
    "model_not_found": 404,
}


def anthropic_kind(status: int) -> str:
    """The Anthropic error type of a status."""
    return _KINDS.get(status, _KINDS[400 if status < 500 else 500])[0]


def openai_kind(status: int) -> str:
    """The OpenAI error type of a status."""
    return _KINDS.get(status, _KINDS[400 if status < 500 else 500])[1]


class Verdict(enum.Enum):
    """What one event before the commit point means."""

    HOLD = "preamble"
    COMMIT = "content, or the end"
    ERROR = "the answer is an error"


class Failure(NamedTuple):
    """An error found inside a 200: the status it should have had, and its body in the protocol's error form."""

    status: int
    body: bytes


class Stream(Protocol):
    """What a tap remembers of a stream, for the event that ends it when it breaks."""

    response_id: str
    created: int
    model: str

    @property
    def sequence(self) -> int:
        """The last sequence number seen, -1 when none was."""
        ...


#: How most protocols begin a usage object.
USAGE = (b'"usage":{', b'"usage": {')


class Needles(NamedTuple):
    """Byte patterns in which a tap sees what to look at closer."""

    #: Of the events that end a stream. A hit is a candidate: the event is then decoded (`ending`).
    ending: tuple[bytes, ...]
    #: Of a usage object that takes the place of all before it; None where one adds to the others.
    counts: re.Pattern[bytes] | None = None
    #: Where a usage object begins, in both spellings that are seen: without and with a space.
    usage: tuple[bytes, bytes] = USAGE
    #: The name of an error in the JSON of a 200.
    error: bytes = b'"error"'
    #: Of events that hold usage and nothing else.
    alone: tuple[bytes, ...] = ()


class Dialect(Protocol):
    """One protocol."""

    @property
    def name(self) -> str:
        """As in settings and backend files: messages, chat, responses."""
        ...

    @property
    def title(self) -> str:
        """As people say it."""
        ...

    @property
    def needles(self) -> Needles:
        """Where a tap looks closer."""
        ...

    @property
    def has_terminal(self) -> bool:
        """False where a stream has no end mark of its own: then its clean end is taken for its end."""
        ...

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """The JSON body of an error of ours."""
        ...

    def error_events(self, error: RouterError, request_id: str, stream: Stream) -> bytes:
        """The events that end a stream that broke after it was committed."""
        ...

    def ping(self, begun: bool) -> bytes:
        """What keeps the client's idle timer from running out; begun: its first event was sent."""
        ...

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """What an event before the commit point means; data: its decoded JSON object."""
        ...

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """True for an event that ends the stream well, False for one that ends it as failed, else None."""
        ...

    def failure(self, data: Json) -> Failure | None:
        """The error that the JSON of a 200 holds, None when it holds none."""
        ...

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """The counts of a `usage` object. known: what earlier ones of the same answer said."""
        ...

    def usage_in(self, data: Json) -> Json:
        """The `usage` object of a whole answer, {} when it holds none."""
        ...

    def is_usage_event(self, data: Json) -> bool:
        """True for an event that holds usage and nothing else, which comes only where it was asked for."""
        ...


def read_message(error: Json, data: Json) -> str:
    """The message of an error object, or of the body around it."""
    said = error.get("message") or data.get("message")
    return said if isinstance(said, str) and said else "The upstream reported an error."


def error_status(error: Json) -> int:
    """The HTTP status an error object inside a 200 stands for; 502 when it does not say."""
    for name in ("code", "status", "status_code"):
        value = error.get(name)
        if isinstance(value, str) and len(value) == 3 and value.isdecimal():
            value = int(value)
        if isinstance(value, int) and 400 <= value <= 599:
            return value
    for name in ("code", "type"):
        value = error.get(name)
        if isinstance(value, str) and value in _STATUS:
            return _STATUS[value]
    return 502
