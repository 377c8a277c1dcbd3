"""Translates requests, answers, streams and errors: decoded from one protocol to the neutral form, encoded to another.

A protocol is one entry of `protocols`; no code handles a pair of protocols.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from router.errors import BadRequest, TooLarge
from router.ir import Answer, Began, Ended, Event, Fault, Pinged, TextDelta, ToolCall, Usage
from router.wire import dialect as wire_dialect
from router.wire.conversation.conversation_prefix import prefix_hashes
from router.wire.conversation.replay_memory import CallRecorder, drop_thinking, recall_calls
from router.wire.neutral import assemble
from router.wire.neutral.answer_bounds import LARGE, TooMany, decode_bounded
from router.wire.neutral.context import Context, format_losses
from router.wire.neutral.repeated_text import RepeatedText
from router.wire.neutral.split_characters import CharacterJoiner
from router.wire.neutral.stream_filters import StreamFilter, stream_filters
from router.wire.neutral.tool_forms.own_search import declare_search
from router.wire.protocol import ResponseCollector
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.raw.json import json_values, large_json, lenient_json
from router.wire.raw.json.json_values import Json
from router.wire.raw.sse import payloads
from router.wire.translate_errors import failure_in, find_silent_overflow, make_event_fault

if TYPE_CHECKING:
    from router.wire.dialect import Failure

#: Bytes of the largest request that is translated.
REQUEST_LIMIT = 32 << 20
_PREAMBLE = (Began, Pinged)
_decode = msgspec.json.Decoder().decode


class Plan(msgspec.Struct):
    """How one exchange is translated."""

    #: The protocol of the client.
    caller: str
    #: The protocol of the upstream.
    spoken: str
    ctx: Context
    #: The path of the translated request.
    path: str
    #: The headers of the translated request, by lower-case name.
    headers: dict[str, str]
    #: The client asked for a stream.
    stream: bool
    #: How many of the losses come from the request.
    asked: int = 0

    @property
    def title(self) -> str:
        """The value of the response header that names the translation."""
        return f"{self.caller}->{self.spoken}"


class Sent(NamedTuple):
    """A translated request."""

    body: bytes
    #: Headers that the target protocol needs for it, by lower-case name.
    headers: dict[str, str]
    #: The caller wants a usage event.
    usage: bool


class Made(NamedTuple):
    """An answer for the client."""

    status: int
    body: bytes
    #: The token counts that the upstream reported, which the body may not be able to carry; None for an error.
    usage: Usage | None = None


def target_of(source: str | None, spoken: tuple[str, ...], prefers: str = "") -> str | None:
    """The protocol to translate to; None when there is none. prefers: the one to choose among several."""
    if source not in BY_NAME:
        return None
    found: str | None = None
    for name in BY_NAME:
        if name in spoken and name != source and (found is None or name == prefers):
            found = name
    return found


def request(body: bytes, source: str, target: str, ctx: Context, *, stream: bool | None = None) -> Sent:
    """A request in the target protocol, its model renamed to `ctx.model`. stream: whether a stream is asked for, None
    to read that from the body. Raises RouterError in the caller's terms."""
    if len(body) > REQUEST_LIMIT:
        raise TooLarge(f"The request is over {REQUEST_LIMIT >> 20} MiB, the bound for one that is translated.")
    try:
        data = _decode_request(body, ctx)
        if not isinstance(data, dict):
            raise BadRequest("The body must be a JSON object.")
        neutral = BY_NAME[source].codec.decode_request(data, ctx)  # pyright: ignore[reportUnknownArgumentType]
        streams = neutral.stream if stream is None else stream
        neutral = msgspec.structs.replace(neutral, model=ctx.model, stream=streams)
        ctx.call_ids = frozenset(block.id for turn in neutral.turns for block in turn.blocks if type(block) is ToolCall)
        ctx.declared_tools = frozenset(tool.name for tool in neutral.tools)
        if ctx.memory is not None:
            *prefixes, ctx.prefix = prefix_hashes(neutral.turns)
            replays = BY_NAME[target].replays(ctx.profile, ctx.model)
            neutral = recall_calls(neutral, prefixes, ctx.memory, ctx.sealer, replays=replays)
        if ctx.drop_reasoning:
            neutral = drop_thinking(neutral, ctx.note_dropped)
        if ctx.searches_itself:
            neutral = declare_search(neutral, ctx)
        written, headers = BY_NAME[target].codec.encode_request(neutral, ctx)
        encode = large_json.encode if len(body) > LARGE else msgspec.json.encode
        return Sent(encode(written), headers, neutral.usage)
    except RecursionError:
        raise BadRequest("The JSON body is nested too deep to be translated.") from None
    except UnicodeEncodeError:
        raise BadRequest("The body holds half a surrogate pair, which cannot be written as UTF-8.") from None


