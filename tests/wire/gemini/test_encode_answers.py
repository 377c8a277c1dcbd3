"""Answers for callers of Google's API, whole and streamed: what a client of it reads is what the upstream said."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import (
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Citation,
    Ended,
    Fault,
    Pinged,
    RefusalDelta,
    Searched,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ToolCall,
    Usage,
    WebPage,
)
from router.wire import translate
from router.wire.gemini.carriers import TextBinding, bind_call, unpack
from router.wire.neutral.stream_filters import StopSequenceFilter
from router.wire.raw.json import large_json

from ..translations import DONE, chunk, context, event
from .gemini_answers import answer, chunks, joined, parts_of, streamed, streamed_answer, whole

USAGE = Usage(input=3, output=9, cache_read=2, reasoning=4)
COUNTS = {
    "promptTokenCount": 5,
    "candidatesTokenCount": 5,
    "cachedContentTokenCount": 2,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 14,
}
LOOK = ToolCall("c1", "look", '{"b":1,"a":2}')


def test_a_whole_answer():
    """One candidate; the model as the caller named it; thoughts are not counted among the candidates' tokens."""
    assert whole(answer(Text("a"), Text("b"), LOOK, stop="tool", usage=USAGE), context()) == {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "ab"},
                        {"functionCall": {"id": "c1", "name": "look", "args": {"b": 1, "a": 2}}},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": COUNTS,
        "modelVersion": "asked",
        "responseId": "r1",
    }


def test_a_stream():
    """Byte for byte: texts as they come, then the call that the answer ends with, whole, with the finish reason and the
    usage."""
    tail = '"modelVersion":"asked","responseId":"r1"}\r\n\r\n'
    head = 'data: {"candidates":[{"content":{"role":"model","parts":['
    assert streamed_answer(answer(Text("ü"), LOOK, stop="tool", usage=USAGE), context()).decode() == (
        head + '{"text":"ü"}]},"index":0}],' + tail
        + head + '{"functionCall":{"id":"c1","name":"look","args":{"b":1,"a":2}}}]},"finishReason":"STOP","index":0}],'
        '"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":5,"cachedContentTokenCount":2,'
        '"thoughtsTokenCount":4,"totalTokenCount":14},' + tail
    )  # fmt: skip


STOPS = [
    ("end", "STOP", None),
    ("tool", "STOP", None),
    ("sequence", "STOP", None),
    ("length", "MAX_TOKENS", None),
    ("context", "MAX_TOKENS", "The context window is full."),
    ("pause", "MAX_TOKENS", None),
    ("refusal", "SAFETY", "The model declined to answer."),
]


@pytest.mark.parametrize(("stop", "reason", "message"), STOPS)
def test_reasons_to_stop(stop, reason, message):
    """Each has a word of Google's; an answer without any part has an empty text, and unknown counts are left out."""
    found = whole(answer(stop=stop), context())
    [last] = chunks(streamed_answer(answer(stop=stop), context()))
    assert found == last
    [candidate] = found["candidates"]
    assert (candidate["finishReason"], candidate.get("finishMessage")) == (reason, message)
    assert candidate["content"] == {"role": "model", "parts": [{"text": ""}]}
    assert "usageMetadata" not in found


def test_words_of_a_refusal():
    """They are the message of an answer that was stopped, and text where the model just says them."""
    for stop, parts, message in (("refusal", [], "No."), ("end", [{"text": "No."}], None)):
        given_answer = answer(stop=stop, refusal="No.")
        for found in (whole(given_answer, context()), streamed_answer(given_answer, context())):
            last = chunks(found)[-1] if isinstance(found, bytes) else found
            assert parts_of(found) == parts
            assert last["candidates"][0].get("finishMessage") == message


