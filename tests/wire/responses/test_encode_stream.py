"""Neutral events as a Responses stream: parts of a message, citations, log probabilities, refusals, reasoning."""

import json

import pytest
from openai.types.responses import Response

from router import ir
from router.wire.responses.encode_stream import ResponsesEncoder
from router.wire.responses.response import encode_answer

from ..responses_samples import legal
from ..test_responses_streams import accumulated
from ..translations import context, events

USAGE = ir.Usage(1, 1)
LOGPROB = {"token": "é", "logprob": -0.5, "top_logprobs": [{"token": "e", "logprob": -2.0}]}


def encoded(*found, stop="end", ctx=None):
    """The bytes of a stream, which the SDK must accept, and its last response."""
    encoder = ResponsesEncoder(ctx or context())
    all_events = (ir.Began("a", "m", USAGE), *found, ir.Ended(stop, USAGE))
    data = b"".join(encoder.encode(event) for event in all_events)
    accumulated(data)
    response = legal(data)
    Response.model_validate(response, strict=True)
    return data, response


def test_citations_stand_in_their_part():
    """A citation comes as an event and in the part, with its place in the part's text, or the whole of that; the next
    part has none."""
    placed, bare = ir.Citation("http://a/1", "One", start=0, end=2), ir.Citation("http://a/2")
    data, response = encoded(
        ir.TextDelta("So"), ir.Cited(placed), ir.TextDelta("."), ir.Cited(bare), ir.BlockEnded(), ir.TextDelta("b")
    )
    first, second = response["output"][0]["content"]
    places = [(one["url"], one["title"], one["start_index"], one["end_index"]) for one in first["annotations"]]
    assert places == [("http://a/1", "One", 0, 2), ("http://a/2", "", 0, 3)]
    assert second["annotations"] == []
    told = [one for one in events(data) if one["type"] == "response.output_text.annotation.added"]
    assert [one["annotation"] for one in told] == first["annotations"]
    assert [one["annotation_index"] for one in told] == [0, 1]
    assert {(one["item_id"], one["content_index"]) for one in told} == {(response["output"][0]["id"], 0)}


@pytest.mark.parametrize("before", [(), (ir.CallBegan(0, "c", "look"),), (ir.TextDelta("a"), ir.BlockEnded())])
def test_a_citation_without_a_text_is_named(before):
    """A citation that belongs to no text is named as lost."""
    ctx = context(request_sent=True)
    encoded(*before, ir.Cited(ir.Citation("http://a")), ctx=ctx)
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == ["citations=dropped"]


def test_cited_words_are_named():
    """The protocol has no place for the words that a citation quotes."""
    ctx = context(request_sent=True)
    encoded(ir.TextDelta("a"), ir.Cited(ir.Citation("http://a", quote="b")), ctx=ctx)
    assert [loss.path for loss in ctx.losses] == ["citations.quote"]


def test_log_probabilities():
    """They stand beside their delta and in the part, there with the bytes that the SDK's models require."""
    data, response = encoded(ir.TextDelta("é", (LOGPROB,)), ir.TextDelta("."))
    deltas = [one["logprobs"] for one in events(data) if one["type"] == "response.output_text.delta"]
    assert deltas == [[LOGPROB], []]
    [found] = response["output"][0]["content"][0]["logprobs"]
    assert (found["bytes"], found["top_logprobs"][0]["bytes"]) == ([0xC3, 0xA9], [0x65])


@pytest.mark.parametrize("stop", ["end", "refusal"])
def test_a_refusal_comes_as_it_is_written(stop):
    """Words of refusal come in pieces, once, in an item of their own behind the text in front of them: Codex throws an
    item away that has a part of refusal, and its text with it."""
    data, response = encoded(ir.TextDelta("So"), ir.RefusalDelta("I "), ir.RefusalDelta("cannot."), stop=stop)
    kinds = [one["type"].removeprefix("response.") for one in events(data)]
    assert kinds.count("refusal.delta") == 2
    assert kinds.index("output_text.done") < kinds.index("refusal.delta")
    [text, refusal] = response["output"]
    assert [part["text"] for part in text["content"]] == ["So"]
    assert [part["refusal"] for part in refusal["content"]] == ["I cannot."]
    assert response["status"] == "completed"


def test_text_behind_a_refusal():
    """It is an item of its own too, also in a response that fails; a refusal in two blocks is two parts of one."""
    found = (ir.RefusalDelta("No"), ir.BlockEnded(), ir.RefusalDelta("."), ir.TextDelta("So"), ir.BlockEnded())
    _, response = encoded(*found)
    assert [[part["type"] for part in item["content"]] for item in response["output"]] == [
        ["refusal", "refusal"],
        ["output_text"],
    ]
    encoder = ResponsesEncoder(context())
    data = [encoder.encode(event) for event in (ir.TextDelta("So"), ir.RefusalDelta("No"), ir.Fault(500, "x", "y"))]
    failed = events(b"".join(data))[-1]["response"]
    assert [item["content"][0]["type"] for item in failed["output"]] == ["output_text", "refusal"]


def test_reasoning_without_text():
    """Reasoning that only has sealed state has no part, and no delta without text."""
    data, response = encoded(ir.ThinkingDelta(""), ir.Signed("s"), ir.BlockEnded(), ir.TextDelta("So"))
    assert response["output"][0]["summary"] == []
    assert response["output"][0]["encrypted_content"]
    assert "response.reasoning_summary_part.added" not in [one["type"] for one in events(data)]


def test_whole_answers_have_what_streams_have():
    """Citations and log probabilities of a whole answer are in its part."""
    text = ir.Text("So", citations=(ir.Citation("http://a", start=0, end=2),), logprobs=(LOGPROB,))
    found = ir.Answer(id="a", model="m", blocks=(text,), stop="end", usage=USAGE)
    [part] = json.loads(bytes(encode_answer(found, context())))["output"][0]["content"]
    assert (part["annotations"][0]["url"], part["logprobs"][0]["token"]) == ("http://a", "é")


def test_a_broken_answer_has_its_output_so_far():
    """What was said before an error stands in the failed response: text, citations, reasoning and calls."""
    encoder = ResponsesEncoder(context())
    found = (
        ir.ThinkingDelta("hm"),
        ir.TextDelta("So"),
        ir.Cited(ir.Citation("http://a")),
        ir.BlockEnded(),
        ir.CallBegan(0, "c", "look"),
        ir.CallDelta(0, '{"a'),
        ir.Fault(500, "api_error", "broke off"),
    )
    data = b"".join(encoder.encode(event) for event in found)
    output = events(data)[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["reasoning", "message", "function_call"]
    assert output[1]["content"][0]["annotations"][0]["url"] == "http://a"
    assert (output[2]["arguments"], output[2]["status"]) == ('{"a', "incomplete")
