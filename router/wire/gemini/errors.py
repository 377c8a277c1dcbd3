"""Errors of Google's API, read and written: google.rpc.Status as JSON, with its details.

    {"error": {"code": 429, "message": text, "status": "RESOURCE_EXHAUSTED", "details": [{"@type": …}, …]}}

Google's answers hold no header of a limit and no retry-after: RetryInfo in the details tells the wait, and its clients
read it there alone. A key that is not valid is a 400 with the reason API_KEY_INVALID. Sources: google/rpc/status.proto,
code.proto and error_details.proto of googleapis.
"""

from typing import cast

import msgspec

from router.errors import RouterError
from router.ir import Fault
from router.wire import dialect
from router.wire.errors import overflow, overflow_texts
from router.wire.errors.told_status import correct_status
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

#: Words of an error with the status 400, in lower case, that mean that the key, or all of its account, is refused.
AUTH_WORDS = (
    *(b"api key not valid", b"api key expired", b"api_key_invalid"),
    *(b"user location is not supported", b"enable billing on your project"),
)
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
# google.rpc.Code by HTTP status, where the two differ in more than words.
_WORDS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}
# The neutral form has Anthropic's statuses and types.
_NEUTRAL = {408: 504, 422: 400, 451: 403, 498: 529, 499: 500, 503: 529, 524: 504}
_STATUSES = frozenset((400, 401, 402, 403, 404, 409, 413, 429, 504, 529))
# Google knows no 529.
_SENT = {529: 503}
_REASONS = {"API_KEY_INVALID": 401}
_TOO_LARGE = "request payload size exceeds the limit"


def name_status(status: int) -> str:
    """Google's name for an HTTP status."""
    return _WORDS.get(status, _WORDS[400 if status < 500 else 500])


def decode_error(data: Json, status: int) -> Fault | None:
    """The error in a body or a chunk of a stream; None when it holds none. status: of the answer, 0 inside a stream."""
    found = data.get("error")
    if not found:
        return None
    error: Json = cast("Json", found) if isinstance(found, dict) else {"message": str(found)}
    message = dialect.read_message(error, data)
    status = status or dialect.error_status(error)
    too_long = overflow.read_overflow(error, message, status=status)
    if too_long is not None:
        return Fault(400, "invalid_request_error", message, overflow.CODE, overflow=too_long)
    status = _find_meant(error, message, correct_status(status, error, message))
    status = _NEUTRAL.get(status, status)
    if status not in _STATUSES:
        status = 400 if 400 <= status < 500 else 500
    missing = status == 404 and "model" in message[: dialect.QUOTE_LIMIT].lower()
    return Fault(status, dialect.anthropic_kind(status), message, "model_not_found" if missing else None)


def _find_meant(error: Json, message: str, status: int) -> int:
    """The status that an error means: Google answers 400 to wrong keys, to callers of some countries, and to requests
    that are too large."""
    if status != 400:
        return status
    for detail in _list_details(error):
        reason = detail.get("reason")
        if isinstance(reason, str) and reason in _REASONS:
            return _REASONS[reason]
    said = message[: dialect.QUOTE_LIMIT].lower()
    if "api key not valid" in said or "api key expired" in said:
        return 401
    if _TOO_LARGE in said:
        return 413
    return 403 if error.get("status") == "FAILED_PRECONDITION" else 400


def _list_details(error: Json) -> list[Json]:
    details = error.get("details")
    if not isinstance(details, list):
        return []
    return [cast("Json", one) for one in cast("list[object]", details) if isinstance(one, dict)]


def encode_error(fault: Fault) -> tuple[int, bytes]:
    """Status and body for a caller of Google's API."""
    status = _SENT.get(fault.status, fault.status)
    said = fault.message if fault.overflow is None else overflow_texts.say_to_google(fault.overflow, fault.message)
    return status, encode_status(status, said)


def encode_own_error(error: RouterError) -> bytes:
    """The body of an error that fairlead raises itself."""
    return encode_status(error.status, error.message, error.retry_after)


def encode_status(status: int, message: str, wait: int | None = None) -> bytes:
    """The body of an error. wait: seconds after which to ask again, None where that is not known."""
    status = _SENT.get(status, status)
    error: Json = {"code": status, "message": message, "status": name_status(status)}
    if wait is not None:
        error["details"] = [_make_retry_info(wait)]
    return msgspec.json.encode({"error": error})


def tell_wait(body: bytes, seconds: int) -> bytes:
    """An error's body with the wait in it; one that tells a wait already, and what is no error, stays as it is."""
    data = json_values.decode_object(body)
    error = json_values.get_object(data or {}, "error")
    details = _list_details(error)
    if data is None or not error or any(one.get("@type") == _RETRY_INFO for one in details):
        return body
    error = {**error, "details": [*details, _make_retry_info(seconds)]}
    return msgspec.json.encode({**data, "error": error})


def _make_retry_info(seconds: int) -> Json:
    return {"@type": _RETRY_INFO, "retryDelay": f"{seconds}s"}


def break_off(body: bytes) -> bytes:
    """What ends a stream that broke: the error as an event, and once more on a line of its own. Of Google's clients
    some read errors in events alone and others there alone; both need the connection to break behind it."""
    return b"data: " + body + b"\r\n\r\n" + body + b"\r\n\r\n"


def find_failure(data: Json) -> dialect.Failure | None:
    """The error inside a 200, with the status that it should have had."""
    found = data.get("error")
    if not found:
        return None
    error: Json = cast("Json", found) if isinstance(found, dict) else {"message": str(found)}
    status = dialect.error_status(error)
    if isinstance(error.get("message"), str) and isinstance(error.get("status"), str):
        return dialect.Failure(status, msgspec.json.encode({"error": error}))
    said = dialect.read_message(error, data)
    return dialect.Failure(status, msgspec.json.encode({"error": {**error, "message": said, "code": status}}))


def has_own_form(data: Json) -> bool:
    """True for an error body that is a google.rpc.Status with its code, message and status."""
    error = json_values.get_object(data, "error")
    told = isinstance(error.get("message"), str) and isinstance(error.get("status"), str)
    return told and type(error.get("code")) is int


def is_overflow(error: Json) -> bool:
    """True for an error object whose words clients of Google's API know."""
    message = error.get("message")
    return isinstance(message, str) and overflow_texts.GOOGLE in message[: overflow.READ_LIMIT].lower()
