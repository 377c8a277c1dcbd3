"""Neutral data that rooms hand to each other: what a peek found, what a tap read, and the form between two protocols.

A translated request, answer or event passes through the structs below and through nothing else: a codec knows one
protocol and these. All are frozen. Texts of tool arguments stay JSON texts, so that their bytes survive.
"""

from typing import Literal, final

import msgspec

from router.ir.hosted import HostedTool as HostedTool
from router.ir.hosted import McpServer as McpServer
from router.ir.hosted import Searched as Searched
from router.ir.hosted import WebPage as WebPage
from router.ir.hosted import WebSearch as WebSearch
from router.ir.overflow import Overflow

#: Why an answer ended. `refusal`: it was cut off or withheld. A model that refuses in its own words and ends by itself
#: has the stop `end`, and the words as its refusal.
Stop = Literal["end", "length", "context", "tool", "sequence", "refusal", "pause"]


class RoutingFacts(msgspec.Struct, frozen=True):
    """What routing needs to know of a request; filled by `wire`, read by `policy`."""

    #: Name of the call's protocol, as `wire.protocols` has it; None for other paths under /v1.
    protocol: str | None
    #: As the caller named it, None when the request names none.
    model: str | None
    #: The caller asked for server-sent events.
    stream: bool
    #: A model is to write text.
    generates: bool = False
    #: The field that only a backend which speaks the protocol itself can serve, such as a tool of its vendor's; '' for
    #: none.
    bound: str = ""
    #: Name of the backend that issued an id the request names, None when there is none or it is not remembered.
    owner: str | None = None
    #: Alias of the account there.
    account: str = ""


class Extras(msgspec.Struct, frozen=True, gc=False):
    """What an answer costs beside plain tokens at the usual price."""

    #: The service tier or speed, as the provider names it, '' for the usual one.
    tier: str = ""
    #: Web searches that the provider made.
    searches: int = 0
    #: Searches in stored files.
    lookups: int = 0
    #: Tokens of the input and the output that are sound, and of the output that are pictures.
    input_audio: int = 0
    output_audio: int = 0
    output_image: int = 0
    #: In words, something in it whose cost no answer tells; '' for nothing.
    uncounted: str = ""


class Usage(msgspec.Struct, gc=False):
    """Token counts of one answer; None where the upstream did not say."""

    #: Input tokens that were neither read from a cache nor written to it.
    input: int | None = None
    #: Output tokens, with those of reasoning.
    output: int | None = None
    #: Input tokens read from a cache; part of no other field.
    cache_read: int | None = None
    #: Input tokens written to a cache; part of no other field.
    cache_write: int | None = None
    #: The part of `output` that is reasoning.
    reasoning: int | None = None
    #: The part of `cache_write` that stays for an hour, at a higher price; None also for no such tokens.
    cache_write_1h: int | None = None
    #: What the provider says that the request was charged, in billionths of a US dollar.
    charge: int | None = None
    #: None for an answer that costs nothing else.
    extras: Extras | None = None


@final
class Citation(msgspec.Struct, frozen=True):
    """A web page that a text of an answer cites."""

    url: str
    title: str = ""
    #: The words of the page that are cited, '' when not given.
    quote: str = ""
    #: The characters of the text that rest on it, from `start` to before `end`; None when not given.
    start: int | None = None
    end: int | None = None


@final
class Text(msgspec.Struct, frozen=True):
    """Text."""

    text: str
    #: The lifetime of a caching mark on it: "5m" or "1h", '' without a mark. The same in the other blocks.
    cache: str = ""
    #: What it cites; of answers only.
    citations: tuple[Citation, ...] = ()
    #: The log probabilities of its tokens, in the form that OpenAI's two protocols share; of answers only. Those of a
    #: large answer are not decoded.
    logprobs: tuple[dict[str, object] | msgspec.Raw, ...] = ()


@final
class Image(msgspec.Struct, frozen=True):
    """An image: base64 `data` of `media_type`, or a `url`."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache: str = ""
    #: The resolution to read it at, as OpenAI names it; '' when not given.
    detail: str = ""


@final
class Document(msgspec.Struct, frozen=True):
    """A PDF: base64 `data` of `media_type`, or a `url`. Text documents are decoded to Text."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    title: str = ""
    cache: str = ""


@final
class Thinking(msgspec.Struct, frozen=True):
    """Reasoning."""

    text: str = ""
    #: The upstream's signature of the text, '' without one.
    signature: str = ""
    #: Opaque data in place of text.
    redacted: str = ""


