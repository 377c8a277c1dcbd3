"""Errors of an upstream in the caller's protocol (translation.md 9)."""

import msgspec

from router.ir import Fault
from router.wire import base
from router.wire.base import Json

_TOO_LONG = "prompt is too long"
# Anthropic type -> (status, OpenAI type, OpenAI code) for callers of the OpenAI protocols.
_FOR_OPENAI: dict[str, tuple[int, str, str | None]] = {
    "invalid_request_error": (400, "invalid_request_error", None),
    "authentication_error": (401, "invalid_request_error", "invalid_api_key"),
    "billing_error": (402, "insufficient_quota", "insufficient_quota"),
    "permission_error": (403, "invalid_request_error", "permission_denied"),
    "not_found_error": (404, "invalid_request_error", "model_not_found"),
    "conflict_error": (409, "invalid_request_error", None),
    "request_too_large": (413, "invalid_request_error", "request_too_large"),
    "rate_limit_error": (429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": (500, "server_error", None),
    "timeout_error": (504, "server_error", "timeout"),
    "overloaded_error": (503, "server_error", "overloaded"),
}
# Status of an OpenAI-speaking upstream -> Anthropic status.
_FOR_ANTHROPIC = {422: 400, 451: 403, 408: 504, 524: 504, 503: 529, 498: 529}
_STATUS = {400: 400, 401: 401, 402: 402, 403: 403, 404: 404, 409: 409, 413: 413, 429: 429, 504: 504, 529: 529}


def of_messages(data: Json, status: int) -> Fault | None:
    """The error in a Messages body or event; None when it holds none. status: of the answer, 0 inside a stream."""
    error = base.object_at(data, "error")
    if not error and data.get("type") != "error":
        return None
    kind = error.get("type")
    said = _said(error, data)
    blames_itself = kind == "api_error" and 400 <= status < 500  # the status says whether to send it again
    if not isinstance(kind, str) or kind not in _FOR_OPENAI or blames_itself:
        kind = base.anthropic_kind(status or base.error_status(error))
    code = "context_length_exceeded" if said.startswith(_TOO_LONG) else None
    return Fault(status or base.error_status({"type": kind}), kind, said, code)


def of_chat(data: Json, status: int) -> Fault | None:
    """The error in an OpenAI body or chunk; None when it holds none. status: of the answer, 0 inside a stream."""
    found = data.get("error")
    if not found:
        return None
    error: Json = found if isinstance(found, dict) else {"message": str(found)}  # pyright: ignore[reportUnknownVariableType]
    code = error.get("code") if isinstance(error.get("code"), str) else None
    param = error.get("param") if isinstance(error.get("param"), str) else None
    said = _said(error, data)
    status = anthropic_status(status or base.error_status(error))
    if code == "insufficient_quota":
        status = 402
    kind = base.anthropic_kind(status)
    return Fault(status, kind, said, code, param)  # pyright: ignore[reportArgumentType]


def anthropic_status(status: int) -> int:
    """The status that Messages callers know for a status of an OpenAI-speaking upstream."""
    status = _FOR_ANTHROPIC.get(status, status)
    return _STATUS.get(status, 400 if 400 <= status < 500 else 500)


def _said(error: Json, data: Json) -> str:
    said = error.get("message") or data.get("message")
    return said if isinstance(said, str) and said else "The upstream reported an error."


def as_messages(fault: Fault, request_id: str = "") -> tuple[int, bytes]:
    """Status and body for a Messages caller."""
    said = fault.message
    if fault.code == "context_length_exceeded" and not said.startswith(_TOO_LONG):
        # Clients shorten their conversation when they read these words.
        said = f"{_TOO_LONG}: {said}"
    body: Json = {"type": "error", "error": {"type": fault.kind, "message": said}}
    if request_id:
        body["request_id"] = request_id
    return fault.status, msgspec.json.encode(body)


def as_chat(fault: Fault, *, streamed: bool = False) -> tuple[int, bytes]:
    """Status and body for a Chat caller. streamed: the status stands in the body too."""
    status, kind, code = _FOR_OPENAI.get(fault.kind, (500, "server_error", None))
    if kind == "invalid_request_error" and fault.kind == "not_found_error" and "model" not in fault.message.lower():
        code = None
    error: Json = {"message": fault.message, "type": kind, "param": fault.param, "code": fault.code or code}
    if streamed:
        error["status"] = status
    return status, msgspec.json.encode({"error": error})


def of_responses(data: Json, status: int) -> Fault | None:
    """The error in a Responses body or event: nested, flat, or within a failed response; None when it holds none."""
    nested = base.object_at(data, "error") or base.object_at(base.object_at(data, "response"), "error")
    if not nested and data.get("type") == "error":
        nested = {name: data[name] for name in ("code", "message", "param") if name in data}
    return of_chat({"error": nested}, status) if nested else of_chat(data, status)


# What a failed response may give as its code.
_FAILURES = {"rate_limit_error": "rate_limit_exceeded", "invalid_request_error": "invalid_prompt"}


def responses_error(fault: Fault) -> Json:
    """The error object of an `error` event."""
    error: Json = msgspec.json.decode(as_chat(fault, streamed=True)[1])["error"]
    return {**error, "code": error["code"] or error["type"]}


def responses_failure(fault: Fault) -> Json:
    """The error object of a failed response; its code is one of few, so that the true one stands in the message."""
    code = _FAILURES.get(fault.kind, "server_error")
    own = f" ({fault.code})" if fault.code and fault.code != code else ""
    return {"code": code, "message": f"{fault.message}{own}"}
