"""OpenAI Chat Completions and the older Completions: error forms, pings, what their events mean."""

import re

import msgspec

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire import dialect
from router.wire.chat import usage as chat_usage
from router.wire.dialect import Failure, Needles, Verdict
from router.wire.openai import encode_own_error
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_PING = b": keep-alive\n\n"
_CONTENT = (
    "content",
    "reasoning_content",
    "reasoning",
    "reasoning_details",
    "refusal",
    "tool_calls",
    "function_call",
    "images",
    "audio",
)


class Chat:
    """The dialect of POST /v1/chat/completions, of /v1/completions, and of errors on all other OpenAI paths."""

    name = "chat"
    title = "OpenAI Chat"
    needles = Needles(
        ending=(
            b'"finish_reason":"',
            b'"finish_reason": "',
            b"data: [DONE]",
            b"data:[DONE]",
            b'"error":',
            *dialect.ERROR_EVENTS,
        ),
        counts=re.compile(rb'"(?:prompt|completion)_tokens"\s*:\s*[0-9]'),
        alone=(b'"choices":[]', b'"choices": []'),
    )
    has_terminal = True

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """`{error: {message, type, param, code}}`; the request id is in the headers."""
        return msgspec.json.encode({"error": encode_own_error(error)})

    def error_events(self, error: RouterError, request_id: str, stream: dialect.Stream) -> bytes:
        """One chunk with `error`; no finish_reason and no [DONE] follow."""
        return sse.frame(self.error_body(error, request_id))

    def ping(self, begun: bool) -> bytes:
        """A comment: clients ignore it, while a JSON event that they do not know breaks some."""
        return _PING

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """Content, reasoning, refusal, tool calls, text or a finish reason commit; role chunks are preamble."""
        if event.is_done:
            return Verdict.COMMIT
        if data is None:
            return Verdict.ERROR if event.name == "error" else Verdict.HOLD
        if data.get("error") or event.name == "error":
            return Verdict.ERROR
        return Verdict.COMMIT if any(_commits(choice) for choice in _read_choices(data)) else Verdict.HOLD

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """A finish reason or [DONE]; an error wins over a finish reason in the same chunk (OpenRouter sends both)."""
        if event.is_done:
            return True
        if event.name == "error":
            return False
        if data is None:
            return None
        if data.get("error"):
            return False
        return True if any(choice.get("finish_reason") for choice in _read_choices(data)) else None

    def failure(self, data: Json) -> Failure | None:
        """An `error` object, or an error text, beside or in place of choices (OpenRouter, xAI, gateways)."""
        found = data.get("error")
        if not found:
            return None
        error: Json = found if isinstance(found, dict) else {"message": str(found)}  # pyright: ignore[reportUnknownVariableType]
        status = dialect.error_status(error)
        error = {
            **error,
            "message": str(error.get("message") or "The upstream reported an error."),
            "type": error.get("type") or dialect.openai_kind(status),
        }
        return Failure(status, msgspec.json.encode({"error": error}))

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """Decode a usage object (chat/usage.py)."""
        return chat_usage.decode_usage(found, known, profile)

    def is_usage_event(self, data: Json) -> bool:
        """A chunk without any choice."""
        return data.get("choices") == [] and bool(data.get("usage"))

    def usage_in(self, data: Json) -> Json:
        """Find the usage object (chat/usage.py)."""
        return chat_usage.find_usage(data, [*_read_choices(data), {}][0])


def _read_choices(data: Json) -> list[Json]:
    choices = data.get("choices")
    if not isinstance(choices, list):
        return []
    return [choice for choice in choices if isinstance(choice, dict)]  # pyright: ignore[reportUnknownVariableType]


def _commits(choice: Json) -> bool:
    delta = json_values.get_object(choice, "delta")
    return bool(choice.get("finish_reason") or choice.get("text") or any(delta.get(name) for name in _CONTENT))
