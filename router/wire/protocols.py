"""The protocols that fairlead speaks, one entry each: everything outside the codecs asks here."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from router.ir import Answer, Event, Fault, Request, Usage
from router.ir import Protocol as Name
from router.wire import openai
from router.wire.chat import decode_request as chat_decode_request
from router.wire.chat import decode_stream, encode_stream, response
from router.wire.chat import encode_request as chat_encode_request
from router.wire.chat.dialect import Chat
from router.wire.dialect import Dialect, Needles, Verdict
from router.wire.messages import decode_request as messages_decode_request
from router.wire.messages import decode_stream as messages_decode_stream
from router.wire.messages import encode_request as messages_encode_request
from router.wire.messages import encode_stream as messages_encode_stream
from router.wire.messages import errors
from router.wire.messages import response as messages_response
from router.wire.messages.dialect import Messages
from router.wire.neutral.context import Context
from router.wire.raw import sse
from router.wire.raw.json_values import Json
from router.wire.responses import decode_request as responses_decode_request
from router.wire.responses import decode_stream as responses_decode_stream
from router.wire.responses import encode_request as responses_encode_request
from router.wire.responses import encode_stream as responses_encode_stream
from router.wire.responses import errors as responses_errors
from router.wire.responses import response as responses_response
from router.wire.responses.dialect import Responses


class Plain(Chat):
    """Paths of no protocol of their own (files, audio, …): OpenAI's error form, and streams without an end mark."""

    title = "this path"
    needles = Needles(ending=())
    has_terminal = False

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """Everything commits."""
        return Verdict.COMMIT


MESSAGES = Messages()
CHAT = Chat()
RESPONSES = Responses()
PLAIN = Plain()
BY_NAME: dict[str, Dialect] = {"messages": MESSAGES, "chat": CHAT, "responses": RESPONSES}


class Decoder(Protocol):
    """Reads one upstream's stream. finished: its end of body is a good end. ended: nothing comes any more. usage: what
    the upstream has said of it so far."""

    ended: bool
    usage: Usage

    @property
    def finished(self) -> bool: ...

    def feed(self, name: str, data: Json) -> list[Event]: ...

    def done(self) -> list[Event]: ...


class Encoder(Protocol):
    """Writes one client's stream."""

    def encode(self, event: Event) -> bytes: ...


class Codec(NamedTuple):
    """One protocol, both directions. path: of its requests."""

    path: str
    decode_request: Callable[[Json, Context], Request]
    encode_request: Callable[[Request, Context], tuple[Json, dict[str, str]]]
    decode_answer: Callable[[Json, Context], Answer | Fault | None]
    encode_answer: Callable[[Answer, Context], Json | msgspec.Raw]
    decoder: Callable[[Context], Decoder]
    encoder: Callable[[Context], Encoder]
    decode_fault: Callable[[Json, int], Fault | None]
    encode_fault: Callable[[Fault], tuple[int, bytes]]


CODECS: dict[Name, Codec] = {
    "messages": Codec(
        "/v1/messages",
        messages_decode_request.decode_request,
        messages_encode_request.encode_request,
        messages_response.decode_answer,
        messages_response.encode_answer,
        messages_decode_stream.MessagesDecoder,
        messages_encode_stream.MessagesEncoder,
        errors.decode_error,
        errors.encode_error,
    ),
    "chat": Codec(
        "/v1/chat/completions",
        chat_decode_request.decode_request,
        chat_encode_request.encode_request,
        response.decode_answer,
        response.encode_answer,
        decode_stream.ChatDecoder,
        encode_stream.ChatEncoder,
        openai.decode_error,
        openai.encode_error,
    ),
    "responses": Codec(
        "/v1/responses",
        responses_decode_request.decode_request,
        responses_encode_request.encode_request,
        responses_response.decode_answer,
        responses_response.encode_answer,
        responses_decode_stream.ResponsesDecoder,
        responses_encode_stream.ResponsesEncoder,
        responses_errors.decode_error,
        openai.encode_error,
    ),
}
