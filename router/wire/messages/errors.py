"""Errors of Anthropic Messages, read and written."""

import msgspec

from router.ir import Fault
from router.wire import dialect
from router.wire.raw import json_values
from router.wire.raw.json_values import Json

_TOO_LONG = "prompt is too long"


def decode_error(data: Json, status: int) -> Fault | None:
    """The error in a Messages body or event; None when it holds none. status: of the answer, 0 inside a stream."""
    error = json_values.get_object(data, "error")
    if not error and data.get("type") != "error":
        return None
    kind = error.get("type")
    said = dialect.read_message(error, data)
    # Some servers answer 4xx as an api_error, which clients retry: the status decides.
    contradicts_status = kind == "api_error" and 400 <= status < 500
    if not isinstance(kind, str) or kind not in dialect.ANTHROPIC_KINDS or contradicts_status:
        kind = dialect.anthropic_kind(status or dialect.error_status(error))
    code = "context_length_exceeded" if said.startswith(_TOO_LONG) else None
    return Fault(status or dialect.error_status({"type": kind}), kind, said, code)


def encode_error(fault: Fault, request_id: str = "") -> tuple[int, bytes]:
    """Status and body for a Messages caller."""
    said = fault.message
    if fault.code == "context_length_exceeded" and not said.startswith(_TOO_LONG):
        # Clients shorten their conversation when they read these words.
        said = f"{_TOO_LONG}: {said}"
    body: Json = {"type": "error", "error": {"type": fault.kind, "message": said}}
    if request_id:
        body["request_id"] = request_id
    return fault.status, msgspec.json.encode(body)