def _decode_request(body: bytes, ctx: Context) -> object:
    """The JSON of a request. What JSON cannot hold (NaN, half a surrogate pair) is replaced, and noted as a loss."""
    try:
        return json_values.decode_value(body)
    except json_values.UNREADABLE:
        replaced: list[str] = []
        found = json_values.look_again(body, replaced)
    for path in replaced:
        ctx.note_weakened(path)
    return found


def answer(body: bytes, source: str, target: str, ctx: Context, *, stream: bool) -> Made | None:
    """A whole answer of the upstream as the client gets it; None when it is not an answer of the source protocol.
    stream: the client asked for a stream, and gets one."""
    found = read_answer(body, source, ctx)
    return None if found is None else write_answer(found, target, ctx, stream=stream, large=len(body) > LARGE)


def read_answer(body: bytes, source: str, ctx: Context) -> Answer | Fault | None:
    """A whole answer of the upstream, or its error; None when it is not an answer of the source protocol."""
    try:
        data = _decode_answer(body, ctx)
        if data is None:
            return None
        codec = BY_NAME[source].codec
        found = codec.decode_error(data, 0) or codec.decode_answer(data, ctx)
    except (TooMany, assemble.NoAnswer) as error:
        return error.fault
    except (UnicodeEncodeError, RecursionError):
        return None
    if type(found) is Answer and not found.blocks:
        return find_silent_overflow(found, ctx) or found
    return found


def write_answer(
    found: Answer | Fault, target: str, ctx: Context, *, stream: bool, large: bool = False, filtered: bool = False
) -> Made | None:
    """An answer, or its error, as the client gets it; None for one that cannot be written. filtered: what the upstream
    does not do itself was done to it."""
    try:
        if type(found) is Answer:
            passed = found if filtered else filter_answer(found, ctx)
            return Made(200, encode_answer(passed, target, ctx, stream=stream, large=large), found.usage)
        found = ctx.settle(found)
    except (TooMany, assemble.NoAnswer) as error:
        found = error.fault
    except (UnicodeEncodeError, RecursionError):
        return None
    return Made(*BY_NAME[target].codec.encode_error(found))


def _decode_answer(body: bytes, ctx: Context) -> Json | None:
    try:
        data = decode_bounded(body)
    except json_values.UNREADABLE:
        replaced: list[str] = []
        data = json_values.look_again(body, replaced)
        for path in replaced:
            ctx.note_weakened(path)
    return data if isinstance(data, dict) else None  # pyright: ignore[reportUnknownVariableType]


def filter_answer(found: Answer, ctx: Context) -> Answer:
    """A whole answer with what the upstream does not do itself. Raises NoAnswer."""
    for stream_filter in stream_filters(ctx):
        events = [passed for event in assemble.split_answer(found) for passed in stream_filter.apply(event)]
        filtered = assemble.assemble_answer(events, ctx)
        if type(filtered) is Fault:
            raise assemble.NoAnswer(filtered)
        found = filtered or found
    return found