def test_thoughts_are_shown_to_those_who_ask():
    """They are parts of their own for a caller that includes thoughts, and parts of no other answer."""
    given_answer = answer(Thinking("h", "s"), Thinking("m"), Text("a"))
    for shown, parts in ((True, [{"text": "hm", "thought": True}, {"text": "a"}]), (False, [{"text": "a"}])):
        ctx = context()
        ctx.shows_reasoning = shown
        for found in (whole(given_answer, ctx), streamed_answer(given_answer, ctx)):
            *said, closing = parts_of(found)
            assert said == parts
            assert list(closing) == ["text", "thoughtSignature"]


def test_calls_have_arguments():
    """Also a call that the model made without any; what is no object is wrapped, which is named."""
    for arguments, args, losses in (
        ("", {}, []),
        (" ", {}, []),
        ("[1]", {"_raw_arguments": "[1]"}, ["tool call look"]),
        ('{"a":', {"_raw_arguments": '{"a":'}, ["tool call look"]),
    ):
        for write in (whole, streamed_answer):
            ctx = context()
            [part] = parts_of(write(answer(ToolCall("c", "look", arguments)), ctx))
            assert part["functionCall"] == {"id": "c", "name": "look", "args": args}
            assert [loss.path for loss in ctx.losses] == losses


def test_what_has_no_counterpart_is_named():
    """Log probabilities, cited words, and why a search failed."""
    said = Text("a", citations=(Citation("http://a", quote="q"),), logprobs=({"token": "a"},))
    for write in (whole, streamed_answer):
        ctx = context()
        assert parts_of(write(answer(Searched(("q",), error="unavailable"), said), ctx)) == [{"text": "a"}]
        assert sorted(loss.path for loss in ctx.losses) == ["citations.quote", "logprobs", "web_search.error"]


A, B = Citation("http://a", "A"), Citation("http://b")
CITED = [
    ([Text("a")], None),
    ([Searched(("q", "r")), Searched(("q",)), Text("a")], {"webSearchQueries": ["q", "r"]}),
    (
        [Searched(("q",), (WebPage("http://a", "A"), WebPage("http://b")))],
        {
            "webSearchQueries": ["q"],
            "groundingChunks": [{"web": {"uri": "http://a", "title": "A"}}, {"web": {"uri": "http://b"}}],
        },
    ),
    (
        [Searched((), (WebPage("http://c"),)), Text("é so", citations=(A, B, A)), Text("b", citations=(B,))],
        {
            "groundingChunks": [{"web": {"uri": "http://a", "title": "A"}}, {"web": {"uri": "http://b"}}],
            "groundingSupports": [
                {"segment": {"startIndex": 0, "endIndex": 5}, "groundingChunkIndices": [0, 1]},
                {"segment": {"startIndex": 5, "endIndex": 6}, "groundingChunkIndices": [1]},
            ],
        },
    ),
    (
        [
            Text("😀"),
            Text("éa b", citations=(Citation("http://a", start=1, end=2), Citation("http://a", start=3, end=99))),
        ],
        {
            "groundingChunks": [{"web": {"uri": "http://a"}}],
            "groundingSupports": [
                {"segment": {"startIndex": 6, "endIndex": 7}, "groundingChunkIndices": [0]},
                {"segment": {"startIndex": 8, "endIndex": 9}, "groundingChunkIndices": [0]},
            ],
        },
    ),
    (
        [Text("ab", citations=(Citation("http://a", start=-5, end=-7),))],
        {
            "groundingChunks": [{"web": {"uri": "http://a"}}],
            "groundingSupports": [{"segment": {"startIndex": 0, "endIndex": 0}, "groundingChunkIndices": [0]}],
        },
    ),
    ([Text("", citations=(A,))], {"groundingChunks": [{"web": {"uri": "http://a", "title": "A"}}]}),
]


@pytest.mark.parametrize(("blocks", "grounding"), CITED)
def test_sources_are_told_at_the_end(blocks, grounding):
    """Searches, pages, and the places that rest on them, in bytes; pages that were only found where none is cited."""
    [candidate] = whole(answer(*blocks), context())["candidates"]
    *before, last = chunks(streamed_answer(answer(*blocks), context()))
    assert candidate.get("groundingMetadata") == last["candidates"][0].get("groundingMetadata") == grounding
    assert not any("groundingMetadata" in one["candidates"][0] for one in before)


