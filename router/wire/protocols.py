"""The protocols that fairlead speaks, one entry each, for all code outside their folders.

A further protocol is a folder with the values that its entry names, and the entry, which `add` registers.
"""

import functools
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from router.backends import ANTHROPIC, COMMON, OPENAI, PROTOCOLS
from router.backends.profile import Profile
from router.ir import Usage
from router.wire import openai, stored_responses
from router.wire.chat import tools as chat_tools
from router.wire.chat import traits as chat_traits
from router.wire.chat.dialect import Chat
from router.wire.dialect import ERROR_EVENTS, Needles, Verdict
from router.wire.errors import overflow_texts
from router.wire.gemini.entry import GEMINI
from router.wire.headers import rate_limits
from router.wire.kept_answers import messages as messages_kept
from router.wire.kept_answers import openai as openai_kept
from router.wire.messages import attribution, cache_mark, foreign_thinking
from router.wire.messages import errors as messages_errors
from router.wire.messages import traits as messages_traits
from router.wire.messages.dialect import Messages
from router.wire.messages.requests import hosted_tools as messages_hosted_tools
from router.wire.messages.requests import thinking
from router.wire.model_lists import anthropic as anthropic_models
from router.wire.model_lists import codex as codex_models
from router.wire.model_lists import openai as openai_models
from router.wire.neutral.provider_profiles import find_claude
from router.wire.protocol import (
    Codec,
    Compaction,
    Effort,
    Images,
    LateCodec,
    ModelList,
    Stored,
    TokenCounting,
    WireProtocol,
)
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses import decode_request as responses_decode_request
from router.wire.responses import traits as responses_traits
from router.wire.responses.dialect import Responses
from router.wire.responses.input import compaction
from router.wire.responses.input import hosted_tools as responses_hosted_tools

# An output limit for decoding requests to count tokens: they have none, but requests for text need one.
_ANY_LIMIT = 32_000


class Plain(Chat):
    """Paths of no protocol of their own (files, audio, …): OpenAI's error form, and streams without an end mark."""

    title = "this path"
    needles = Needles(ending=(b'"error":', *ERROR_EVENTS))
    has_terminal = False

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """Commit at every event."""
        return Verdict.COMMIT

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """Decode a usage object in the names of Chat, or in those of Responses, as images and audio have it. A sum
        alone is input, as embeddings and rerankers tell it."""
        read = super().usage(found, known, profile)
        if (read.input, read.output) == (known.input, known.output):
            read = _RESPONSES.usage(found, read, profile)
        total = json_values.as_count(found.get("total_tokens"))
        if read.input is None and read.output is None and total is not None:
            return msgspec.structs.replace(read, input=total, output=0)
        return read


_RESPONSES = Responses()
#: The dialect of paths of no protocol of their own.
PLAIN = Plain()

_OPENAI_MODELS = ModelList(openai_models.entry, codex_models.page)


def _load_messages() -> Codec:
    from router.wire.messages import decode_stream, encode_stream, errors, response
    from router.wire.messages.requests import decode_request, encode_request

    return Codec(
        decode_request.decode_request,
        encode_request.encode_request,
        response.decode_answer,
        response.encode_answer,
        decode_stream.MessagesDecoder,
        encode_stream.MessagesEncoder,
        errors.decode_error,
        errors.encode_error,
    )


def _load_chat() -> Codec:
    from router.wire.chat import decode_request, decode_stream, encode_request, encode_stream, response

    return Codec(
        decode_request.decode_request,
        encode_request.encode_request,
        response.decode_answer,
        response.encode_answer,
        decode_stream.ChatDecoder,
        encode_stream.ChatEncoder,
        openai.decode_error,
        openai.encode_error,
    )


def _load_responses() -> Codec:
    from router.wire.responses import decode_request, decode_stream, encode_request, errors, response
    from router.wire.responses.output import compaction_encoder

    return Codec(
        decode_request.decode_request,
        encode_request.encode_request,
        response.decode_answer,
        response.encode_answer,
        decode_stream.ResponsesDecoder,
        compaction_encoder.make_encoder,
        errors.decode_error,
        errors.encode_error,
    )


