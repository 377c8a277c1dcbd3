"""The record that describes one protocol. Its folder provides the values, `protocols` has the entries."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, cast, runtime_checkable
from urllib.parse import quote

import msgspec

from router.backends import MODEL, Api
from router.backends.endpoints import below_version
from router.backends.profile import Profile
from router.ir import Answer, Event, Fault, Request, Usage
from router.ir.overflow import Overflow
from router.wire.conversation.sealed_state import PREFIX, StateSealer
from router.wire.dialect import Dialect
from router.wire.errors.overflow_texts import say_to_openai
from router.wire.headers.rate_limits import LimitNames
from router.wire.kept_answers.rules import KeptAnswers
from router.wire.model_lists.listed import ListedModel
from router.wire.neutral.context import Context
from router.wire.raw.json.json_values import Json
from router.wire.raw.json.splice import Splice
from router.wire.raw.json.top_level import Top


def fill_model(path: str, model: str) -> str:
    """The path with the model's name in the place of MODEL, percent-encoded. An @ stays: some providers name a version
    behind one."""
    return path.replace(MODEL, quote(model, safe="@")) if MODEL in path else path


def join_version(root: str, path: str) -> str:
    """The place of a canonical path at a backend whose root ends with the version. root: a URL, or its path."""
    return root + below_version(path)


class Decoder(Protocol):
    """Reads one upstream's stream."""

    #: The answer has ended; further events are not read.
    ended: bool
    #: The token counts that the upstream has reported so far.
    usage: Usage
    #: A further piece of an open text changes nothing that the meaning of later events depends on.
    pure_text: bool

    @property
    def finished(self) -> bool:
        """True when the answer is complete if the upstream's body ends now."""
        ...

    def feed(self, name: str, data: Json) -> list[Event]:
        """The neutral events of one event, given its name and its data."""
        ...

    def done(self) -> list[Event]:
        """The neutral events that the end of the body adds."""
        ...


class Encoder(Protocol):
    """Writes one client's stream."""

    def encode(self, event: Event) -> bytes:
        """The events for a neutral one; empty when the protocol has none for it."""
        ...


@runtime_checkable
class ResponseCollector(Protocol):
    """An encoder whose protocol says, with a failure, what was said before it."""

    def collect_response(self) -> Json:
        """The response object with the output so far, {} before it was announced."""
        ...


class Codec(NamedTuple):
    """Translates one protocol to and from the neutral form."""

    decode_request: Callable[[Json, Context], Request]
    encode_request: Callable[[Request, Context], tuple[Json, dict[str, str]]]
    decode_answer: Callable[[Json, Context], Answer | Fault | None]
    encode_answer: Callable[[Answer, Context], Json | msgspec.Raw]
    decoder: Callable[[Context], Decoder]
    encoder: Callable[[Context], Encoder]
    #: The error in a body; the status is that of the answer, 0 inside a stream.
    decode_error: Callable[[Json, int], Fault | None]
    encode_error: Callable[[Fault], tuple[int, bytes]]


class LateCodec:
    """A codec whose modules are loaded when the first of its functions is asked for: most proxies translate nothing,
    and none does before it listens."""

    @classmethod
    def of(cls, load: Callable[[], Codec]) -> Codec:
        """What is used as the codec that `load` gives."""
        return cast("Codec", cls(load))

    def __init__(self, load: Callable[[], Codec]):
        self._load = load

    def __getattr__(self, name: str) -> object:
        codec = self._load()
        for field in codec._fields:
            setattr(self, field, getattr(codec, field))
        return getattr(codec, name)


class PathParts(NamedTuple):
    """What a path says where it has the form of its protocol alone."""

    #: What is asked: `text`, `stream`, `count`, `metered` (a model answers in a form of its own), or `other`.
    kind: str
    model: str
    #: The path with MODEL in it.
    template: str


