"""Neutral data that rooms hand to each other: what a peek found, what a tap read, and the form between two protocols.

A translated request, answer or event passes through the structs below and through nothing else: a codec knows one
protocol and these. All are frozen. Texts of tool arguments stay JSON texts, so that their bytes survive.
"""

from typing import Literal

import msgspec

Protocol = Literal["messages", "chat", "responses"]
Stop = Literal["end", "length", "context", "tool", "sequence", "refusal", "pause"]


class RoutingFacts(msgspec.Struct, frozen=True):
    """What routing needs to know of a request; filled by `wire`, read by `policy`."""

    #: The protocol of the call; None for other paths under /v1.
    protocol: Protocol | None
    #: As the caller named it, None when the request names none.
    model: str | None
    #: The caller asked for server-sent events.
    stream: bool
    #: A model is to write text.
    generates: bool = False
    #: The name of the backend that issued an id the request names; None when it names none, or an unknown one.
    owner: str | None = None
    #: The alias of the account that issued it there, '' for none.
    account: str = ""


class Usage(msgspec.Struct, gc=False):
    """Token counts of one answer; None where the upstream gave none. cache_* are part of no other field."""

    #: Tokens read uncached.
    input: int | None = None
    #: Tokens written, with reasoning.
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    #: The part of `output` that is reasoning.
    reasoning: int | None = None


class Text(msgspec.Struct, frozen=True):
    """Text."""

    text: str
    #: The lifetime (`5m`, `1h`) of the caching mark behind it, '' for none.
    cache: str = ""


class Image(msgspec.Struct, frozen=True):
    """An image: base64 `data` of `media_type`, or a `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache: str = ""
    #: How closely to look, '' when not given.
    detail: str = ""


class Document(msgspec.Struct, frozen=True):
    """A PDF: base64 `data` of `media_type`, or a `url`. Documents of text become Text where they are decoded."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    title: str = ""
    cache: str = ""


class Thinking(msgspec.Struct, frozen=True):
    """Reasoning."""

    text: str = ""
    #: Opaque proof of its origin, '' without one.
    signature: str = ""
    #: Opaque data in place of text.
    redacted: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A call the model made."""

    id: str
    name: str
    #: JSON text of an object.
    arguments: str


class ToolResult(msgspec.Struct, frozen=True):
    """The result of a call."""

    call_id: str
    content: tuple[Text | Image | Document, ...] = ()
    is_error: bool = False
    cache: str = ""


Block = Text | Image | Document | Thinking | ToolCall | ToolResult


class Turn(msgspec.Struct, frozen=True):
    """One message. A system turn holds Text only."""

    role: Literal["user", "assistant", "system"]
    blocks: tuple[Block, ...]
    #: Where the caller wrote it, for errors and losses.
    path: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call."""

    name: str
    #: JSON Schema of its arguments, an object.
    schema: dict[str, object]
    description: str = ""
    #: None when not given.
    strict: bool | None = None
    cache: str = ""
    #: Of a tool that takes free text in place of arguments: the form of the text as Responses gives it; `schema` then
    #: has the one string `input`.
    format: dict[str, object] | None = None


class Choice(msgspec.Struct, frozen=True):
    """Which tools may or must be called."""

    mode: Literal["auto", "any", "none", "tool"]
    #: Of the tool, with mode `tool`.
    name: str = ""


class Reasoning(msgspec.Struct, frozen=True):
    """How much to reason."""

    #: Not at all.
    off: bool = False
    #: none … max, '' when not given.
    effort: str = ""
    #: Tokens, 0 when not given.
    budget: int = 0
    #: The caller wants to read it.
    shown: bool = False


class Shape(msgspec.Struct, frozen=True):
    """The form the answer must have."""

    #: JSON Schema, None for any JSON object.
    schema: dict[str, object] | None
    name: str = "output"
    strict: bool | None = None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for generated text."""

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    choice: Choice | None = None
    #: False when at most one call may be made at a time; None when not given.
    parallel: bool | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    reasoning: Reasoning | None = None
    shape: Shape | None = None
    user: str = ""
    #: auto or default, '' when not given.
    tier: str = ""
    stream: bool = False
    #: The caller wants a usage event.
    usage: bool = True
    #: Caching without marks; None when not given.
    cache: bool | None = None
    #: A last assistant turn is the beginning of the answer, and not history.
    continues: bool = False
    #: The system prompt was written as messages.
    inline: bool = False
    #: Fields that both of OpenAI's protocols have, and no other.
    shared: dict[str, object] = msgspec.field(default_factory=dict[str, object])


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    id: str
    model: str
    blocks: tuple[Text | Thinking | ToolCall, ...]
    stop: Stop
    usage: Usage
    #: The stop sequence that was met, '' for none.
    stopped_by: str = ""
    #: The model's explanation, if any.
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
    """The end of the reasoning that came last, with its opaque proof."""

    signature: str


class Redacted(msgspec.Struct, frozen=True):
    """Reasoning as opaque data."""

    data: str


class BlockEnded(msgspec.Struct, frozen=True):
    """The end of a block: the text or reasoning that came last is one of its own."""


class CallBegan(msgspec.Struct, frozen=True):
    """The beginning of a tool call. Several may be open."""

    #: 0, 1, 2 … in the order they begin.
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
    """What a translation could not carry over."""

    #: The caller's field.
    path: str
    how: Literal["dropped", "weakened"]
