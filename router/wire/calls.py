"""Which protocol a path speaks, and what it may do there."""

import re
from typing import NamedTuple
from urllib.parse import unquote

from router.ir import Protocol
from router.wire.dialect import Dialect
from router.wire.protocols import CHAT, MESSAGES, PLAIN, RESPONSES


class Call(NamedTuple):
    """What a path under /v1 is.

    path: canonical form, beginning with /v1. dialect: forms of errors and events. protocol: what a backend must
    speak, None when any OpenAI-speaking one will do. generates: a model answers, so an error inside a 200 is one.
    """

    path: str
    dialect: Dialect
    protocol: Protocol | None
    generates: bool


_CALLS: dict[str, tuple[Dialect, Protocol | None, bool]] = {
    "/v1/messages": (MESSAGES, "messages", True),
    "/v1/messages/count_tokens": (MESSAGES, "messages", False),
    "/v1/chat/completions": (CHAT, "chat", True),
    "/v1/responses": (RESPONSES, "responses", True),
    "/v1/completions": (CHAT, None, True),
    "/v1/embeddings": (PLAIN, None, True),
}

# Tools double the prefix when their base URL ends in /v1, or leave it out when it does not.
_PREFIX = re.compile(r"^(?:/v1)*(?=/|$)")
_BARE = re.compile(
    r"^/(?:messages|chat|responses|completions|embeddings|models|files|batches|images|audio|moderations|uploads"
    r"|vector_stores|conversations|fine_tuning|rerank|containers|evals|skills|videos|assistants|threads)(?:/|$)"
)
# Closed unless passthrough = all: what manages an organisation, its keys and its bill (product.md 9).
_CLOSED = re.compile(
    r"^/v1/(?:organizations?|admin|projects?|api_?keys?|keys?|auth|users?|billing|credits?|usage|dashboard|account"
    r"|invites?|workspaces?|limits?)(?:/|$)",
    re.IGNORECASE,
)

_SPENDS = re.compile(r"^/v1/(?:images|audio|videos|batches|messages/batches|fine_tuning|rerank|realtime)(?:/|$)")


def canonical(path: str) -> str | None:
    """The path with one /v1 in front; None when it is no path of an LLM's API."""
    if path.startswith("/v1/"):
        return "/v1" + _PREFIX.sub("", path) if path.startswith("/v1/v1/") else path
    return "/v1" + path if _BARE.match(path) else None


def closed(path: str, method: str) -> bool:
    """True for a canonical path that needs passthrough = all, however it is percent-encoded."""
    path = re.sub("/+", "/", unquote(path))
    return _CLOSED.match(path) is not None or (method == "DELETE" and not path.startswith("/v1/responses/"))


def spends(path: str, method: str) -> bool:
    """True for a canonical path whose POST costs money that no answer tells of: pictures, sound, batches, training."""
    return method == "POST" and _SPENDS.match(path) is not None


def call(path: str, *, anthropic: bool) -> Call:
    """The call a canonical path is; anthropic: the caller sent an anthropic-version header."""
    known = _CALLS.get(path)
    if known is not None:
        return Call(path, *known)
    if path.startswith("/v1/messages/"):
        return Call(path, MESSAGES, "messages", False)
    if path.startswith("/v1/responses/"):
        return Call(path, RESPONSES, "responses", False)
    if path.startswith("/v1/chat/"):
        return Call(path, PLAIN, "chat", False)
    return Call(path, MESSAGES, "messages", False) if anthropic else Call(path, PLAIN, None, False)


def by_content(found: Call, *, has_input: bool, has_messages: bool) -> Call:
    """A Chat call whose body is a Responses request is one (product.md 9)."""
    if found.path == "/v1/chat/completions" and has_input and not has_messages:
        return call("/v1/responses", anthropic=False)
    return found
