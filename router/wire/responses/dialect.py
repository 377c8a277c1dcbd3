"""OpenAI Responses: error forms, pings, what its events mean."""

import msgspec

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire import dialect, openai
from router.wire.costs.extras import count_calls
from router.wire.dialect import Failure, Needles, Verdict
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.responses import usage as responses_usage
from router.wire.responses.errors import KNOWN_CODES

_PREAMBLE = ("response.created", "response.in_progress", "response.queued", "keepalive")
_ENDINGS = {"response.completed": True, "response.incomplete": True, "response.failed": False, "error": False}
_CODES = {429: "rate_limit_exceeded"}


class Responses:
    """The dialect of POST /v1/responses."""

    name = "responses"
    title = "OpenAI Responses"
    needles = Needles(
        ending=(
            *(b'"response.completed"', b'"response.incomplete"', b'"response.failed"', b'"error"'),
            *dialect.ERROR_EVENTS,
        ),
        tools=count_calls,
    )
    has_terminal = True

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """`{error: {message, type, param, code}}`."""
        return msgspec.json.encode({"error": openai.encode_own_error(error)})

    def error_events(self, error: RouterError, request_id: str, stream: dialect.Stream) -> bytes:
        """`error`, then `response.failed` with the id the stream began with, both with a sequence number.

        The error stands flat and nested: the typed form is flat, and the Python SDK raises only on the nested one. The
        failed response repeats what the stream announced of it, and what was said so far where that is known.
        """
        code = error.code if error.code in KNOWN_CODES else _CODES.get(error.status, "server_error")
        fault = {"type": dialect.openai_kind(error.status), "code": code, "message": error.message, "param": None}
        first: Json = {
            "type": "error",
            "sequence_number": stream.sequence + 1,
            "code": code,
            "message": error.message,
            "param": None,
            "error": fault,
        }
        second: Json = {
            "type": "response.failed",
            "sequence_number": stream.sequence + 2,
            "response": {
                "object": "response",
                "created_at": stream.created,
                "incomplete_details": None,
                "instructions": None,
                "metadata": {},
                "model": stream.model,
                "output": [],
                "parallel_tool_calls": True,
                "temperature": None,
                "tool_choice": "auto",
                "tools": [],
                "top_p": None,
                "usage": None,
                **stream.collect_response(),
                "id": stream.response_id or request_id.replace("req_", "resp_"),
                "status": "failed",
                "error": {"code": code, "message": error.message},
            },
        }
        return sse.frame(msgspec.json.encode(first), "error") + sse.frame(
            msgspec.json.encode(second), "response.failed"
        )

    def ping(self, begun: bool) -> bytes:
        """An event once the response was announced (Codex's idle timer ignores comments), before that a comment."""
        return sse.frame(b'{"type":"keepalive"}', "keepalive") if begun else b": keep-alive\n\n"

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """Created, in_progress and queued are preamble; a failure is an error; the first item or the end commits."""
        kind = "error" if event.name == "error" else (data or {}).get("type") or event.name
        if kind in ("error", "response.failed"):
            return Verdict.ERROR
        if data is None or kind in _PREAMBLE:
            return Verdict.HOLD
        return Verdict.COMMIT

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """response.completed and incomplete end it well; response.failed and error do not."""
        if event.name == "error":
            return False
        return _ENDINGS.get(str(data.get("type") or event.name)) if data else None

    def failure(self, data: Json) -> Failure | None:
        """The error of an `error` event (nested or flat), of a failed response, or of a plain error body."""
        error = json_values.read_error(data) or json_values.read_error(json_values.get_object(data, "response"))
        if not error and data.get("type") == "error":
            error = {name: data[name] for name in ("code", "message", "param") if name in data}
        if not error:
            return None
        status = dialect.error_status(error)
        body = {
            "message": str(error.get("message") or "The upstream reported an error."),
            "type": error.get("type") or dialect.openai_kind(status),
            "param": error.get("param"),
            "code": error.get("code"),
        }
        return Failure(status, msgspec.json.encode({"error": body}))

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """Decode a usage object (responses/usage.py)."""
        return responses_usage.decode_usage(found, known, profile)

    def is_usage_event(self, data: Json) -> bool:
        """Usage stands beside the end here."""
        return False

    def usage_in(self, data: Json) -> Json:
        """The usage member of the body."""
        return json_values.get_object(data, "usage")
