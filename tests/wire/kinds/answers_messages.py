"""Answers of Messages upstreams: what stands beside the text, and what third-party servers leave out."""

import json

from ..messages_samples import stream, whole
from .case import Case

PAGE = {
    "type": "web_search_result_location",
    "url": "https://example.com/a",
    "title": "A",
    "cited_text": "So it is.",
    "encrypted_index": "ZW5j",
}
OTHER = {**PAGE, "url": "https://example.com/b", "title": None}
PLACE = {"type": "page_location", "document_index": 0, "document_title": "D", "cited_text": "c", "start_page_number": 1}
SEARCHED = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "so"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [{"type": "web_search_result", "url": "https://example.com/a", "title": "A", "encrypted_content": "e"}],
}


def text(said, *citations):
    return {"type": "text", "text": said, **({"citations": list(citations)} if citations else {})}


def use(call_id, name, **given):
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def both(kind, *content, start=None, delta=None, beside=None, **expected):
    """A stream and the whole answer that stand for the same.

    start, delta, beside: fields of message_start's message, of message_delta's delta, and of message_delta.
    """
    fields = {**(start or {}), **(delta or {}), **(beside or {})}
    return [
        Case(kind, "messages", stream(*content, start=start, delta=delta, **(beside or {})), **expected),
        Case(kind, "messages", json.dumps(whole(*content, **fields)).encode(), **expected),
    ]


SERVER_LOSSES = {"*": ("content block web_search_tool_result",), "chat": ("web_search_call",)}
CITED = ("https://example.com/a", "https://example.com/b")

CASES = [
    *both(
        "pages that are cited", text("It is "), text("so", PAGE, OTHER), text("."), text="It is so.", citations=CITED
    ),
    *both("places that are cited", text("So.", PLACE), text="So.", losses={"*": ("citations",)}),
    *both(
        "a search of the server",
        SEARCHED,
        FOUND,
        text("So.", PAGE),
        text="So.",
        citations=CITED[:1],
        losses=SERVER_LOSSES,
    ),
    *both(
        "a search and a call",
        SEARCHED,
        FOUND,
        text("So."),
        use("t1", "look", a=1),
        delta={"stop_reason": "tool_use"},
        text="So.",
        calls=(("look", {"a": 1}),),
        stop="tool",
        losses=SERVER_LOSSES,
    ),
    *both(
        "a container",
        text("So."),
        delta={"container": {"id": "c1", "expires_at": "2026-01-01T00:00:00Z"}},
        text="So.",
        losses={"*": ("container",)},
    ),
    *both(
        "edits of the context",
        text("So."),
        beside={
            "context_management": {"applied_edits": [{"type": "clear_tool_uses_20250919", "cleared_tool_uses": 1}]}
        },
        text="So.",
        losses={"*": ("context_management",)},
    ),
    *both("an unknown field", text("So."), start={"hologram": 1}, text="So.", losses={"*": ("hologram",)}),
    *both(
        "an unknown block",
        {"type": "hologram"},
        text("So."),
        text="So.",
        losses={"*": ("content block hologram",)},
    ),
    *both(
        "a refusal with its reason",
        text("So far."),
        delta={
            "stop_reason": "refusal",
            "stop_details": {"type": "refusal", "category": "bio", "explanation": "Not that."},
        },
        text="So far.",
        refusal="Not that.",
        stop="refusal",
        losses={"*": ("stop_details.category",)},
    ),
    *both(
        "a paused turn",
        text("So far."),
        delta={"stop_reason": "pause_turn"},
        text="So far.",
        stop="pause",
        losses={"*": ("stop_reason pause_turn",)},
    ),
    *both(
        "thinking without a signature",
        {"type": "thinking", "thinking": "hm"},
        use("t1", "look", a=1),
        delta={"stop_reason": "tool_use"},
        reasoning="hm",
        calls=(("look", {"a": 1}),),
        stop="tool",
    ),
    *both(
        "a signature without thinking",
        {"type": "thinking", "thinking": "", "signature": "c2ln"},
        text("So."),
        text="So.",
    ),
    *both(
        "a call of the server's own code",
        {**use("t1", "look", a=1), "caller": {"type": "code_execution_20250825", "tool_id": "srvtoolu_1"}},
        delta={"stop_reason": "tool_use"},
        calls=(("look", {"a": 1}),),
        stop="tool",
        losses={"*": ("content block tool_use.caller",)},
    ),
]
