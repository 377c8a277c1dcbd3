"""Answers of Chat upstreams, by the kind of trouble they stand for: as streams and as whole answers."""

from .case import Case
from .chat_calls import CALLS
from .chat_pieces import DONE, SO, USAGE, WEATHER, calls, chunk, cite, entry, part, stream, whole

GEMINI = {"type": "reasoning.encrypted", "data": "EjQK+/c7", "format": "google-gemini-v1", "id": "call_a", "index": 0}
CLAUDE = {
    "type": "reasoning.text",
    "text": "Let me see.",
    "signature": "EvAB=",
    "format": "anthropic-claude-v1",
    "index": 0,
}
SUMMARY = {"type": "reasoning.summary", "summary": "Let me see.", "format": "xai-responses-v1", "index": 0}
GROK = {"type": "reasoning.encrypted", "data": "0pVW/w==", "format": "xai-responses-v1", "id": "rs_1", "index": 1}
GPT = {"type": "reasoning.encrypted", "data": "gAAA", "format": "openai-responses-v1", "id": "rs_2", "index": 0}
PIECES = (
    {"type": "reasoning.text", "text": "Let me ", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "text": "see.", "format": "anthropic-claude-v1", "index": 0},
    {"type": "reasoning.text", "signature": "EvAB=", "format": "anthropic-claude-v1", "index": 0},
)


def reasoned(kind, message, *deltas, reasoning="Let me see."):
    """Reasoning details, then a text and a call: as a stream and as a whole answer."""
    ending = ({"content": SO}, calls(entry(WEATHER, "call_a", 0)))
    fields = {"reasoning": reasoning, "text": SO, "calls": (WEATHER,), "stop": "tool"}
    return [
        Case(kind, "chat", stream(*deltas, *ending, finish="tool_calls"), **fields),
        Case(
            kind,
            "chat",
            whole({**message, **calls(entry(WEATHER, "call_a")), "content": SO}, finish="tool_calls"),
            **fields,
        ),
    ]


DETAILS = [
    *reasoned(
        "encrypted-reasoning-of-gemini",
        {"reasoning_details": [GEMINI]},
        {"content": "", "reasoning": None, "reasoning_details": [GEMINI]},
        reasoning="",
    ),
    *reasoned(
        "signed-reasoning-of-claude",
        {"reasoning": "Let me see.", "reasoning_details": [CLAUDE]},
        *({"content": "", "reasoning": one.get("text"), "reasoning_details": [one]} for one in PIECES),
    ),
    *reasoned(
        "summary-and-encrypted-reasoning",
        {"reasoning": "Let me see.", "reasoning_details": [SUMMARY, GROK]},
        {"reasoning": "Let me ", "reasoning_details": [{**SUMMARY, "summary": "Let me "}]},
        {"reasoning": "see.", "reasoning_details": [{**SUMMARY, "summary": "see."}]},
        {"reasoning_details": [GROK]},
    ),
    *reasoned(
        "encrypted-reasoning-of-gpt",
        {"reasoning_details": [GPT]},
        {"reasoning_details": [GPT]},
        reasoning="",
    ),
]

ENDS = [
    Case(
        "end-without-finish-reason",
        "chat",
        chunk(part({"role": "assistant", "content": SO})) + chunk(usage=USAGE) + DONE,
        text=SO,
        losses={"*": ("finish_reason",)},
    ),
    Case(
        "end-without-finish-reason-behind-a-call",
        "chat",
        chunk(part({"role": "assistant", "content": None, **calls(entry(WEATHER, "0", 0, ""))}))
        + chunk(part({"role": "assistant", "content": None, **calls(entry(WEATHER, "0", 0))}))
        + chunk(part({"role": "assistant", "content": ""}), usage=USAGE)
        + DONE,
        calls=(WEATHER,),
        stop="tool",
        losses={"*": ("finish_reason",)},
    ),
    Case("finish-reason-that-is-empty", "chat", whole({"content": SO}, finish=""), text=SO),
]

PAGES = ("https://a.example/x", "https://b.example/y")


SOURCES = {
    "citations": list(PAGES),
    "search_results": [{"title": "T", "url": url, "date": None, "snippet": "Words."} for url in PAGES],
}
CITATIONS = [
    Case(
        "citations-before-the-text",
        "chat",
        stream(
            *(
                {"content": "", "role": "assistant", "annotations": [cite(url, start_index=0, end_index=0)]}
                for url in PAGES
            ),
            {"content": "It is "},
            {"content": "so."},
        ),
        text=SO,
        citations=PAGES,
    ),
    Case(
        "citations-behind-the-text",
        "chat",
        stream({"content": SO}, {"annotations": [cite(url, start_index=0, end_index=5) for url in PAGES]}),
        text=SO,
        citations=PAGES,
    ),
    Case(
        "citations-behind-the-text",
        "chat",
        whole({"content": SO, "annotations": [cite(url, start_index=0, end_index=5) for url in PAGES]}),
        text=SO,
        citations=PAGES,
    ),
    Case(
        "citations-before-a-call",
        "chat",
        stream(
            {"annotations": [cite(PAGES[0])], "content": ""},
            {"content": SO},
            calls(entry(WEATHER, "a", 0)),
            finish="tool_calls",
        ),
        text=SO,
        calls=(WEATHER,),
        stop="tool",
        citations=PAGES[:1],
    ),
    Case(
        "sources-beside-the-choices",
        "chat",
        stream({"content": "It is "}, {"content": "so."}, **SOURCES),
        text=SO,
        citations=PAGES,
    ),
    Case("sources-beside-the-choices", "chat", whole({"content": SO}, **SOURCES), text=SO, citations=PAGES),
    Case(
        "annotations-of-files",
        "chat",
        whole({"content": SO, "annotations": [{"type": "file", "file": {"hash": "x"}}]}),
        text=SO,
        losses={"*": ("annotations",)},
    ),
]

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
MODERATION = {"input": {"results": [{"flagged": False, "category_scores": {"hate": 0.1}}]}}
UNREAD = {
    "images": [PICTURE],
    "audio": {"id": "audio_1", "data": "UklGRg==", "transcript": "So."},
    "executed_tools": [{"index": 0, "type": "search", "arguments": "{}", "output": "Title: T"}],
    "hologram": "x",
}


