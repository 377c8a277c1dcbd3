"""The span of a request that has ended, by the conventions for calls of generative models.

No text of a request, an answer or an error is part of it: names, numbers, times and hashes alone.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from router.store.history.entry import HistoryEntry
from router.store.interfaces import Price
from router.telemetry.otlp.form import Json, Value, clean_text, make_attributes, make_nanoseconds
from router.telemetry.trace_context import find_ids
from router.wire import calls

#: fairlead's name of a vendor -> that of the conventions; others are named as fairlead does.
PROVIDERS: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock-invoke": "aws.bedrock",
    "bedrock-mantle": "aws.bedrock",
    "claude-aws": "aws.bedrock",
    "claude-gcp": "gcp.vertex_ai",
    "foundry": "azure.ai.inference",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
_CLIENT, _ERROR = 3, 2


def make_span(entry: HistoryEntry, find_provider: Callable[[str], str], price: Price) -> Json | None:
    """The span of a request; None where the caller keeps no record of its trace. find_provider: gives the conventions'
    name for a backend's. For threads, since the price data may have to be loaded."""
    ids = find_ids(entry.id, entry.trace.encode("latin-1"))
    if not ids.sampled:
        return None
    span: Json = {
        "traceId": ids.trace,
        "spanId": ids.span,
        "name": clean_text(f"{calls.operation(entry.path)} {entry.served_model}".rstrip()),
        "kind": _CLIENT,
        "startTimeUnixNano": make_nanoseconds(entry.started),
        "endTimeUnixNano": make_nanoseconds(entry.started + entry.total),
        "attributes": make_attributes([*_list_common(entry, find_provider), *_list_own(entry, price)]),
        # The bit says that the parent, which may be in another process, is known as such.
        "flags": 0x101 if not ids.parent else 0x301,
    }
    if ids.parent:
        span["parentSpanId"] = ids.parent
    if entry.error or entry.status >= 400:
        # Without a message: the text of an error may quote a prompt.
        span["status"] = {"code": _ERROR}
    return span


def _list_common(entry: HistoryEntry, find_provider: Callable[[str], str]) -> list[tuple[str, Value]]:
    """What the conventions name. Their count of input holds what the cache gave and took."""
    root = urlsplit(entry.root)
    parts = (entry.tokens_in, entry.cache_read, entry.cache_write)
    read = None if all(one is None for one in parts) else sum(one or 0 for one in parts)
    return [
        ("gen_ai.operation.name", calls.operation(entry.path)),
        ("gen_ai.provider.name", find_provider(entry.backend) if entry.backend else ""),
        ("gen_ai.request.model", entry.served_model),
        ("gen_ai.usage.input_tokens", read),
        ("gen_ai.usage.output_tokens", entry.tokens_out),
        ("gen_ai.usage.cache_read.input_tokens", entry.cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", entry.cache_write),
        ("gen_ai.conversation.id", entry.binding.session if entry.binding is not None else ""),
        ("gen_ai.response.time_to_first_chunk", entry.first_byte if entry.stream else None),
        ("error.type", entry.error or (str(entry.status) if entry.status >= 400 else "")),
        ("http.response.status_code", entry.status or None),
        ("server.address", root.hostname),
        ("server.port", (root.port or (443 if root.scheme == "https" else 80)) if root.hostname else None),
    ]


def _list_own(entry: HistoryEntry, price: Price) -> list[tuple[str, Value]]:
    cost = price(entry)[0] if entry.backend else None
    return [
        ("fairlead.request.id", entry.id),
        ("fairlead.backend", entry.backend),
        ("fairlead.account", entry.account),
        ("fairlead.key", entry.key),
        ("fairlead.tag", entry.tag),
        ("fairlead.client", entry.client),
        ("fairlead.asked_model", entry.model if entry.served else ""),
        ("fairlead.route", entry.route),
        ("fairlead.attempts", entry.attempts),
        ("fairlead.stream", entry.stream),
        ("fairlead.queued", entry.queued or None),
        ("fairlead.cost_usd", None if cost is None else cost / 1e9),
        ("fairlead.estimated", entry.estimated or None),
        ("fairlead.reasoning_tokens", entry.reasoning),
        ("fairlead.cache", entry.answer_cache),
        ("fairlead.loss", tuple(one for one in entry.losses.split("; ") if one) or None),
    ]
