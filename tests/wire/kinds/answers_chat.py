"""Answers of Chat upstreams, by the kind of trouble they stand for: as streams and as whole answers."""

import json

from .case import Case

USAGE = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
DONE = b"data: [DONE]\n\n"
WEATHER = ("look", {"city": "Rome"})
TIME = ("look", {"city": "Oslo"})
SO = "It is so."


def event(data):
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(*choices, **beside):
    return event(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices} | beside
    )


def part(delta, finish=None, index=0, **beside):
    """One choice of a chunk."""
    return {"index": index, "delta": delta, "finish_reason": finish, **beside}


def stream(*deltas, finish="stop", **beside):
    """A stream of these deltas of one choice, with its finish reason and usage."""
    parts = [
        chunk(part({"role": "assistant", "content": ""}), **beside),
        *(chunk(part(one), **beside) for one in deltas),
    ]
    parts += [chunk(part({}, finish), **beside), chunk(usage=USAGE, **beside), DONE]
    return b"".join(parts)


def whole(message, *others, finish="stop", choice=(), **beside):
    """A whole answer. others: the messages of further choices. choice: fields of the first choice."""
    choices = [
        {"index": at, "message": {"role": "assistant", "content": None, **one}, "finish_reason": finish}
        for at, one in enumerate((message, *others))
    ]
    choices[0] |= dict(choice)
    answer = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": choices, "usage": USAGE}
    return json.dumps(answer | beside).encode()


def entry(call, call_id=None, index=None, arguments=None, **function):
    """One entry of tool_calls; what is None is left out. call: name and arguments, or None for arguments only."""
    if call is not None:
        function = {"name": call[0], "arguments": json.dumps(call[1]) if arguments is None else arguments, **function}
    else:
        function = {"arguments": arguments, **function}
    made = {"index": index, "id": call_id, "type": "function" if call else None, "function": function}
    return {name: value for name, value in made.items() if value is not None}


def calls(*entries, **fields):
    return {"tool_calls": list(entries), **fields}


BOTH = (WEATHER, TIME)
FIRST, SECOND = '{"city": ', '"Rome"}'


def called(kind, *deltas, finish="tool_calls", **fields):
    """A stream of calls."""
    return Case(kind, "chat", stream(*deltas, finish=finish), stop="tool", **fields)


