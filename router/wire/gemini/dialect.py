"""Google's generateContent: error forms, pings, and what the chunks of its streams mean.

A stream is `data: ` lines and blank lines, and nothing else: its clients take a comment, a named event or `[DONE]` for
a broken answer. It has no end mark of its own; the chunk with a finish reason is the last with content.
"""

from typing import cast

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire import dialect
from router.wire.dialect import Failure, Needles, Verdict
from router.wire.gemini import errors
from router.wire.gemini import usage as gemini_usage
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

# A blank line is the one sign of life that all clients read over.
_PING = b"\r\n\r\n"


class Gemini:
    """The dialect of /v1beta/models/MODEL:generateContent, and of errors on all paths of Google's API."""

    name = "gemini"
    title = "Google Gemini"
    needles = Needles(
        ending=(b'"finishReason"', b'"blockReason"', b'"error":', *dialect.ERROR_EVENTS),
        usage=(b'"usageMetadata":{', b'"usageMetadata": {'),
        tools=gemini_usage.count_searches,
    )
    has_terminal = True

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """google.rpc.Status with RetryInfo where the wait is known; the request id is in the headers."""
        return errors.encode_own_error(error)

    def error_events(self, error: RouterError, request_id: str, stream: dialect.Stream) -> bytes:
        """The error as an event and once more by itself."""
        return errors.break_off(self.error_body(error, request_id))

    def ping(self, begun: bool) -> bytes:
        """A blank line."""
        return _PING

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """Content, a finish reason or a blocked prompt commits; chunks with usage alone are preamble."""
        if data is None:
            return Verdict.ERROR if event.name == "error" else Verdict.HOLD
        if data.get("error") or event.name == "error":
            return Verdict.ERROR
        if _is_blocked(data) or any(_commits(one) for one in _list_candidates(data)):
            return Verdict.COMMIT
        return Verdict.HOLD

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """A finish reason, or a prompt that was blocked; an error ends it as failed."""
        if event.name == "error":
            return False
        if data is None:
            return None
        if data.get("error"):
            return False
        candidates = _list_candidates(data)
        if any(one.get("finishReason") for one in candidates):
            return True
        return True if not candidates and _is_blocked(data) else None

    def failure(self, data: Json) -> Failure | None:
        """An `error` in place of candidates."""
        return errors.find_failure(data)

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """Decode a usageMetadata (gemini/usage.py)."""
        return gemini_usage.decode_usage(found, known)

    def is_usage_event(self, data: Json) -> bool:
        """Usage is sent to every caller."""
        return False

    def usage_in(self, data: Json) -> Json:
        """The usageMetadata of the body."""
        return json_values.get_object(data, "usageMetadata")


def _list_candidates(data: Json) -> list[Json]:
    found = data.get("candidates")
    if not isinstance(found, list):
        return []
    return [cast("Json", one) for one in cast("list[object]", found) if isinstance(one, dict)]


def _commits(candidate: Json) -> bool:
    return bool(candidate.get("finishReason") or json_values.get_object(candidate, "content").get("parts"))


def _is_blocked(data: Json) -> bool:
    """True for an answer to a prompt that was blocked, which has no candidates."""
    return bool(json_values.get_object(data, "promptFeedback").get("blockReason"))