def encode_answer(found: Answer, target: str, ctx: Context, *, stream: bool, large: bool = False) -> bytes:
    """A whole answer for the client. large: it takes megabytes. Raises NoAnswer."""
    events: Iterable[Event] = assemble.split_answer(found)
    if ctx.memory is not None:
        # As the caller has it: that is what comes back.
        recorder = CallRecorder(ctx.memory, ctx.sealer, ctx.prefix)
        events = list(events)
        for event in events:
            recorder.record(event)
    if not stream:
        written = BY_NAME[target].codec.encode_answer(found, ctx)
        return large_json.encode(written) if large else msgspec.json.encode(written)
    encoder = BY_NAME[target].codec.encoder(ctx)
    return b"".join(encoder.encode(event) for event in events)


def assemble_stream(body: bytes, source: str, target: str, ctx: Context) -> Made | None:
    """A stream that answered a plain request, as a whole answer; None when it does not end."""
    found = read_stream(body, source, ctx)
    return None if found is None else write_answer(found, target, ctx, stream=False)


def read_stream(body: bytes, source: str, ctx: Context) -> Answer | Fault | None:
    """The whole answer of a stream, or its error; None when it does not end."""
    stream = Stream(source, source, ctx)
    events = stream.all_events(body)
    found = assemble.assemble_answer(events, ctx)
    for _ in events:
        pass  # Usage may follow the end.
    return msgspec.structs.replace(found, usage=stream.usage) if type(found) is Answer else found