# Types of image blocks are searched for as JSON strings, whose letters may be written as \u0061 to \u007a. Inside a
# text the quotes would be escaped.
MESSAGES = WireProtocol(
    name="messages",
    api=ANTHROPIC,
    dialect=Messages(),
    codec=LateCodec.of(_load_messages),
    path="/v1/messages",
    prefix="/v1/messages/",
    count=TokenCounting(
        path="/v1/messages/count_tokens",
        fields=frozenset(("model", "messages", "system", "tools", "tool_choice", "thinking")),
        fills={"max_tokens": _ANY_LIMIT},
        asks_model=True,
    ),
    kept=messages_kept.MESSAGES,
    conversation="messages",
    answer_field="content",
    recognize=messages_traits.recognize,
    model_words=messages_traits.MODEL_WORDS,
    images=Images(frozenset(("image",)), re.compile(rb'"image"|\\u00[67]')),
    asks_thinking=messages_traits.asks_thinking,
    output_caps=("max_tokens",),
    # Messages has no effort `none` (thinking is switched off instead, with no effort set) and no `minimal`.
    effort=Effort(field="output_config.effort", words={"minimal": "low"}, off=thinking.turn_off),
    tiny_request=messages_traits.tiny_request,
    strip_attribution=attribution.strip_attribution,
    mark_cache=cache_mark.mark_cache,
    drop_foreign_thinking=foreign_thinking.drop_foreign_thinking,
    tell_foreign_searches=foreign_thinking.tell_foreign_searches,
    has_foreign_searches=foreign_thinking.has_foreign_searches,
    searches=messages_hosted_tools.can_search,
    replays=lambda profile, model: not find_claude(model).signs,
    has_error_form=messages_errors.has_own_form,
    knows_overflow=overflow_texts.is_for_anthropic,
    say_overflow=overflow_texts.say_to_anthropic,
    quota_words=(b"credit balance is too low", b"reached your specified api usage limits"),
    limits=rate_limits.ANTHROPIC,
    models=ModelList(anthropic_models.entry, anthropic_models.page),
    collections=((re.compile("/v1/messages/batches(?:/|$)"), "batches"),),
)
CHAT = WireProtocol(
    name="chat",
    api=OPENAI,
    dialect=Chat(),
    codec=LateCodec.of(_load_chat),
    path="/v1/chat/completions",
    prefix="/v1/chat/",
    prefix_dialect=PLAIN,
    strays=("responses",),
    kept=openai_kept.CHAT,
    conversation="messages",
    answer_field="choices",
    recognize=chat_traits.recognize,
    images=Images(frozenset(("image_url",)), re.compile(rb'"image_url"|\\u00[567]')),
    asks_thinking=chat_traits.asks_thinking,
    output_caps=("max_completion_tokens", "max_tokens"),
    effort=Effort(field="reasoning_effort"),
    tiny_request=chat_traits.tiny_request,
    ask_usage=chat_traits.ask_usage,
    usage_field=chat_traits.USAGE_FIELD,
    searches=chat_tools.can_search,
    knows_overflow=overflow_texts.is_for_chat,
    quota_words=openai.QUOTA_WORDS,
    quota_hints=openai.QUOTA_HINTS,
    limits=rate_limits.OPENAI,
    models=_OPENAI_MODELS,
    collections=((re.compile("/v1/chat/[^/]*/"), "chat"),),
)
RESPONSES = WireProtocol(
    name="responses",
    api=OPENAI,
    dialect=_RESPONSES,
    codec=LateCodec.of(_load_responses),
    path="/v1/responses",
    prefix="/v1/responses/",
    count=TokenCounting(
        path="/v1/responses/input_tokens",
        fields=frozenset(("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning")),
        marks={"object": "response.input_tokens"},
    ),
    kept=openai_kept.RESPONSES,
    conversation="input",
    answer_field="output",
    recognize=responses_traits.recognize,
    images=Images(
        frozenset(("input_image", "computer_screenshot")),
        re.compile(rb'"(?:input_image|computer_screenshot)"|\\u00[567]'),
    ),
    asks_thinking=responses_traits.asks_thinking,
    output_caps=("max_output_tokens",),
    effort=Effort(field="reasoning.effort"),
    searches=responses_hosted_tools.can_search,
    tiny_request=responses_traits.tiny_request,
    knows_overflow=overflow_texts.is_for_responses,
    quota_words=openai.QUOTA_WORDS,
    quota_hints=openai.QUOTA_HINTS,
    limits=rate_limits.OPENAI,
    # The only status that Codex does not retry.
    halt_status=429,
    models=_OPENAI_MODELS,
    sealed=responses_traits.SEALED,
    issues=responses_traits.issues,
    leaves_traces=responses_traits.leaves_traces,
    stored=Stored(
        responses_decode_request.has_references,
        responses_decode_request.read_references,
        stored_responses.is_own_id,
        responses_decode_request.check_passed_through,
        responses_traits.list_issued_items,
        responses_traits.list_referenced_items,
    ),
    compaction=Compaction(
        "/v1/responses/compact",
        compaction.is_asked_at_end,
        responses_decode_request.ask_for_summary,
        compaction.MARK,
        compaction.OWN_MARK,
        compaction.unseal_items,
    ),
    deletes=True,
)
#: By name, in the order of `backends.PROTOCOLS`.
BY_NAME: dict[str, WireProtocol] = {entry.name: entry for entry in (MESSAGES, CHAT, RESPONSES, GEMINI)}
#: The protocol that is assumed where nothing identifies one.
DEFAULT = CHAT

