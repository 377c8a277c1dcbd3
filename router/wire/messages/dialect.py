"""Anthropic Messages: error forms, pings, and what its events mean."""

import msgspec

from router.backends.profile import Profile
from router.errors import RouterError
from router.ir import Usage
from router.wire import dialect
from router.wire.dialect import Failure, Needles, Verdict
from router.wire.messages import usage as messages_usage
from router.wire.raw import sse
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_PING = sse.frame(b'{"type": "ping"}', "ping")


class Messages:
    """The dialect of POST /v1/messages."""

    name = "messages"
    title = "Anthropic Messages"
    needles = Needles(
        ending=(b'"message_stop"', b'"error"', *dialect.ERROR_EVENTS),
    )
    has_terminal = True

    def error_body(self, error: RouterError, request_id: str) -> bytes:
        """`{type: error, error: {type, message}, request_id}`."""
        said: Json = {"type": error.kind, "message": error.message}
        if error.details is not None:
            said["details"] = error.details
        body: Json = {"type": "error", "error": said}
        if request_id:
            body["request_id"] = request_id
        return msgspec.json.encode(body)

    def error_events(self, error: RouterError, request_id: str, stream: dialect.Stream) -> bytes:
        """One `error` event; open blocks stay open, no message_stop follows."""
        return sse.frame(self.error_body(error, request_id), "error")

    def ping(self, begun: bool) -> bytes:
        """The protocol's own ping event; an event that clients do not know breaks some."""
        return _PING

    def judge(self, event: sse.Event, data: Json | None) -> Verdict:
        """A content block or the end commits; message_start and ping are preamble."""
        kind = data.get("type") if data else None
        if kind == "error" or event.name == "error":
            return Verdict.ERROR
        if data is None or kind in ("message_start", "ping"):
            return Verdict.HOLD
        return Verdict.COMMIT

    def ending(self, event: sse.Event, data: Json | None) -> bool | None:
        """message_stop, or error."""
        if event.name == "error":
            return False
        return {"message_stop": True, "error": False}.get(str(data.get("type"))) if data else None

    def failure(self, data: Json) -> Failure | None:
        """`type: error`, or an `error` object as some compatible servers send it."""
        error = json_values.read_error(data)
        if data.get("type") != "error" and not error:
            return None
        if data.get("type") != "error" or not isinstance(error.get("type"), str):
            status = dialect.error_status(error)
            kind = error.get("type") if isinstance(error.get("type"), str) else dialect.anthropic_kind(status)
            message = str(error.get("message") or data.get("message") or "The upstream reported an error.")
            data = {"type": "error", "error": {**error, "type": kind, "message": message}}
            return Failure(status, msgspec.json.encode(data))
        return Failure(dialect.error_status(error), msgspec.json.encode(data))

    def usage(self, found: Json, known: Usage, profile: Profile) -> Usage:
        """Decode a usage object (messages/usage.py)."""
        return messages_usage.decode_usage(found, known, profile)

    def is_usage_event(self, data: Json) -> bool:
        """Usage stands beside the end here."""
        return False

    def usage_in(self, data: Json) -> Json:
        """The usage member of the body."""
        return json_values.get_object(data, "usage")
