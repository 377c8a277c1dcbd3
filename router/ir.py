"""Neutral data that rooms hand to each other: what a peek found, what a tap read, and the form between two protocols.

A translated request, answer or event passes through the structs below and through nothing else: a codec knows one
protocol and these. All are frozen. Texts of tool arguments stay JSON texts, so that their bytes survive.
"""

from typing import Literal

import msgspec

Stop = Literal["end", "length", "context", "tool", "sequence", "refusal", "pause"]


class Facts(msgspec.Struct, frozen=True):
    """What routing needs to know of a request; filled by `wire`, read by `policy`."""

    #: Name of the call's protocol, as `wire.protocols` has it; None for other paths under /v1.
    protocol: str | None
    #: As the caller named it, None when the request names none.
    model: str | None
    #: The caller asked for server-sent events.
    stream: bool
    #: A model is to write text.
    generates: bool = False
    #: Name of the backend that issued an id the request names, None when there is none or it is not remembered.
    owner: str | None = None
    #: Alias of the account there.
    account: str = ""


class Usage(msgspec.Struct, gc=False):
    """Token counts of one answer; None where the upstream did not say. cache_* are part of no other field.

    input: tokens read uncached. output: tokens written, with reasoning. reasoning: that part of output.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Text(msgspec.Struct, frozen=True):
    """Text. cache: a caching mark stands behind it: its lifetime ("5m", "1h"), '' for none."""

    text: str
    cache: str = ""


class Image(msgspec.Struct, frozen=True):
    """An image: base64 `data` of `media_type`, or a `url`. detail: how closely to look, '' when not said."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache: str = ""
    detail: str = ""


class Document(msgspec.Struct, frozen=True):
    """A PDF: base64 `data` of `media_type`, or a `url`. Documents of text become Text where they are decoded."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    title: str = ""
    cache: str = ""


class Thinking(msgspec.Struct, frozen=True):
    """Reasoning. signature: opaque proof of its origin, '' without one. redacted: opaque data in place of text."""

    text: str = ""
    signature: str = ""
    redacted: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A call the model made. arguments: JSON text of an object."""

    id: str
    name: str
    arguments: str


class ToolResult(msgspec.Struct, frozen=True):
    """What came of a call."""

    call_id: str
    content: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False
    cache: str = ""


Block = Text | Image | Document | Thinking | ToolCall | ToolResult


class Turn(msgspec.Struct, frozen=True):
    """One message. path: where the caller wrote it, for errors and losses. A system turn holds Text only."""

    role: Literal["user", "assistant", "system"]
    blocks: tuple[Block, ...]
    path: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call. schema: JSON Schema of its arguments, an object. strict: None when not said.

    format: with a tool that takes free text in place of arguments, the form of the text as Responses says it; schema
    then has the one string `input`.
    """

    name: str
    schema: dict[str, object]
    description: str = ""
    strict: bool | None = None
    cache: str = ""
    format: dict[str, object] | None = None


class Choice(msgspec.Struct, frozen=True):
    """Which tools may or must be called. name: with mode `tool`."""

    mode: Literal["auto", "any", "none", "tool"]
    name: str = ""


class Reasoning(msgspec.Struct, frozen=True):
    """How much to reason. off: not at all. effort: none … max, '' when not said. budget: tokens, 0 when not said.

    shown: the caller wants to read it.
    """

    off: bool = False
    effort: str = ""
    budget: int = 0
    shown: bool = False


class Shape(msgspec.Struct, frozen=True):
    """The form the answer must have. schema: JSON Schema, None for any JSON object."""

    schema: dict[str, object] | None
    name: str = "output"
    strict: bool | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for generated text. parallel: False when at most one call may be made at a time; None: not said.

    usage: the caller wants a usage event. tier: auto or default, '' when not said. cache: caching without marks; None:
    not said. continues: a last assistant turn is the beginning of the answer, and not history. inline: the system
    prompt was written as messages. shared: fields that both of OpenAI's protocols have, and nobody else.
    """

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: Choice | None = None
    parallel: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    reasoning: Reasoning | None = None
    shape: Shape | None = None
    user: str = ""
    tier: str = ""
    stream: bool = False
    usage: bool = True
    cache: bool | None = None
    continues: bool = False
    inline: bool = False
    shared: dict[str, object] = msgspec.field(default_factory=dict[str, object])


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer. stopped_by: the stop sequence that was met. refusal: the model's explanation, if any."""

    id: str
    model: str
    blocks: tuple[Text | Thinking | ToolCall, ...]
    stop: Stop
    usage: Usage
    stopped_by: str = ""
    refusal: str = ""


class Began(msgspec.Struct, frozen=True):
    """The answer begins; its usage so far."""

    id: str
    model: str
    usage: Usage


class TextDelta(msgspec.Struct, frozen=True):
    """More text."""

    text: str


class ThinkingDelta(msgspec.Struct, frozen=True):
    """More reasoning text."""

    text: str


class Signed(msgspec.Struct, frozen=True):
    """The reasoning that came last is complete; its opaque proof."""

    signature: str


class Redacted(msgspec.Struct, frozen=True):
    """Reasoning as opaque data."""

    data: str


class BlockEnded(msgspec.Struct, frozen=True):
    """The text or reasoning that came last is a block of its own."""


class CallBegan(msgspec.Struct, frozen=True):
    """A tool call; index: 0, 1, 2 … in the order they begin. Several may be open."""

    index: int
    id: str
    name: str


class CallDelta(msgspec.Struct, frozen=True):
    """More of a call's arguments."""

    index: int
    fragment: str


class Pinged(msgspec.Struct, frozen=True):
    """A sign of life."""


class Ended(msgspec.Struct, frozen=True):
    """The answer is whole."""

    stop: Stop
    usage: Usage
    stopped_by: str = ""
    refusal: str = ""


class Fault(msgspec.Struct, frozen=True):
    """An error of the upstream, in the richer of the vocabularies: status, Anthropic type, OpenAI code."""

    status: int
    kind: str
    message: str
    code: str | None = None
    param: str | None = None


Event = (
    Began | TextDelta | ThinkingDelta | Signed | Redacted | BlockEnded | CallBegan | CallDelta | Pinged | Ended | Fault
)


class Loss(msgspec.Struct, frozen=True):
    """What a translation could not carry over. how: dropped, or weakened. path: the caller's field."""

    path: str
    how: Literal["dropped", "weakened"]