def unread(kind, message, losses):
    """Fields of a message that are not read: as a stream and as a whole answer."""
    return [
        Case(kind, "chat", stream({"content": SO}, message), text=SO, losses={"*": losses}),
        Case(kind, "chat", whole({"content": SO, **message}), text=SO, losses={"*": losses}),
    ]


LOGPROBS = {"content": [{"token": SO, "logprob": -0.1, "bytes": [73], "top_logprobs": []}], "refusal": None}
LOSSES = [
    *(case for name, value in UNREAD.items() for case in unread(f"{name}-of-a-message", {name: value}, (name,))),
    *unread("several-unread-fields", UNREAD, tuple(UNREAD)),
    Case(
        "moderation-behind-the-end",
        "chat",
        stream({"content": SO}).removesuffix(DONE) + chunk(moderation=MODERATION) + DONE,
        text=SO,
        losses={"*": ("moderation",)},
    ),
    Case(
        "moderation-of-a-whole-answer",
        "chat",
        whole({"content": SO}, moderation=MODERATION),
        text=SO,
        losses={"*": ("moderation",)},
    ),
    Case(
        "log-probabilities-not-asked-for",
        "chat",
        whole({"content": SO}, choice={"logprobs": LOGPROBS}),
        text=SO,
        losses={"*": ("logprobs",)},
    ),
    Case(
        "log-probabilities-without-text",
        "chat",
        b"".join(
            (
                chunk(part({"content": SO})),
                chunk(part({}, logprobs=LOGPROBS)),
                chunk(part({}, "stop")),
                chunk(usage=USAGE),
                DONE,
            )
        ),
        text=SO,
        losses={"*": ("logprobs",)},
    ),
    Case(
        "log-probabilities-of-the-last-chunk",
        "chat",
        chunk(part({"content": SO})) + chunk(part({}, "stop", logprobs=LOGPROBS)) + chunk(usage=USAGE) + DONE,
        text=SO,
        losses={"*": ("logprobs",)},
    ),
    *(
        Case(
            "unread-fields-of-a-call",
            "chat",
            make(calls({**entry(WEATHER, "call_a", 0, hologram=1), "aura": {"x": 1}}), finish="tool_calls"),
            calls=(WEATHER,),
            stop="tool",
            losses={"*": ("tool_calls.aura", "tool_calls.function.hologram")},
        )
        for make in (stream, whole)
    ),
    *(
        Case(
            f"unread-field-of-a-chunk-in-the-middle-{name}",
            "chat",
            chunk(part({"role": "assistant", "content": "It "}))
            + middle
            + chunk(part({"content": "so."}))
            + chunk(part({}, "stop"))
            + chunk(usage=USAGE)
            + DONE,
            text=SO,
            losses={"*": ("hologram",)},
        )
        for name, middle in {
            "delta": chunk(part({"content": "is ", "hologram": 1})),
            "choice": chunk(part({"content": "is "}, hologram=1)),
            "answer": chunk(part({"content": "is "}), hologram=1),
        }.items()
    ),
    Case(
        "unread-field-of-a-choice",
        "chat",
        whole({"content": SO}, choice={"hologram": 1}),
        text=SO,
        losses={"*": ("hologram",)},
    ),
    Case(
        "unread-field-of-an-answer", "chat", stream({"content": SO}, hologram=[1]), text=SO, losses={"*": ("hologram",)}
    ),
    Case(
        "unread-parts-of-content",
        "chat",
        whole({"content": [{"type": "text", "text": SO}, PICTURE]}),
        text=SO,
        losses={"*": ("content part image_url",)},
    ),
]
EMPTY = {
    "annotations": None,
    "audio": {"data": "", "expires_at": 0, "id": "", "transcript": ""},
    "function_call": {"arguments": "", "name": ""},
    "refusal": "",
    "tool_calls": None,
}
FILTERS = {"hate": {"filtered": False, "severity": "safe"}}
BESIDE = {
    "system_fingerprint": "fp",
    "service_tier": "default",
    "provider": "Azure",
    "obfuscation": "x1",
    "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": FILTERS}],
    "timings": {"predicted_ms": 2.5},
    "x_groq": {"id": "req_1"},
}
HARMLESS = [
    Case("fields-whose-loss-means-nothing", "chat", stream({"content": SO, **EMPTY}, **BESIDE), text=SO),
    Case(
        "fields-whose-loss-means-nothing",
        "chat",
        whole(
            {"content": SO, **EMPTY},
            choice={
                "content_filter_results": FILTERS,
                "native_finish_reason": "STOP",
                "logprobs": {"content": None, "refusal": None},
            },
            **BESIDE,
        ),
        text=SO,
    ),
]

REFUSALS = [
    Case("refusal-in-pieces", "chat", stream({"refusal": "I "}, {"refusal": "cannot."}), refusal="I cannot."),
    Case("refusal", "chat", whole({"refusal": "I cannot."}), refusal="I cannot."),
    Case(
        "refusal-behind-a-text",
        "chat",
        stream({"content": SO}, {"refusal": "I cannot."}),
        text=SO,
        refusal="I cannot.",
    ),
]
CASES = [*REFUSALS, *CALLS, *DETAILS, *ENDS, *CITATIONS, *LOSSES, *HARMLESS]
