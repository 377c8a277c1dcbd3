"""The demo's errors, and their two encodings."""

import msgspec

from router.errors import BadRequest, NotFound, RouterError, Unauthenticated, Unavailable

# Anthropic's error type to OpenAI's; all others become invalid_request_error.
_OPENAI_TYPES = {
    "api_error": "server_error",
    "overloaded_error": "server_error",
    "timeout_error": "server_error",
    "rate_limit_error": "rate_limit_error",
}


_RPC = "type.googleapis.com/google.rpc"
_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    405: "INVALID_ARGUMENT",
    413: "INVALID_ARGUMENT",
    415: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


class RateLimited(RouterError):
    """429: the answer of demo-429."""

    status = 429
    kind = "rate_limit_error"
    code = "rate_limit_exceeded"


class ThreadsUnsupported(BadRequest):
    """400 that makes the Anthropic SDK's tool runner send the whole conversation instead of its last turn."""


def refused(model: str) -> RouterError | None:
    """The error that a model always answers with, None for the others."""
    if model == "demo-429":
        return RateLimited("demo-429 is always over its limit.", retry_after=1)
    if model == "demo-500":
        return RouterError("demo-500 always fails.")
    if model == "demo-529":
        return Unavailable("demo-529 is always overloaded.")
    return None


def anthropic_shape(error: RouterError, request_id: str) -> tuple[int, bytes]:
    """Status and body of the error on the Messages API."""
    detail: dict[str, object] = {"type": error.kind, "message": error.message}
    if isinstance(error, ThreadsUnsupported):
        detail["details"] = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    status = 529 if isinstance(error, Unavailable) else error.status
    return status, msgspec.json.encode({"type": "error", "error": detail, "request_id": request_id})


def openai_shape(error: RouterError) -> tuple[int, bytes]:
    """Status and body of the error on OpenAI's APIs."""
    detail = {
        "message": error.message,
        "type": _OPENAI_TYPES.get(error.kind, "invalid_request_error"),
        "param": None,
        "code": error.code,
    }
    return error.status, msgspec.json.encode({"error": detail})


def google_shape(error: RouterError) -> tuple[int, bytes]:
    """Status and body of the error on Google's API, which tells a wait in the body and has no status for overload."""
    status = 400 if isinstance(error, Unauthenticated) else error.status
    detail: dict[str, object] = {
        "code": status,
        "message": error.message,
        "status": _GOOGLE_STATUS.get(status, "INTERNAL"),
    }
    if isinstance(error, Unauthenticated):
        detail["details"] = [{"@type": f"{_RPC}.ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
    elif error.retry_after is not None:
        detail["details"] = [{"@type": f"{_RPC}.RetryInfo", "retryDelay": f"{error.retry_after}s"}]
    return status, msgspec.json.encode({"error": detail})


def no_such_path(method: str, path: str) -> NotFound:
    """404 for a path the demo does not have."""
    return NotFound(f"The demo backend has no {method} {path[:200]}.")
