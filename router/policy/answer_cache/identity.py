"""What makes two requests equal, so that one may be given the answer of the other, as bytes to be hashed.

What only says who asks, or where a provider's own cache may begin, does not count. Everything else does, also what is
not known: at worst an answer is not found.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from router.policy.answer_cache.eligibility import EMBEDDED, Kind
from router.policy.answer_cache.exact_json import write_canonical
from router.policy.answer_cache.repeated import UNCHANGING

Json = Mapping[str, Any]

# Fields at the top of a body that do not change the answer. The name of the model is among the place.
_MARKS = ("cache_control", "prompt_cache_breakpoint")
_LEFT_OUT = frozenset(("model", "stream", "client_metadata", *_MARKS, *UNCHANGING))
# Fields that hold blocks, which may have marks for a provider's cache.
_MARKED = ("system", "messages", "input", "tools")
# Headers that say who asks, how the bytes travel, or what this proxy alone reads.
_NEUTRAL = frozenset(
    (
        *("host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "via"),
        *("content-length", "content-type", "content-encoding", "accept", "accept-encoding", "accept-language"),
        *("user-agent", "authorization", "x-api-key", "api-key", "cookie", "proxy-authorization", "x-goog-api-key"),
        *("x-goog-api-client", "x-gemini-api-privileged-user-id", "x-server-timeout"),
        *(
            "date",
            "cache-control",
            "pragma",
            "origin",
            "referer",
            "http-referer",
            "x-title",
            "x-app",
            "priority",
            "dnt",
        ),
        *("x-request-id", "x-client-request-id", "x-correlation-id", "idempotency-key", "x-idempotency-key"),
        *("traceparent", "tracestate", "baggage", "b3", "x-cloud-trace-context", "forwarded", "x-real-ip"),
        *("session-id", "session_id", "thread-id", "x-session-id", "x-session-affinity", "originator", "version"),
        *("anthropic-dangerous-direct-browser-access", "openai-organization", "openai-project", "chatgpt-account-id"),
    )
)
_NEUTRAL_BEGINNINGS = (
    *("x-fairlead-", "x-stainless-", "x-forwarded-", "x-claude-code-", "x-codex-", "sec-", "x-b3-"),
    *("x-anthropic-billing-", "x-datadog-"),
)
# Headers whose value is a set of names.
_SETS = ("anthropic-beta", "openai-beta")


def describe_request(
    kind: Kind,
    body: Json,
    headers: Iterable[tuple[bytes, bytes]],
    *,
    path: str,
    query: str,
    stream: bool,
    place: Iterable[str],
) -> bytes:
    """The bytes that equal requests have in common. body: read exactly. headers: name in lower case, and value. place:
    whose request it is, and all of the configuration that its answer hangs on. Raises NotExact."""
    meaning = {
        "kind": kind,
        "path": path,
        "query": query,
        "stream": stream,
        "place": list(place),
        "headers": _list_headers(headers),
        "body": _strip_body(kind, body, stream=stream),
    }
    return write_canonical(meaning)


def is_neutral(path: str) -> bool:
    """True for a field, by its dotted path, that does not change an answer: what is lost of it is no loss here."""
    parts = path.split(".")
    return parts[0] in _LEFT_OUT or parts[-1] in _MARKS


def _strip_body(kind: Kind, body: Json, *, stream: bool) -> dict[str, Any]:
    found = {name: value for name, value in body.items() if name not in _LEFT_OUT}
    if not stream:
        found.pop("stream_options", None)
    if kind != EMBEDDED:
        for name in _MARKED:
            if name in found:
                found[name] = _strip_marks(found[name])
    return found


def _strip_marks(value: Any) -> Any:
    """A list of messages, blocks or tools without marks; what stands deeper than content, such as the arguments of a
    call or the schema of a tool, is the caller's own."""
    if isinstance(value, list):
        return [_strip_marks(one) for one in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = {name: one for name, one in cast("dict[str, Any]", value).items() if name not in _MARKS}
    if isinstance(found.get("content"), list):
        found["content"] = _strip_marks(found["content"])
    return found


def _list_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    """Each header that counts, sorted; of one that is a set of names, all that its lines name."""
    found: list[list[str]] = []
    sets: dict[str, set[str]] = {}
    for name, value in headers:
        known, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
        if known in _NEUTRAL or known.startswith(_NEUTRAL_BEGINNINGS):
            continue
        if known in _SETS:
            sets.setdefault(known, set()).update(part.strip() for part in text.split(",") if part.strip())
        else:
            found.append([known, text])
    return sorted([*found, *([name, *sorted(parts)] for name, parts in sets.items())])