class Stream:
    """Translates one stream from the source to the target protocol."""

    def __init__(self, source: str, target: str, ctx: Context):
        self._decoder = BY_NAME[source].codec.decoder(ctx)
        self._encoder = BY_NAME[target].codec.encoder(ctx)
        self._repeats = RepeatedText(usable=self._decoder.pure_text)
        self._source = source
        self._comments = BY_NAME[target].comments
        self._filters = stream_filters(ctx)
        self._recorder = CallRecorder(ctx.memory, ctx.sealer, ctx.prefix) if ctx.memory is not None else None
        self._ctx = ctx
        # Set by the first text that is cut within a character.
        self._joiner: CharacterJoiner | None = None
        # How many of the losses the client was told of; and True once the answer is whole.
        self._told = len(ctx.losses)
        self._ended = False
        # True once an event was sent that is neither the beginning nor a ping.
        self.meaningful = False
        # True when the last event sent is an error: no other may follow.
        self.failed = False
        # That error in the upstream's own form; None where the upstream sent no error itself.
        self.failure: Failure | None = None

    @property
    def finished(self) -> bool:
        """True when the upstream may end its body now."""
        return self._decoder.finished

    @property
    def usage(self) -> Usage:
        """The token counts that the upstream has reported so far; the client's events may not be able to carry them."""
        return self._decoder.usage

    def collect_response(self) -> Json:
        """The client's response object with the output so far, {} where its protocol has none."""
        encoder = self._encoder
        return encoder.collect_response() if isinstance(encoder, ResponseCollector) else {}

    def feed(self, batch: bytes) -> bytes:
        """Whole events of the upstream, as the client gets them."""
        out = self._encode(self.events(batch))
        if self.failed:
            self.failure = failure_in(batch, self._source)
        elif self._ended and len(self._ctx.losses) > self._told:
            # Some servers send more behind what ends the answer.
            out += self._format_late_losses()
        return out

    def _encode(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        encode = self._encoder.encode
        recorder = self._recorder
        for stream_filter in self._filters:
            events = _filter(events, stream_filter)
        for event in events:
            if event.__class__ is TextDelta:
                # Nearly every event, and nothing below concerns it.
                out.append(encode(event))
                self.meaningful = True
                continue
            if recorder is not None and event.__class__ in recorder.EVENTS:
                recorder.record(event)
            if event.__class__ is Ended and not self.meaningful:
                event = find_silent_overflow(event, self._ctx) or event  # pyright: ignore[reportArgumentType]
            if event.__class__ is Ended:
                self._ended = True
                out.append(self._format_late_losses())
            if event.__class__ is Fault:
                out.append(encode(self._ctx.settle(event)))  # pyright: ignore[reportArgumentType]
                self.meaningful = self.failed = True
                break
            out.append(encode(event))
            if not self.meaningful and event.__class__ not in _PREAMBLE:
                self.meaningful = True
        return b"".join(out)

    def end(self) -> bytes:
        """The events that the end of the upstream's body adds; none when the answer has ended or is incomplete."""
        if not self._may_end:
            return b""
        return self._encode(self._join(self._finish()))

    @property
    def _may_end(self) -> bool:
        """True when the end of the body ends the answer."""
        return not self._decoder.ended and (self._decoder.finished or self._ctx.profile.finish_optional)

    def _format_late_losses(self) -> bytes:
        """The losses found since the last note of them, as a comment, which no client reads as content."""
        text = format_losses(self._ctx.select_losses(self._told))
        self._told = len(self._ctx.losses)
        if not text or not self._comments:
            return b""
        return b": fairlead-loss " + "".join(char if " " <= char <= "~" else "?" for char in text).encode() + b"\n\n"

    def all_events(self, body: bytes) -> Iterator[Event]:
        """The neutral events of a whole body."""
        yield from self.events(body if body.endswith((b"\n\n", b"\r\n\r\n")) else body + b"\n\n")
        if self._may_end:
            yield from self._join(self._finish())

    def events(self, batch: bytes) -> Iterator[Event]:
        """The neutral events of whole events of the upstream."""
        decoder = self._decoder
        for name, payload in payloads(batch):
            if self._repeats.sure and not decoder.ended and (text := self._repeats.read(name, payload)):
                yield TextDelta(text)
                continue
            if payload[:6] == b"[DONE]":
                yield from self._join(self._finish())
                continue
            try:
                data = _decode(payload) if len(payload) <= LARGE else decode_bounded(payload)
            except json_values.UNREADABLE:
                data = self._look_again(payload)
            except TooMany as error:
                decoder.ended = True
                yield error.fault
                continue
            if isinstance(data, dict):
                if name == "error":
                    data = wire_dialect.wrap_error(data)  # pyright: ignore[reportUnknownArgumentType]
                try:
                    found = decoder.feed(name, data)  # pyright: ignore[reportUnknownArgumentType]
                except TooMany as error:
                    decoder.ended = True
                    found = [error.fault]
                if self._repeats.looks:
                    self._repeats.learn(name, payload, found)
                yield from found if self._joiner is None else self._joiner.apply(found)
            elif payload != b"null" and not decoder.ended and not payload.startswith(b":"):
                decoder.ended = True
                yield make_event_fault(name, payload)

    def _finish(self) -> list[Event]:
        try:
            return self._decoder.done()
        except TooMany as error:
            self._decoder.ended = True
            return [error.fault]

    def _join(self, events: Iterable[Event]) -> Iterable[Event]:
        return events if self._joiner is None else self._joiner.apply(events)

    def _look_again(self, payload: bytes) -> object:
        """The value of an event that the fast decoder refuses; None when SDKs refuse it too."""
        try:
            found = lenient_json.decode(payload, pieces=True)
        except (ValueError, RecursionError):
            return None
        if found.cut and self._joiner is None:
            self._joiner = CharacterJoiner(self._ctx)
            self._repeats = RepeatedText(usable=False)
        for path in found.replaced:
            self._ctx.note_weakened(path)
        return found.value


def _filter(events: Iterable[Event], stream_filter: StreamFilter) -> Iterator[Event]:
    for event in events:
        yield from stream_filter.apply(event)


def is_whole(tail: bytes) -> bool:
    """True for an event that is complete except for the blank line behind it."""
    event = sse.parse_event(tail)
    return event.is_done or json_values.look_at_object(event.data) is not None
