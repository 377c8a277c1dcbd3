"""Errors of OpenAI Responses, read and written."""

import msgspec

from router.ir import Fault
from router.wire import openai
from router.wire.errors import overflow, overflow_texts
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


def decode_error(data: Json, status: int) -> Fault | None:
    """The error in a Responses body or event: nested, flat, or within a failed response; None when it holds none."""
    nested = json_values.read_error(data) or json_values.read_error(json_values.get_object(data, "response"))
    if not nested and data.get("type") == "error":
        nested = {name: data[name] for name in ("code", "message", "param") if name in data}
    return openai.decode_error({"error": nested} if nested else data, status)


# Anthropic type -> one of the codes that a failed response may have. An overload stays `server_error`, which Codex
# tries again; it gives up at `server_is_overloaded`.
_FAILURES = {
    "rate_limit_error": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
    "billing_error": "insufficient_quota",
}
#: Codes that Codex reads in a failed response, though they are not among those of the SDKs.
KNOWN_CODES = (overflow.CODE, "insufficient_quota")


def encode_error(fault: Fault, *, streamed: bool = False) -> tuple[int, bytes]:
    """Status and body for a Responses caller. Money that is used up has the status and the code by which OpenAI says
    so: Codex sends a request that is answered by another one again and again. streamed: the body holds the status."""
    if fault.kind != "billing_error":
        return openai.encode_error(fault, streamed=streamed)
    code = "insufficient_quota"
    said = fault.message if fault.code in (None, code) else f"{fault.message} ({fault.code})"
    error: Json = {"message": said, "type": code, "param": fault.param, "code": code}
    if streamed:
        error["status"] = 429
    return 429, msgspec.json.encode({"error": error})


def encode_event_error(fault: Fault) -> Json:
    """The error object of an `error` event."""
    error: Json = msgspec.json.decode(encode_error(fault, streamed=True)[1])["error"]
    return {**error, "code": error["code"] or error["type"]}


def encode_failure(fault: Fault) -> Json:
    """The error object of a failed response. Few codes are allowed there, so the actual one is added to the message."""
    code = fault.code if fault.code in KNOWN_CODES else _FAILURES.get(fault.kind, "server_error")
    own = f" ({fault.code})" if fault.code and fault.code != code else ""
    said = fault.message if fault.overflow is None else overflow_texts.say_to_openai(fault.overflow, fault.message)
    return {"code": code, "message": f"{said}{own}"}