# Requests to paths outside the protocols, in the API that most servers follow: they are neither translated nor edited.
_UNNAMED = msgspec.structs.replace(
    CHAT,
    name="",
    api=COMMON,
    prefix="",
    prefix_dialect=None,
    strays=(),
    output_caps=(),
    effort=None,
    ask_usage=None,
    usage_field="",
    images=None,
    conversation="",
    collections=(),
)
#: Paths that belong to no protocol.
OTHERS = msgspec.structs.replace(_UNNAMED, path="", dialect=PLAIN)
#: The protocol before Chat, which is relayed and never translated.
COMPLETIONS = msgspec.structs.replace(_UNNAMED, path="/v1/completions", output_caps=("max_tokens",))
EMBEDDINGS = msgspec.structs.replace(OTHERS, path="/v1/embeddings")

_Value = TypeVar("_Value")
_clear_caches: list[Callable[[], None]] = []


def derived(make: Callable[[], _Value]) -> Callable[[], _Value]:
    """Cache a value computed from all entries; it is computed again after an entry is added or removed."""
    cached = functools.cache(make)
    _clear_caches.append(cached.cache_clear)
    return cached


def add(entry: WireProtocol) -> None:
    """Register a further protocol. Raises ValueError when its name is taken."""
    if PROTOCOLS.get(entry.name, entry.api) is not entry.api or entry.name in BY_NAME:
        raise ValueError(f"there is a protocol {entry.name}")
    PROTOCOLS[entry.name] = entry.api
    BY_NAME[entry.name] = entry
    if entry.limits is not None:
        rate_limits.add(entry.limits)
    for clear in _clear_caches:
        clear()


def remove(name: str) -> None:
    """Remove a protocol that was added."""
    limits = BY_NAME.pop(name).limits
    del PROTOCOLS[name]
    if limits is not None and all(entry.limits is not limits for entry in BY_NAME.values()):
        rate_limits.remove(limits)
    for clear in _clear_caches:
        clear()


def entry_of(name: str | None) -> WireProtocol:
    """The entry of that name; OTHERS for None and ''."""
    return BY_NAME[name] if name else OTHERS


@derived
def conversations() -> tuple[str, ...]:
    """The fields that hold a conversation, each once."""
    return tuple(dict.fromkeys(entry.conversation for entry in BY_NAME.values()))


@derived
def quota_words() -> tuple[bytes, ...]:
    """Words in an error of any protocol that mean that the account has used up its credit, each once, in lower case: a
    gateway may repeat the error of an upstream that speaks another protocol."""
    return tuple(dict.fromkeys(word for entry in BY_NAME.values() for word in entry.quota_words))


@derived
def quota_hints() -> tuple[bytes, ...]:
    """Words in a 429 of any protocol that mean so where the answer tells no wait, each once, in lower case."""
    return tuple(dict.fromkeys(word for entry in BY_NAME.values() for word in entry.quota_hints))


@derived
def auth_words() -> tuple[bytes, ...]:
    """Words in a 400 of any protocol that mean that the key, or its account, is refused, each once, in lower case."""
    return tuple(dict.fromkeys(word for entry in BY_NAME.values() for word in entry.auth_words))


def entry_marked_in(fields: Mapping[bytes, bytes]) -> WireProtocol | None:
    """The protocol whose API is marked by a request's headers (by lower-case name); None when no header marks one."""
    for header, entry in _list_marks():
        if header in fields:
            return entry
    return None


@derived
def _list_marks() -> tuple[tuple[bytes, WireProtocol], ...]:
    found: dict[bytes, WireProtocol] = {}
    for entry in BY_NAME.values():
        for header in (*(name for name, _ in entry.api.headers[:1]), *entry.api.marks):
            found.setdefault(header.encode("ascii"), entry)
    return tuple(found.items())