class TokenCounting(msgspec.Struct, frozen=True, kw_only=True):
    """How a protocol counts the tokens of a request without a model answering it."""

    #: The path of a request to count; as `WireProtocol.path`.
    path: str
    #: Fields of a request for text that a request to count may hold.
    fields: frozenset[str]
    #: Fields that a request for text needs and a request to count may leave out, with the values to decode it with.
    fills: Mapping[str, object] = {}
    #: Fields of an answer beside the count.
    marks: Mapping[str, object] = {}
    #: The field of an answer that holds the count.
    answer_field: str = "input_tokens"
    #: The request for text that a request to count is about, from its object; and such a request for one in the target
    #: protocol and its model, None where that has the fields `fields` alone.
    read: Callable[[Json], Json] = lambda data: data
    write: Callable[[Json, str], Json] | None = None
    #: Puts what is counted into the body itself, for endpoints with `flat_counts`; False where it stands there already.
    flatten: Callable[[Splice], bool] = lambda splice: False
    #: A request to count is a POST that must name a model, and may be repeated like a request for text.
    asks_model: bool = False


def _read_type(block: Json) -> object:
    return block.get("type")


class Images(NamedTuple):
    """How a conversation holds images."""

    #: The types of an image's content block.
    types: frozenset[str]
    #: Matches in every body that may hold one of these types, in any spelling of JSON strings.
    needle: re.Pattern[bytes]
    #: Reads the type of a block.
    read_type: Callable[[Json], object] = _read_type
    #: Fields that hold further blocks. Messages: content, tool_result.content. Responses: content, or a tool's output.
    holders: tuple[str, ...] = ("content", "output")


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How a request states the reasoning effort."""

    #: Dotted path of the field.
    field: str
    #: The protocol's own words for efforts that it names differently.
    words: Mapping[str, str] = {}
    #: Fields that are set in place of the effort `none`, by dotted path, for a model's name; empty where `none` is a
    #: word like others.
    off: Callable[[str], Mapping[str, object]] = lambda model: {}


class Stored(NamedTuple):
    """How requests name earlier answers that were stored."""

    #: True for a body that may name an earlier answer.
    refers: Callable[[bytes | bytearray], bool]
    #: The ids of earlier answers that a body names.
    named: Callable[[bytes | bytearray], list[str]]
    #: True for the id of an answer that fairlead made, and no backend knows.
    is_own: Callable[[str], bool]
    #: Raises RouterError for a body that names such an answer, given its top level and the backend that gets it as it
    #: is and did not issue it.
    check_passed_through: Callable[[Top, str], None]
    #: The ids of the parts of an answer, or of the event that ends its stream, which a request can name by themselves.
    issued_items: Callable[[bytes | bytearray], list[str]]
    #: The ids of such parts that a body names.
    named_items: Callable[[Top], list[str]]


class Compaction(NamedTuple):
    """How a caller has a conversation compacted: replaced by an item that stands for it."""

    #: The path for compactions.
    path: str
    #: True for a request whose answer is to be such an item and nothing else.
    is_asked: Callable[[Top], bool]
    #: The request for a summary in place of a request for a compaction, in this protocol. Raises BadRequest.
    ask_for_summary: Callable[[bytes, Context], bytes]
    #: In every body that holds such an item, and in every body with one that fairlead made.
    mark: bytes
    own_mark: bytes
    #: The conversation, as JSON, with the items that fairlead made as messages; from the key that they are signed with,
    #: the backend's name, and whether it writes such items itself. Raises BadRequest for one that it cannot read.
    unseal_items: Callable[..., bytes]


class OwnState(NamedTuple):
    """State that fairlead puts into answers in place of the upstream's own, and callers send back."""

    #: In every body that holds some.
    mark: bytes
    #: The conversation, as JSON, without it; from the sealer of the upstream that is asked, and the model.
    restore: Callable[[bytes, StateSealer, str], bytes]


class ResourceNames(NamedTuple):
    """How a protocol names what is stored at its upstreams, where that is not by plain ids."""

    #: The names in a canonical path, and those in the body of a request.
    in_path: Callable[[str], list[str]]
    in_body: Callable[[bytes], list[str]]
    #: The names that an answer gives out, each with its collection.
    issued: Callable[[bytes | bytearray], list[tuple[str, str]]]


class TinyRequest(Protocol):
    """Makes the smallest request of a protocol."""

    def __call__(self, model: str, cap: str, text: str = ..., tokens: int = ..., /) -> Json:
        """The body. cap: the name of the output limit."""
        ...


