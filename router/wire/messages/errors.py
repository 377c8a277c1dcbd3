"""Errors of Anthropic Messages, read and written."""

import re

import msgspec

from router.ir import Fault
from router.wire import dialect
from router.wire.errors import overflow, overflow_texts
from router.wire.errors.told_status import correct_status
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

# What a 404 of this protocol can be about beside the model.
_OTHER_THINGS = re.compile(r"\b(?:path|url|endpoint|route|page|file|container|batch|skill|resource|not found)\b", re.I)


def decode_error(data: Json, status: int) -> Fault | None:
    """The error in a Messages body or event; None when it holds none. status: of the answer, 0 inside a stream."""
    error = json_values.read_error(data)
    if not error and data.get("type") != "error":
        return None
    said = dialect.read_message(error, data)
    told, status = status, correct_status(status, error, said)
    kind = error.get("type") if status == told else None
    # Some servers answer 4xx as an api_error, which clients retry: the status decides.
    contradicts_status = kind == "api_error" and 400 <= status < 500
    if not isinstance(kind, str) or kind not in dialect.ANTHROPIC_KINDS or contradicts_status:
        kind = dialect.anthropic_kind(status or dialect.error_status(error))
    found_overflow = overflow.read_overflow(error, said, status=status)
    if found_overflow is not None:
        return Fault(400, "invalid_request_error", said, overflow.CODE, overflow=found_overflow)
    status = status or dialect.error_status({"type": kind})
    return Fault(status, kind, said, "model_not_found" if _misses_model(error, said) else None)


def has_own_form(data: Json) -> bool:
    """True for an error body in the form of Messages, with a type and a message."""
    error = json_values.get_object(data, "error")
    return data.get("type") == "error" and all(isinstance(error.get(name), str) for name in ("type", "message"))


def _misses_model(error: Json, said: str) -> bool:
    """True for a `not_found_error` about the model: requests for text name nothing else that can be missing, unless the
    message says what."""
    if error.get("type") != "not_found_error":
        return False
    return "model" in said[: dialect.QUOTE_LIMIT].lower() or not _OTHER_THINGS.search(said[: dialect.QUOTE_LIMIT])


def encode_error(fault: Fault, request_id: str = "") -> tuple[int, bytes]:
    """Status and body for a Messages caller."""
    said = fault.message if fault.overflow is None else overflow_texts.say_to_anthropic(fault.overflow, fault.message)
    body: Json = {"type": "error", "error": {"type": fault.kind, "message": said}}
    if request_id:
        body["request_id"] = request_id
    return fault.status, msgspec.json.encode(body)