def test_calls_are_written_when_they_are_whole():
    """A call waits for its arguments, and goes out before the text that follows it."""
    ctx = context()
    events = [
        Began("r1", "m", Usage()),
        CallBegan(0, "a", "f"),
        CallDelta(0, '{"x":'),
        CallDelta(0, '"}"}'),
        CallBegan(1, "b", "g"),
        CallDelta(1, "{}"),
        TextDelta("so"),
        Ended("tool", Usage()),
    ]
    pieces = [streamed([*events[:at]], ctx) for at in range(1, len(events) + 1)]
    sizes = [len(chunks(piece)) for piece in pieces]
    assert sizes == [0, 0, 0, 0, 0, 0, 3, 4]
    names = [[*part, part.get("functionCall", {}).get("name")] for part in parts_of(pieces[-1])]
    assert names == [["functionCall", "f"], ["functionCall", "g"], ["text", None]]


def test_the_calls_that_end_an_answer_come_with_its_end():
    """All in the chunk with the finish reason: google-genai 1.x carries out the calls of the last chunk alone."""
    other = ToolCall("c2", "hear", "{}")
    only = chunks(streamed_answer(answer(LOOK, other, stop="tool", usage=USAGE), context()))
    [candidate] = only[-1]["candidates"]
    assert (len(only), candidate["finishReason"]) == (1, "STOP")
    assert [part["functionCall"]["name"] for part in candidate["content"]["parts"]] == ["look", "hear"]


def test_calls_that_come_at_once_keep_their_order():
    """Their pieces are interleaved, and text comes in between; the reasoning at the end is bound behind the calls."""
    ctx = context()
    events = [
        CallBegan(0, "a", "f"),
        CallBegan(1, "b", "g"),
        CallDelta(1, "{}"),
        TextDelta("so"),
        ThinkingDelta("hm"),
        BlockEnded(),
        CallDelta(0, '{"x":1}'),
        Ended("tool", Usage()),
    ]
    text, first, second, closing = parts_of(streamed(events, ctx))
    assert text == {"text": "so"}
    assert first["functionCall"] == {"id": "a", "name": "f", "args": {"x": 1}}
    assert second["functionCall"] == {"id": "b", "name": "g", "args": {}}
    [thought] = unpack(closing["thoughtSignature"], TextBinding().bind(), ctx.sealer)
    assert (thought.text, thought.ahead) == ("hm", False)


def test_arguments_behind_a_whole_call_are_an_error():
    """Blanks are none; anything else shows that what was written was not the call, and ends the stream."""
    begun = [CallBegan(0, "a", "f"), CallDelta(0, "{}"), TextDelta("so")]
    assert b"error" not in streamed([*begun, CallDelta(0, " \n"), Ended("tool", Usage())], context())
    found = streamed([*begun, CallDelta(0, "{}"), TextDelta("more"), Ended("tool", Usage())], context())
    assert found.count(b'"error"') == 2
    assert b"more" not in found
    assert b"finishReason" not in found


