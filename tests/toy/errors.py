"""Errors of the toy protocol, read and written."""

import msgspec

from router.ir import Fault
from router.wire.raw.json import json_values

#: Anthropic type -> (status, word).
WORDS = {
    "invalid_request_error": (400, "what"),
    "authentication_error": (401, "who"),
    "billing_error": (402, "pay"),
    "permission_error": (403, "no"),
    "not_found_error": (404, "where"),
    "conflict_error": (409, "twice"),
    "request_too_large": (413, "big"),
    "rate_limit_error": (429, "slow_down"),
    "api_error": (500, "oops"),
    "timeout_error": (504, "late"),
    "overloaded_error": (503, "busy"),
}
_KINDS = {word: (status, kind) for kind, (status, word) in WORDS.items()}


def word_of(status):
    """The word for a status."""
    return next((word for found, word in WORDS.values() if found == status), "what" if status < 500 else "oops")


def status_of(trouble):
    """The status that an error within a 200 stands for."""
    return _KINDS.get(str(trouble.get("word")), (500, ""))[0]


def trouble(status, message):
    """The body of an error."""
    return msgspec.json.encode({"trouble": {"word": word_of(status), "why": message}})


def decode_error(data, status):
    """The error in a body or an event; None when it holds none."""
    found = json_values.get_object(data, "trouble")
    if not found:
        return None
    own, kind = _KINDS.get(str(found.get("word")), (500, "api_error"))
    return Fault(status or own, kind, str(found.get("why") or "It did not say why."))


def encode_error(fault):
    """Status and body for a caller."""
    status, word = WORDS.get(fault.kind, (500, "oops"))
    return status, msgspec.json.encode({"trouble": {"word": word, "why": fault.message}})
