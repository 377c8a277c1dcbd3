"""What there is to know of one protocol. Its folder makes the values, `protocols` has the entries."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol
from urllib.parse import quote

import msgspec

from router.backends import Api
from router.ir import Answer, Event, Fault, Request, Usage
from router.wire.dialect import Dialect
from router.wire.headers.rate_limits import LimitNames
from router.wire.neutral.context import Context
from router.wire.raw.json_values import Json
from router.wire.raw.splice import Splice
from router.wire.raw.top_level import Top

#: Stands for the model's name in a path.
MODEL = "{model}"


class Decoder(Protocol):
    """Reads one upstream's stream."""

    #: Nothing comes any more.
    ended: bool
    #: What the upstream has said of it so far.
    usage: Usage

    @property
    def finished(self) -> bool:
        """True when the end of the upstream's body is a good end."""
        ...

    def feed(self, name: str, data: Json) -> list[Event]:
        """The neutral events of one event: its name and its data."""
        ...

    def done(self) -> list[Event]:
        """The neutral events of the end."""
        ...


class Encoder(Protocol):
    """Writes one client's stream."""

    def encode(self, event: Event) -> bytes:
        """The events that say a neutral one; empty when nothing does."""
        ...


class Codec(NamedTuple):
    """One protocol to and from the neutral form."""

    decode_request: Callable[[Json, Context], Request]
    encode_request: Callable[[Request, Context], tuple[Json, dict[str, str]]]
    decode_answer: Callable[[Json, Context], Answer | Fault | None]
    encode_answer: Callable[[Answer, Context], Json | msgspec.Raw]
    decoder: Callable[[Context], Decoder]
    encoder: Callable[[Context], Encoder]
    #: The error in a body; the status is that of the answer, 0 inside a stream.
    decode_fault: Callable[[Json, int], Fault | None]
    encode_fault: Callable[[Fault], tuple[int, bytes]]


class TokenCounting(msgspec.Struct, frozen=True, kw_only=True):
    """How tokens are counted without an answer being written."""

    #: As `WireProtocol.path`.
    path: str
    #: Fields of a request that are counted.
    fields: frozenset[str]
    #: What a request for text needs and a question may leave out.
    fills: Mapping[str, object] = {}
    #: What an answer has beside the count.
    marks: Mapping[str, object] = {}
    #: The field of an answer with the count.
    answer_field: str = "input_tokens"
    #: A question must be a POST that names a model, and may be sent again like one for text.
    asks_model: bool = False


class Images(NamedTuple):
    """How an image stands in a conversation."""

    #: The types of its content block.
    types: frozenset[str]
    #: Finds every body that may hold one of these types, in whatever spelling of JSON strings.
    needle: re.Pattern[bytes]


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """Where the reasoning effort stands."""

    #: Dotted path of its field.
    field: str
    #: Other words for some efforts.
    words: Mapping[str, str] = {}
    #: What is set in place of the effort `none`; empty where `none` is a word like others.
    off: Mapping[str, object] = {}


class Stored(NamedTuple):
    """How requests name what was answered before."""

    #: True for a body that may name an answer.
    refers: Callable[[bytes | bytearray], bool]
    #: The ids that a body names.
    named: Callable[[bytes | bytearray], list[str]]


class ModelList(NamedTuple):
    """The shape of the list of models."""

    #: One model, with the backend that serves it.
    entry: Callable[[str, str], Json]
    #: The list of all (name -> backend), as the query string asks for it. Raises BadRequest.
    page: Callable[[Mapping[str, str], str], Json]


class WireProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol: everything that anything outside its folder asks of it."""

    #: As in settings and backend files.
    name: str
    api: Api
    #: Forms of errors and events.
    dialect: Dialect
    codec: Codec

    #: Path of its requests for text, with MODEL where the model's name stands in it and not in the body.
    path: str
    #: The same where events are asked for; '' where the body says so.
    stream_path: str = ""
    #: What its further paths begin with, and the forms they have; None: as its dialect.
    prefix: str
    prefix_dialect: Dialect | None = None
    #: Protocols whose requests some tools send to this one's path.
    strays: tuple[str, ...] = ()
    count: TokenCounting | None = None

    #: The field of a request with the conversation.
    conversation: str
    #: The field that an answer must have.
    answer_field: str
    #: How sure it is that a request without a path is in this protocol, 0 for not at all: its top level and its
    #: headers by lower-case name.
    recognize: Callable[[Top, Mapping[bytes, bytes]], int] = lambda top, fields: 0
    #: Words in the names of models that are usually asked for in this protocol.
    model_words: tuple[str, ...] = ()
    images: Images | None = None
    #: True for a request that asks the model to reason.
    asks_thinking: Callable[[Top], bool] = lambda top: False

    #: Names of the output limit, the newest first; the last is known to every provider.
    output_caps: tuple[str, ...] = ()
    effort: Effort | None = None
    #: The smallest request, of a model and the name of its output limit.
    tiny_request: Callable[[str, str], Json]
    #: Asks for the usage of a stream in a request that does not; False when it does, or when it cannot be told.
    ask_usage: Callable[[Splice], bool] | None = None
    #: The field that asks for usage, '' where it is not asked for.
    usage_field: str = ""
    #: Takes the billing line of Claude Code out of a request; True when there was one.
    strip_attribution: Callable[[Splice], bool] | None = None
    #: A body without reasoning that its upstream may not take for its own, None when there is none.
    without_foreign: Callable[[bytes], bytes | None] | None = None

    #: What a 429 says of an account that has nothing left to pay with, which no minute's wait mends.
    quota_words: tuple[bytes, ...] = ()
    #: Where an account's limits stand in the headers of answers.
    limits: LimitNames
    #: Status of a refusal that callers take as final when a guard has halted them.
    halt_status: int = 402
    models: ModelList

    #: Marks input that only the account that wrote it can read, b"" where there is none.
    sealed: bytes = b""
    #: True when the answer to a request may issue an id that a later one can name; None: never. Such protocols name
    #: ids at the top of their requests.
    issues: Callable[[Top | None], bool] | None = None
    #: True for a request that leaves something behind at the upstream; None: none does.
    leaves_traces: Callable[[Top], bool] | None = None
    stored: Stored | None = None
    #: Callers may delete what was stored for them.
    deletes: bool = False
    #: What is kept under its further paths: an expression of the path, and the name of the collection.
    collections: tuple[tuple[re.Pattern[str], str], ...] = ()

    @property
    def title(self) -> str:
        """As people say it."""
        return self.dialect.title

    def path_for(self, model: str, *, stream: bool) -> str:
        """The path of a request for text."""
        return fill_model(self.stream_path if stream and self.stream_path else self.path, model)

    def cap_for(self, *, newest: bool) -> str:
        """The name for an output limit where a request has none. newest: the provider refuses older names."""
        return self.output_caps[0 if newest else -1]


def fill_model(path: str, model: str) -> str:
    """A path with the model's name in it, where it stands there."""
    return path.replace(MODEL, quote(model, safe="")) if MODEL in path else path