def test_an_error_ends_a_stream():
    """As an event and once more by itself, so that each client sees one of them; calls that were not whole are left
    out, and nothing follows."""
    events = [TextDelta("a"), CallBegan(0, "c", "f"), CallDelta(0, "{"), Fault(529, "overloaded_error", "Busy.")]
    found = streamed([*events, TextDelta("b"), Ended("end", Usage())], context())
    before, event_line, raw, rest = found.split(b"\r\n\r\n")
    error = {"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}
    assert json.loads(event_line.removeprefix(b"data: ")) == json.loads(raw) == error
    assert (b'"a"' in before, rest) == (True, b"")


def test_pings_are_blank_lines():
    """All that clients of Google read over."""
    assert streamed([Pinged()], context()) == b"\r\n\r\n"


def test_large_texts_and_calls_are_written_alike():
    """In pieces of bounded size; the bytes are the same."""
    long = "é" * (large_json.LONG_TEXT + 5)
    big = json.dumps({"x": long}, ensure_ascii=False)
    parts = parts_of(
        streamed([TextDelta(long), CallBegan(0, "c", "f"), CallDelta(0, big), Ended("end", Usage())], context())
    )
    assert parts == [{"text": long}, {"functionCall": {"id": "c", "name": "f", "args": {"x": long}}}]


WORDS = st.sampled_from(["", "a", "b ", "\r\n\r\n", "data: [DONE]", 'é\u2028"', ": x", "😀"])
ARGUMENTS = st.sampled_from(["", "{}", '{"b": 1.0, "a": [{}]}', '{"q":"}\\""}', '{"é":"\\n"}'])
BLOCKS = st.lists(
    st.one_of(
        WORDS.map(Text),
        st.builds(Thinking, WORDS, st.sampled_from(["", "c2ln"])),
        st.just(Thinking(redacted="b3A=")),
        st.tuples(st.sampled_from(["look", "peek"]), ARGUMENTS),
    ),
    max_size=6,
).map(lambda blocks: [
    ToolCall(f"c{at}", *block) if isinstance(block, tuple) else block for at, block in enumerate(blocks)
])  # fmt: skip
STOPS_DRAWN = st.sampled_from([stop for stop, _, _ in STOPS])


def client_view(parts):
    """What a client makes of an answer: its text, its thoughts, its calls in order, and what each signature holds."""
    seal = context().sealer
    said = TextBinding()
    signatures = []
    for part in parts:
        if "functionCall" in part:
            said = TextBinding()
        elif not part.get("thought"):
            said.add(part["text"])
        if "thoughtSignature" in part:
            bound = bind_call(part["functionCall"]["id"]) if "functionCall" in part else said.bind()
            signatures.append(
                [(one.text, one.signature, one.redacted) for one in unpack(part["thoughtSignature"], bound, seal)]
            )
    return {
        "text": "".join(part["text"] for part in parts if "text" in part and not part.get("thought")),
        "thoughts": "".join(part["text"] for part in parts if part.get("thought")),
        "calls": [part["functionCall"] for part in parts if "functionCall" in part],
        "carried": list(itertools.chain(*signatures)),
    }


@given(BLOCKS, STOPS_DRAWN, st.booleans())
def test_a_client_reads_what_was_said(blocks, stop, shown):
    """The same text, calls and arguments, whole and streamed, and all of the reasoning within signatures."""
    given_answer = answer(*blocks, stop=stop, usage=USAGE)
    ctx = context()
    ctx.shows_reasoning = shown
    made, stream = whole(given_answer, ctx), streamed_answer(given_answer, ctx)
    *_, last = chunks(stream)
    thoughts = [one for one in blocks if isinstance(one, Thinking)]
    wanted = {
        "text": "".join(one.text for one in blocks if isinstance(one, Text)),
        "thoughts": "".join(one.text for one in thoughts) if shown else "",
        "calls": [
            {"id": one.id, "name": one.name, "args": json.loads(one.arguments or "{}")}
            for one in blocks
            if isinstance(one, ToolCall)
        ],
        "carried": [(one.text, one.signature, one.redacted) for one in thoughts if one != Thinking()],
    }
    assert client_view(parts_of(made)) == wanted
    assert client_view(parts_of(stream)) == wanted
    assert {**made, "candidates": None} == {**last, "candidates": None}
    for name in ("finishReason", "finishMessage", "index"):
        assert made["candidates"][0].get(name) == last["candidates"][0].get(name)
    assert all(set(one) >= {"candidates", "modelVersion", "responseId"} for one in chunks(stream))
    assert not any("finishReason" in one["candidates"][0] for one in chunks(stream)[:-1])


CUTS = st.lists(st.integers(0, 40), max_size=5)


@given(BLOCKS, CUTS)
def test_pieces_of_any_size_say_the_same(blocks, cuts):
    """Texts, thoughts and arguments may come in any pieces."""
    events = [Began("r1", "m", Usage())]
    index = 0
    for block in blocks:
        if isinstance(block, Text):
            events += [*map(TextDelta, cut(block.text, cuts)), BlockEnded()]
        elif isinstance(block, ToolCall):
            events += [CallBegan(index, block.id, block.name)]
            events += [CallDelta(index, piece) for piece in cut(block.arguments, cuts)]
            index += 1
    kept = [block for block in blocks if not isinstance(block, Thinking)]
    found = parts_of(streamed([*events, Ended("end", Usage())], context()))
    assert client_view(found) == client_view(parts_of(whole(answer(*kept), context())))


def cut(text, places):
    """A text in pieces."""
    ends = sorted({min(place, len(text)) for place in places} | {len(text)})
    return [text[begin:end] for begin, end in itertools.pairwise([0, *ends])]


def through(pieces, source):
    """A stream of another upstream as a caller of Google's API gets it, and its context."""
    ctx = context()
    stream = translate.Stream(source, "gemini", ctx)
    return b"".join(map(stream.feed, pieces)) + stream.end(), ctx


def test_a_stream_of_chat():
    """From a whole translation: reasoning, text, calls, usage behind the end."""
    call = {"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"a":1}'}}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    pieces = [
        chunk({"role": "assistant", "content": ""}),
        chunk({"reasoning_content": "hm"}),
        chunk({"content": "Hi"}),
        chunk({"tool_calls": [call]}),
        chunk({}, "tool_calls"),
        b"data: " + json.dumps({"id": "c1", "choices": [], "usage": usage}).encode() + b"\n\n",
        DONE,
    ]
    found, ctx = through(pieces, "chat")
    text, called = parts_of(found)
    assert text == {"text": "Hi"}
    assert called["functionCall"] == {"id": "c1", "name": "look", "args": {"a": 1}}
    [thought] = unpack(called["thoughtSignature"], bind_call("c1"), ctx.sealer)
    assert (thought.text, thought.ahead) == ("hm", True)
    assert chunks(found)[-1]["usageMetadata"]["totalTokenCount"] == 7


def test_losses_are_never_written_into_a_stream():
    """A comment would end the answer for most of Google's clients; the log has them."""
    pieces = [
        event("message_start", message={"id": "m1", "model": "m", "usage": {"input_tokens": 1}}),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event(
            "content_block_delta",
            index=0,
            delta={
                "type": "citations_delta",
                "citation": {"type": "web_search_result_location", "url": "http://a", "title": "t", "cited_text": "c"},
            },
        ),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": "a"}),
        event("content_block_stop", index=0),
        event("ping"),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 1}),
        event("message_stop"),
    ]
    found, ctx = through(pieces, "messages")
    assert [loss.path for loss in ctx.losses] == ["citations.quote"]
    assert b"fairlead" not in found
    assert parts_of(found) == [{"text": "a"}]


def test_stop_sequences_are_no_reason_of_their_own():
    """Google does not say which sequence ended an answer."""
    found = StopSequenceFilter(("b",))
    events = [*found.apply(TextDelta("abc")), *found.apply(Ended("end", Usage()))]
    stream = streamed(events, context())
    assert joined(parts_of(stream)) == [{"text": "a"}]
    assert chunks(stream)[-1]["candidates"][0]["finishReason"] == "STOP"


def test_refusals_are_held_until_the_end():
    """Whether they are text or a message is known there only."""
    ctx = context()
    assert streamed([RefusalDelta("No"), RefusalDelta(".")], ctx) == b""
    assert parts_of(streamed([RefusalDelta("No"), RefusalDelta("."), Ended("end", Usage())], ctx)) == [{"text": "No."}]