class ModelList(NamedTuple):
    """The shape of the list of models."""

    #: The entry of one model.
    entry: Callable[[ListedModel], Json]
    #: The list of all models, as the query string asks for it; from their names, and a function that says what is known
    #: of some of them. Raises BadRequest.
    page: Callable[[Sequence[str], Callable[[Sequence[str]], list[ListedModel]], str], Json]


class WireProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """One protocol: everything that code outside its folder needs to know of it."""

    #: The name used in settings and backend files.
    name: str
    api: Api
    #: Forms of errors and events.
    dialect: Dialect
    #: The translation to and from the neutral form.
    codec: Codec

    #: Path of its requests for text; holds MODEL where the model's name stands in the path and not in the body.
    path: str
    #: Path of its requests for a stream; '' where the body asks for the stream.
    stream_path: str = ""
    #: Query of such requests, '' for none.
    stream_query: str = ""
    #: Puts a model's name into a path that holds MODEL.
    fill_path: Callable[[str, str], str] = fill_model
    #: The place of a canonical path below a backend's root, which is a URL or its path.
    join_root: Callable[[str, str], str] = join_version
    #: Of a protocol whose paths have a form of their own: the canonical form of one, and what it says; each None for
    #: any other path.
    spell_path: Callable[[str], str | None] | None = None
    read_path: Callable[[str], PathParts | None] | None = None
    #: Refuses a model's name that cannot stand in its paths. Raises BadRequest.
    check_name: Callable[[str], None] = lambda model: None
    #: The model that a canonical path asks about, '' for the list of all, None for any other path.
    find_listed: Callable[[str], str | None] = lambda path: None
    #: The beginning of its further paths, and other beginnings of such.
    prefix: str
    prefixes: tuple[str, ...] = ()
    #: What the paths of its live sessions begin with, which are not served; '' where it has none.
    live: str = ""
    #: True where a caller may send its key as the query parameter `key`.
    key_in_query: bool = False
    #: The dialect of its further paths; None: `dialect`.
    prefix_dialect: Dialect | None = None
    #: Protocols whose requests some tools send to this one's path.
    strays: tuple[str, ...] = ()
    #: How it counts tokens; None where it does not.
    count: TokenCounting | None = None
    #: Which of its answers may be given again; None for none.
    kept: KeptAnswers | None = None

    #: The field of a request that holds the conversation.
    conversation: str
    #: The field that an answer must have.
    answer_field: str
    #: Names of the number of answers that a request asks for; as the output limit.
    choices: tuple[str, ...] = ("n",)
    #: How surely a request whose path is unknown is in this protocol, 0 for not at all; from the top level of its body
    #: and its headers by lower-case name.
    recognize: Callable[[Top, Mapping[bytes, bytes]], int] = lambda top, fields: 0
    #: The path of a field that cannot be translated, since it is the vendor's own, such as a tool that runs there; ''
    #: for a request without one. From the top level of the body.
    find_bound: Callable[[Top], str] = lambda top: ""
    #: Words in the names of models that are usually requested in this protocol.
    model_words: tuple[str, ...] = ()
    #: How its conversations hold images; None where they hold none.
    images: Images | None = None
    #: True for a request that asks the model to reason.
    asks_thinking: Callable[[Top], bool] = lambda top: False

    #: Names of the output limit, the newest first; the last is known to every provider. Dotted where it stands deeper.
    output_caps: tuple[str, ...] = ()
    #: How its requests state the reasoning effort; None where they do not.
    effort: Effort | None = None
    #: A field's dotted path as a body spells it, for a protocol whose servers read several spellings.
    spell_field: Callable[[Splice, str], str] = lambda splice, path: path
    #: Makes the smallest request, from a model and the name of the output limit, or one with another text and limit.
    tiny_request: TinyRequest
    #: Adds the request for a stream's usage; False when it is there already, or when that cannot be determined.
    ask_usage: Callable[[Splice], bool] | None = None
    #: The field that asks for usage, '' where usage is always reported.
    usage_field: str = ""
    #: Removes the billing line of Claude Code from a request; True when there was one.
    strip_attribution: Callable[[Splice], bool] | None = None
    #: Adds a mark for the provider's cache to a request that has none; False for one that has. None where no mark is
    #: needed.
    mark_cache: Callable[[Splice], bool] | None = None
    #: Puts a model's new name where the bodies of requests with the model in the path repeat it.
    rename_model: Callable[[Splice, str], None] | None = None
    #: State of fairlead's own in requests that are passed on; None where there is none.
    restored: OwnState | None = None
    #: A body without the reasoning that its upstream may refuse as foreign; None when the body holds none of it.
    drop_foreign_thinking: Callable[[bytes], bytes | None] | None = None
    #: A body with the web searches as text that its upstream may refuse as foreign; None when it holds none. And True
    #: for a body that may hold some.
    tell_foreign_searches: Callable[[bytes], bytes | None] | None = None
    has_foreign_searches: Callable[[bytes], bool] = lambda body: False

    #: True where an upstream of it is sent the web search that a translated request asks for; from its profile.
    searches: Callable[[Profile], bool] = lambda profile: False
    #: True where an upstream accepts its reasoning as text without a signature; from its profile and the model's name.
    replays: Callable[[Profile, str], bool] = lambda profile, model: bool(profile.replay)

    #: True for an error body that its clients read the kind and the message of; None: any with a message in `error`.
    has_error_form: Callable[[Json], bool] | None = None
    #: True for an error object whose code or words tell the clients of this protocol that a request is too long.
    knows_overflow: Callable[[Json], bool] = lambda error: True
    #: The message for a request that is too long, from its numbers and what the upstream said, '' for nothing.
    say_overflow: Callable[[Overflow, str], str] = say_to_openai
    #: Words in an error, in lower case, that mean that the account has used up its credit: waiting does not help.
    quota_words: tuple[bytes, ...] = ()
    #: Words in a 429, in lower case, that mean so unless the answer tells a wait.
    quota_hints: tuple[bytes, ...] = ()
    #: Words in a 400, in lower case, that mean that the key, or its account, is refused.
    auth_words: tuple[bytes, ...] = ()
    #: Adds the seconds after which to ask again to the body of an error; None where the header tells them.
    tell_wait: Callable[[bytes, int], bytes] | None = None
    #: Its clients read comments in streams over.
    comments: bool = True
    #: Some of its clients do not see an error in a stream unless the connection breaks behind it.
    breaks_off: bool = False
    #: Names of the headers that report an account's limits; None where none do.
    limits: LimitNames | None
    #: Status of the refusal while the guard halts traffic: one that clients of this protocol do not retry.
    halt_status: int = 402
    #: The shape of its list of models.
    models: ModelList

    #: Bytes that mark input that only the account that wrote it can read, b"" where there is none.
    sealed: bytes = b""
    #: Bytes that mark the sealed state of a translation in its requests.
    own_state: bytes = PREFIX.encode()
    #: True when the answer to a request may issue an id that a later request can name; None: never. In such protocols
    #: requests name ids at their top level.
    issues: Callable[[Top | None], bool] | None = None
    #: True for a request that leaves something behind at the upstream, of which a translation has dropped the given
    #: paths (None: it is passed on); None: no request does.
    leaves_traces: Callable[[Top, Collection[str] | None], bool] | None = None
    #: How its requests name stored answers; None where they do not.
    stored: Stored | None = None
    #: How callers have a conversation compacted; None where they cannot.
    compaction: Compaction | None = None
    #: Callers may delete stored answers.
    deletes: bool = False
    #: Names of what is stored at its upstreams; None where these are plain ids.
    resources: ResourceNames | None = None
    #: Collections with ids under its further paths: an expression of the path, and the name of the collection.
    collections: tuple[tuple[re.Pattern[str], str], ...] = ()

    @property
    def title(self) -> str:
        """The name used in texts for users."""
        return self.dialect.title

    def path_for(self, model: str, *, stream: bool) -> str:
        """The path of a request for text."""
        return self.fill_path(self.stream_path if stream and self.stream_path else self.path, model)

    def cap_for(self, *, newest: bool) -> str:
        """The name to set an output limit by. newest: the provider refuses older names."""
        return self.output_caps[0 if newest else -1]
