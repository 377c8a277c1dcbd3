"""What the chunks and answers of a Gemini upstream mean, row by row."""

import json

import pytest

from router.ir import (
    Answer,
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Ended,
    Fault,
    Redacted,
    RefusalDelta,
    Text,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    Usage,
)
from router.wire import translate
from router.wire.gemini.answers.decode_answer import decode_answer
from router.wire.gemini.answers.decode_stream import NO_FINISH, GeminiDecoder
from router.wire.gemini.signatures import wrap_signature
from router.wire.neutral.answer_bounds import CALLS, TooMany

from ..translations import context, streamed
from .recordings import frame

BEGAN = Began("r1", "gemini-3-flash-preview", Usage())


def chunk(*parts, finish=None, **fields):
    """A chunk with parts."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-3-flash-preview", "responseId": "r1", **fields}


def call(name="look", args=None, **fields):
    return {"functionCall": {"name": name, "args": args or {}, **fields}}


def decode(*chunks, end=True, **fields):
    """The events behind the first one, and the losses."""
    ctx = context("gemini", **fields)
    decoder = GeminiDecoder(ctx)
    events = [event for one in chunks for event in decoder.feed("", one)]
    if end and not decoder.ended and decoder.finished:
        events += decoder.done()
    assert events[0] == BEGAN
    return events[1:], [f"{loss.path}={loss.how}" for loss in ctx.losses]


def test_text_and_thoughts():
    """Each part is a piece of what it is; where the kind changes a block ends, and empty texts are nothing."""
    events, losses = decode(
        chunk({"text": "**Hm**", "thought": True}),
        chunk({"text": " so", "thought": True}, {"text": "It"}, {"text": ""}),
        chunk({"text": " is."}, {"text": "", "thought": True}),
        chunk({"text": ""}, finish="STOP", usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2}),
    )
    assert events == [
        ThinkingDelta("**Hm**"),
        ThinkingDelta(" so"),
        BlockEnded(),
        TextDelta("It"),
        TextDelta(" is."),
        Ended("end", Usage(3, 2)),
    ]
    assert losses == []


def test_calls():
    """A call is whole in its part; its signature stands in front of it, and numbers count over the whole answer."""
    events, losses = decode(
        chunk(
            {"text": "hm", "thought": True}, {**call(args={"b": 1, "a": [2.5]}, id="x1"), "thoughtSignature": "QQ=="}
        ),
        chunk(call("find"), finish="STOP", usageMetadata={"promptTokenCount": 3}),
    )
    assert events == [
        ThinkingDelta("hm"),
        BlockEnded(),
        Redacted(wrap_signature("QQ==")),
        CallBegan(0, "x1", "look"),
        CallDelta(0, '{"b":1,"a":[2.5]}'),
        CallBegan(1, "call_000000000000000000000001", "find"),
        CallDelta(1, "{}"),
        Ended("tool", Usage(3)),
    ]
    assert losses == []


def test_ids_differ():
    """Two calls of one id, and one of an earlier turn, get a suffix."""
    events, _ = decode(chunk(call(id="a"), call(id="a"), call(id="b"), finish="STOP"), call_ids=frozenset(("b",)))
    assert [event.id for event in events if isinstance(event, CallBegan)] == ["a", "a_2", "b_2"]


def test_names_are_the_callers():
    """A tool that was sent under another name has its own again."""
    ctx = context("gemini")
    sent = ctx.names.encode("9 lives", 64, word=True)
    decoder = GeminiDecoder(ctx)
    events = decoder.feed("", chunk(call(sent)))
    assert CallBegan(0, "call_000000000000000000000001", "9 lives") in events


def test_signature_of_a_text():
    """There is no place for it behind a text in other protocols: it is dropped, and named."""
    events, losses = decode(chunk({"text": "a"}), chunk({"text": "", "thoughtSignature": "QQ=="}, finish="STOP"))
    assert events[0] == TextDelta("a")
    assert losses == ["thoughtSignature=dropped", "usage=weakened"]


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, "parts.inlineData"),
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, "parts.executableCode"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, "parts.codeExecutionResult"),
        ({"toolCall": {"id": "1"}}, "parts.toolCall"),
        ({"somethingNew": 1}, "parts.somethingNew"),
    ],
)
def test_parts_that_callers_have_no_word_for(part, lost):
    """They are left out and named; the rest of the answer goes on."""
    events, losses = decode(chunk(part, {"text": "a"}), chunk(finish="STOP", usageMetadata={"promptTokenCount": 1}))
    assert events[0] == TextDelta("a")
    assert losses == [f"{lost}=dropped"]


def test_sources_are_named_as_lost():
    """Citations and sources of an answer are dropped for now, and named."""
    one = chunk({"text": "a"}, finish="STOP", usageMetadata={"promptTokenCount": 1})
    one["candidates"][0] |= {
        "groundingMetadata": {"webSearchQueries": ["q"]},
        "citationMetadata": {},
        "safetyRatings": [1],
    }
    assert decode(one)[1] == ["candidates.groundingMetadata=dropped"]


def test_further_candidates():
    """The first one is the answer."""
    one = chunk({"text": "a"}, finish="STOP", usageMetadata={"promptTokenCount": 1})
    one["candidates"].append({"content": {"parts": [{"text": "b"}]}, "index": 1, "finishReason": "STOP"})
    events, losses = decode(one)
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta("a")]
    assert losses == ["candidates=dropped"]


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"candidates": []},
        {"candidates": None},
        {"candidates": [None, {}]},
        {"candidates": [{"content": {"role": "model"}}]},
        {"candidates": [{"content": {"parts": None}}]},
        {"candidates": [{"content": {"parts": [{}, 3, {"thought": True}]}}]},
        {"candidates": [{"finishReason": "FINISH_REASON_UNSPECIFIED"}]},
        {"usageMetadata": {"trafficType": "ON_DEMAND"}},
    ],
)
def test_absent_fields(odd):
    """What is absent, null or empty says nothing."""
    odd = {**odd, "responseId": "r1", "modelVersion": "gemini-3-flash-preview"}
    events, losses = decode(odd, {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]})
    assert events == [TextDelta("a"), Ended("end", Usage())]
    assert losses == ["usage=weakened"]


def test_usage_behind_the_end():
    """Usage that comes with or behind the last chunk counts, the last of each field."""
    events, losses = decode(
        chunk({"text": "a"}, usageMetadata={"promptTokenCount": 9, "totalTokenCount": 9}),
        chunk(finish="STOP"),
        {"usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 1, "cachedContentTokenCount": 4}},
    )
    assert events[-1] == Ended("end", Usage(5, 1, 4))
    assert losses == []


def test_refusal():
    """An answer that is withheld tells why, behind what was said before."""
    one = chunk({"text": "To "}, finish="SAFETY", usageMetadata={"promptTokenCount": 2})
    assert decode(one)[0][1:] == [RefusalDelta("stopped by Gemini: SAFETY"), Ended("refusal", Usage(2))]
    one["candidates"][0]["finishMessage"] = "It was unsafe."
    assert decode(one)[0][1] == RefusalDelta("It was unsafe.")


def test_blocked_prompt():
    """A prompt that was blocked is a refusal without content."""
    blocked = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": {"promptTokenCount": 2},
        "modelVersion": "gemini-3-flash-preview",
        "responseId": "r1",
    }
    wanted = [RefusalDelta("stopped by Gemini: PROHIBITED_CONTENT"), Ended("refusal", Usage(2))]
    assert decode(blocked)[0] == wanted
    found = decode_answer(blocked, context("gemini"))
    assert (found.stop, found.refusal, found.blocks) == ("refusal", wanted[0].text, ())
    blocked["promptFeedback"]["blockReasonMessage"] = "No."
    assert decode(blocked)[0][0] == RefusalDelta("No.")


def test_message_of_old_models_is_no_error():
    """Some tell of a call in the message of the end."""
    one = chunk(call(), finish="STOP", usageMetadata={"promptTokenCount": 1})
    one["candidates"][0]["finishMessage"] = "Model generated function call(s)."
    assert decode(one)[0][-1] == Ended("tool", Usage(1))


def test_first_finish_reason_counts():
    """A later one changes nothing."""
    events, _ = decode(chunk({"text": "a"}, finish="MAX_TOKENS"), chunk(finish="STOP"))
    assert events[-1].stop == "length"


def test_malformed_call():
    """Nothing but a call that could not be read is an error that may be tried again."""
    one = chunk(finish="MALFORMED_FUNCTION_CALL")
    one["candidates"][0] |= {"content": {}, "finishMessage": "Malformed function call: call:f("}
    wanted = Fault(502, "api_error", "Gemini ended with MALFORMED_FUNCTION_CALL: Malformed function call: call:f(")
    assert decode(one)[0] == [wanted]
    assert decode_answer(one, context("gemini")) == wanted
    assert decode(chunk({"text": "a"}), one)[0][-1].stop == "end"


def test_error_in_the_stream():
    """It wins over what is beside it, and nothing follows it."""
    broken = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    events, _ = decode(chunk({"text": "a"}), {**chunk({"text": "b"}), **broken}, chunk(finish="STOP"))
    assert events == [TextDelta("a"), Fault(529, "overloaded_error", "The model is overloaded.")]


def test_end_without_a_reason():
    """The stream is broken; a whole answer without one is whole."""
    decoder = GeminiDecoder(context("gemini"))
    decoder.feed("", chunk({"text": "a"}))
    assert not decoder.finished
    assert decoder.done() == [Fault(500, "api_error", NO_FINISH)]
    assert decoder.done() == []
    assert decode_answer(chunk({"text": "a"}), context("gemini")).stop == "end"


def test_whole_answer():
    """It is decoded as a stream of one chunk."""
    found = decode_answer(
        chunk({"text": "a"}, {"text": "b"}, call(id="1"), finish="STOP", usageMetadata={"promptTokenCount": 1}),
        context("gemini"),
    )
    assert found == Answer(
        id="r1",
        model="gemini-3-flash-preview",
        blocks=(Text("ab"), ToolCall("1", "look", "{}")),
        stop="tool",
        usage=Usage(1),
    )


@pytest.mark.parametrize("data", [{}, {"candidates": []}, {"candidates": [3]}, {"choices": []}, {"promptFeedback": {}}])
def test_no_answer(data):
    """JSON without candidates and without a blocked prompt is no answer of this protocol."""
    assert decode_answer(data, context("gemini")) is None


def test_too_many_calls():
    """An answer has a bound of calls, over one chunk and over many."""
    with pytest.raises(TooMany):
        decode(chunk(*[call()] * (CALLS.limit + 1)))
    made = streamed([frame([chunk(*[call()] * 600), chunk(*[call()] * 600)])], "gemini", target="chat")
    assert b"over 1,024 tool calls" in made


def pieces(*calls, finish="STOP"):
    """The arguments of the calls of a stream in which they come in pieces."""
    ctx = context("gemini")
    decoder = GeminiDecoder(ctx)
    events = [event for one in calls for event in decoder.feed("", chunk({"functionCall": one}))]
    events += [*decoder.feed("", chunk(finish=finish)), *decoder.done()]
    deltas = [(event.index, json.loads(event.fragment)) for event in events if isinstance(event, CallDelta)]
    return deltas, [f"{loss.path}={loss.how}" for loss in ctx.losses if loss.path != "usage"]


def piece(path, last=False, **value):
    return {"partialArgs": [{"jsonPath": path, **value}], **({} if last else {"willContinue": True})}


def test_arguments_in_pieces():
    """Texts grow, other values come whole, and the end may be an empty object, or missing."""
    begin = {"name": "f", "willContinue": True}
    assert pieces(
        begin,
        piece("$.a.b", stringValue="x", willContinue=True),
        piece("$.a.b", stringValue="y"),
        {"willContinue": True},
        piece("$.l[0]['odd key']", boolValue=True),
        piece("$.l[1]", nullValue="NULL_VALUE"),
        piece("$.n", last=True, numberValue=0.5),
        {},
        {"name": "g", "partialArgs": [{"jsonPath": "$.q", "stringValue": "z"}]},
        begin,
    ) == (
        [(0, {"a": {"b": "xy"}, "l": [{"odd key": True}, None], "n": 0.5}), (1, {"q": "z"}), (2, {})],
        [],
    )


@pytest.mark.parametrize(
    "path",
    ["", "$", "a", "$.a[9]", "$[0]", "$..a", "$.a[-1]", "$.*", "$.a[?(@.b)]", None, "$" + ".a" * 40, "$." + "a" * 600],
)
def test_places_that_are_not_read(path):
    """They are left out, and the call is named as weakened."""
    found = pieces({"name": "f", "willContinue": True}, piece(path, last=True, stringValue="x"))
    assert [sorted(value) in ([], ["a"]) for _, value in found[0]] == [True]
    assert found[1] == ["tool call f=weakened"]


def test_places_are_only_keys():
    """No name means anything here."""
    found, _ = pieces(piece("$.__proto__.x", stringValue="1") | {"name": "f"}, {})
    assert found == [(0, {"__proto__": {"x": "1"}})]


def test_pieces_that_do_not_fit():
    """A value in place of another is left out."""
    found = pieces(
        {"name": "f", "willContinue": True},
        piece("$.a", stringValue="x"),
        piece("$.a", numberValue=1),
        piece("$.a.b", stringValue="y"),
        piece("$.c", unknownValue=1),
    )
    assert found == ([(0, {"a": "x"})], ["tool call f=weakened"])


def test_pieces_without_a_call():
    """They belong to nothing, and are named."""
    found = pieces({}, piece("$.a", stringValue="x"), {"args": {"a": 1}})
    assert found == ([], ["functionCall without a name=dropped"])


def test_silent_answer_of_a_full_context():
    """An answer of nothing that ended at its limit is told as such to each caller."""
    empty = {"candidates": [{"content": {"role": "model"}, "finishReason": "MAX_TOKENS"}]}
    made = translate.answer(json.dumps(empty).encode(), "gemini", "chat", context("gemini"), stream=False)
    assert json.loads(made.body)["choices"][0]["finish_reason"] == "length"