@final
class ToolCall(msgspec.Struct, frozen=True):
    """A call the model made."""

    id: str
    name: str
    #: The JSON text of an object.
    arguments: str


@final
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
    #: The caller's path of the message, for errors and losses.
    path: str = ""


class Tool(msgspec.Struct, frozen=True):
    """A function the model may call."""

    name: str
    #: JSON Schema of its arguments, which are an object.
    schema: dict[str, object]
    description: str = ""
    #: None when not given.
    strict: bool | None = None
    cache: str = ""
    #: For a tool that takes free text in place of arguments: the form of the text, as in Responses. The schema then has
    #: one property, the string `input`.
    format: dict[str, object] | None = None


class Choice(msgspec.Struct, frozen=True):
    """Which tools may or must be called."""

    mode: Literal["auto", "any", "none", "tool"]
    #: The tool to call, with mode `tool`.
    name: str = ""


class Reasoning(msgspec.Struct, frozen=True):
    """How much to reason."""

    #: Not at all.
    off: bool = False
    #: none … max, '' when not given.
    effort: str = ""
    #: Tokens, 0 when not given.
    budget: int = 0
    #: The caller wants to read the reasoning.
    shown: bool = False


class Shape(msgspec.Struct, frozen=True):
    """The form the answer must have."""

    #: JSON Schema, None for any JSON object.
    schema: dict[str, object] | None
    name: str = "output"
    strict: bool | None = None
    description: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request for generated text."""

    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    #: Tools that the provider runs itself.
    hosted: tuple[HostedTool, ...] = ()
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
    #: Whether to cache without marks; None when not given.
    cache: bool | None = None
    #: A last assistant turn is the beginning of the answer, and not history.
    continues: bool = False
    #: The system prompt was written as messages.
    inline: bool = False
    #: Fields that only OpenAI's two protocols have, with the same meaning in both.
    shared: dict[str, object] = msgspec.field(default_factory=dict[str, object])


AnswerBlock = Text | Thinking | ToolCall | Searched


@final
class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A whole answer."""

    id: str
    model: str
    blocks: tuple[AnswerBlock, ...]
    stop: Stop
    usage: Usage
    #: The stop sequence that ended it, '' for another end.
    stopped_by: str = ""
    #: The model's words of refusal, which are in no block; '' without any.
    refusal: str = ""


@final
class Began(msgspec.Struct, frozen=True):
    """The answer begins, with the usage known so far."""

    id: str
    model: str
    usage: Usage


@final
class TextDelta(msgspec.Struct, frozen=True):
    """More text."""

    text: str
    #: As in Text.
    logprobs: tuple[dict[str, object] | msgspec.Raw, ...] = ()


@final
class Cited(msgspec.Struct, frozen=True):
    """The text that is open cites a page. One that comes while no text is open belongs to no text."""

    citation: Citation


@final
class RefusalDelta(msgspec.Struct, frozen=True):
    """More of the model's words of refusal, which are part of no text."""

    text: str


@final
class ThinkingDelta(msgspec.Struct, frozen=True):
    """More reasoning text."""

    text: str


@final
class Signed(msgspec.Struct, frozen=True):
    """The last reasoning is complete and has a signature."""

    signature: str


@final
class Redacted(msgspec.Struct, frozen=True):
    """Reasoning as opaque data."""

    data: str


@final
class BlockEnded(msgspec.Struct, frozen=True):
    """The last text or reasoning is a complete block."""


@final
class CallBegan(msgspec.Struct, frozen=True):
    """A tool call begins; several may be open at a time."""

    #: 0, 1, 2 … in the order in which the calls begin.
    index: int
    id: str
    name: str


@final
class CallDelta(msgspec.Struct, frozen=True):
    """More of a call's arguments."""

    index: int
    fragment: str


@final
class Pinged(msgspec.Struct, frozen=True):
    """A sign of life."""


@final
class Ended(msgspec.Struct, frozen=True):
    """The answer is whole."""

    stop: Stop
    usage: Usage
    stopped_by: str = ""


@final
class Fault(msgspec.Struct, frozen=True):
    """An error of the upstream. No protocol's error form has all of these fields."""

    #: The HTTP status.
    status: int
    #: Anthropic's error type.
    kind: str
    message: str
    #: OpenAI's error code.
    code: str | None = None
    param: str | None = None
    #: Of a request that is too long for its model.
    overflow: Overflow | None = None


Event = (
    Began
    | TextDelta
    | Cited
    | RefusalDelta
    | ThinkingDelta
    | Signed
    | Redacted
    | BlockEnded
    | CallBegan
    | CallDelta
    | Searched
    | Pinged
    | Ended
    | Fault
)