CALLS = [
    # Calls are told apart whatever their ids and indices say.
    called(
        "calls-that-share-an-id",
        calls(entry(WEATHER, "call_00_same", 0, '{"city": ')),
        calls(entry(None, index=0, arguments='"Rome"}')),
        calls(entry(TIME, "call_00_same", 1, "")),
        calls(entry(None, index=1, arguments='{"city": "Oslo"}')),
        calls=BOTH,
    ),
    called(
        "calls-that-share-an-id-on-each-part",
        calls(entry(WEATHER, "same", 0, FIRST)),
        calls(entry(TIME, "same", 1, FIRST)),
        calls(entry(None, "same", 0, SECOND)),
        calls(entry(None, "same", 1, '"Oslo"}')),
        calls=BOTH,
    ),
    called(
        "calls-that-share-id-and-index",
        calls(entry(WEATHER, "same", 0)),
        calls(entry(TIME, "same", 0)),
        calls=BOTH,
    ),
    Case(
        "calls-that-share-an-id",
        "chat",
        whole(calls(entry(WEATHER, "same"), entry(TIME, "same")), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
    ),
    Case(
        "calls-that-share-id-and-index",
        "chat",
        whole(calls(entry(WEATHER, "same", 0), entry(TIME, "same", 0)), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
    ),
    called(
        "call-ids-of-the-history",
        calls(entry(WEATHER, "call_0", 0), entry(TIME, "call_1", 1)),
        calls=BOTH,
        history=("call_0", "call_1", "call_0_2"),
    ),
    Case(
        "call-ids-of-the-history",
        "chat",
        whole(calls(entry(WEATHER, "functions.look:0"), entry(TIME, "functions.look:1")), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
        history=("functions.look:0",),
    ),
    called("call-indices-with-gaps", calls(entry(WEATHER, "a", 3)), calls(entry(TIME, "b", 7)), calls=BOTH),
    called(
        "call-indices-as-texts",
        calls(entry(WEATHER, "a", "0", FIRST)),
        calls(entry(None, None, "0", SECOND)),
        calls=(WEATHER,),
    ),
    called("calls-without-ids-at-one-index", calls(entry(WEATHER, "", 0)), calls(entry(TIME, "", 0)), calls=BOTH),
    called("calls-without-ids-and-indices", calls(entry(WEATHER), entry(TIME)), calls=BOTH),
    called(
        "call-ids-that-rotate",
        calls(entry(WEATHER, "a", 0, "")),
        calls(entry(None, "b", 0, FIRST)),
        calls(entry(None, "c", 0, SECOND)),
        calls(entry(TIME, "d", 1)),
        calls=BOTH,
    ),
    called(
        "call-ids-that-rotate-beside-the-name",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(WEATHER, "b", 0, SECOND)),
        calls=(WEATHER,),
    ),
    called(
        "call-ids-behind-the-name",
        calls(entry(WEATHER, None, 0, "")),
        calls(entry(None, "a", 0, FIRST)),
        calls(entry(None, "a", 0, SECOND)),
        calls=(WEATHER,),
    ),
    called(
        "call-indices-that-disagree-with-ids",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(TIME, "b", 1, "")),
        calls(entry(None, "a", 1, SECOND)),
        calls(entry(None, "b", 0, '{"city": "Oslo"}')),
        calls=BOTH,
    ),
    called(
        "call-arguments-under-a-wrong-index",
        calls(entry(WEATHER, "a", 0, "")),
        calls(entry(None, index=1, arguments='{"city": "Rome"}')),
        calls=(WEATHER,),
    ),
    called(
        "calls-whose-name-is-repeated",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(WEATHER, None, 0, SECOND)),
        calls(entry(TIME, "b", 1, "")),
        calls(entry(TIME, "b", 1)),
        calls=BOTH,
    ),
    called(
        "call-arguments-as-an-object",
        {"tool_calls": [{"function": {"name": "look", "arguments": WEATHER[1]}}]},
        calls=(WEATHER,),
    ),
    # Choices.
    Case(
        "calls-in-a-second-choice",
        "chat",
        b"".join(
            (
                chunk(part({"role": "assistant", "content": "It is "})),
                chunk(
                    part({"role": "assistant", "content": None, "tool_calls": [entry(WEATHER, "a", 0, FIRST)]}, index=1)
                ),
                chunk(part({"content": "so."})),
                chunk(part(calls(entry(None, index=0, arguments=SECOND)), index=1)),
                chunk(part({}, "tool_calls"), part({}, "tool_calls", index=1)),
                chunk(usage=USAGE),
                DONE,
            )
        ),
        text=SO,
        calls=(WEATHER,),
        stop="tool",
    ),
    Case(
        "calls-in-a-second-choice",
        "chat",
        whole({"content": SO}, calls(entry(WEATHER, "a")), calls(entry(TIME, "a")), finish="tool_calls"),
        text=SO,
        calls=BOTH,
        stop="tool",
    ),
    Case(
        "second-choice-with-a-text-of-its-own",
        "chat",
        b"".join(
            (
                chunk(part({"role": "assistant", "content": "It is "})),
                chunk(part({"role": "assistant", "content": "No, "}, index=1)),
                chunk(part(calls(entry(TIME, "b", 0), content="it is not."), "tool_calls", index=1)),
                chunk(part({"content": "so."})),
                chunk(part({}, "length")),
                chunk(usage=USAGE),
                DONE,
            )
        ),
        text=SO,
        stop="length",
        losses={"*": ("choices[1]",)},
    ),
    Case(
        "second-choice-with-a-text-of-its-own",
        "chat",
        json.dumps(
            {
                "id": "c1",
                "choices": [
                    {
                        "index": 1,
                        "message": {"content": "No.", **calls(entry(TIME, "b"))},
                        "finish_reason": "tool_calls",
                    },
                    {"index": 0, "message": {"content": SO}, "finish_reason": "stop"},
                ],
                "usage": USAGE,
            }
        ).encode(),
        text=SO,
        losses={"*": ("choices[1]",)},
    ),
    Case(
        "calls-announced-and-not-made",
        "chat",
        stream({"content": SO}, finish="tool_calls"),
        text=SO,
        losses={"*": ("finish_reason tool_calls",)},
    ),
    Case(
        "calls-announced-and-not-made",
        "chat",
        whole({"content": SO}, finish="tool_calls"),
        text=SO,
        losses={"*": ("finish_reason tool_calls",)},
    ),
]

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


def cite(url, **fields):
    return {"type": "url_citation", "url_citation": {"url": url, "title": "T", "content": "Words.", **fields}}


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
