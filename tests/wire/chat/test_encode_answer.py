"""What Chat callers read in answers that hold more than text: judged by the official SDKs, streamed and whole."""

import base64
import json
import subprocess
from pathlib import Path

import openai
import pytest

from router.ir import (
    Began,
    BlockEnded,
    CallBegan,
    CallDelta,
    Citation,
    Cited,
    Ended,
    Redacted,
    RefusalDelta,
    Signed,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire import translate
from router.wire.chat.encode_stream import ChatEncoder
from router.wire.chat.response import encode_answer
from router.wire.neutral import assemble

from ..test_oracles import MODULES, NODE, by_python
from ..translations import assistant, context, events, gpt, sent, tool, user

BEGAN = Began("c1", "m", Usage(input=1))
PROBABILITY = {"token": "hi", "logprob": -0.5, "bytes": [104, 105], "top_logprobs": []}


def streamed(*found, stop="end", **fields):
    ctx = context(**fields)
    encoder = ChatEncoder(ctx)
    return b"".join(encoder.encode(one) for one in (BEGAN, *found, Ended(stop, Usage(output=1))))


def whole(*found, stop="end", **fields):
    answer = assemble.assemble_answer([BEGAN, *found, Ended(stop, Usage(output=1))], context())
    return encode_answer(answer, context(**fields))["choices"][0]


def by_node(data):
    """The message that Node's SDK puts together of a stream."""
    if not (NODE and MODULES):
        pytest.skip("needs node, and FAIRLEAD_NODE_MODULES with openai in it")
    script = Path(__file__).parents[1] / "oracle.mjs"
    sent = json.dumps([{"protocol": "chat", "data": base64.b64encode(data).decode()}]).encode()
    run = subprocess.run([NODE, script], input=sent, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode()
    [found] = json.loads(run.stdout)
    assert "error" not in found, found
    return found["choices"][0]


def by_sdk(name, data):
    return by_python("chat", data)["choices"][0] if name == "python" else by_node(data)


SDKS = pytest.mark.parametrize("sdk", ["python", "node"])

CITING = (
    TextDelta("Caf\u00e9 \U0001f600, "),
    BlockEnded(),
    TextDelta("it rained"),
    Cited(Citation("http://a", "A", "rain fell")),
    TextDelta("."),
    Cited(Citation("http://b", start=3, end=9)),
    BlockEnded(),
    TextDelta(" So."),
)


@SDKS
def test_citations_are_annotations_at_their_places_in_the_whole_text(sdk):
    """A citation of a block is placed in the joined text; one without a place of its own has its block's."""
    found = by_sdk(sdk, streamed(*CITING))["message"]
    text = found["content"]
    notes = [(one["type"], one["url_citation"]) for one in found["annotations"]]
    assert [kind for kind, _ in notes] == ["url_citation"] * 2
    assert [(one["url"], one["title"], one.get("content")) for _, one in notes] == [
        ("http://a", "A", "rain fell"),
        ("http://b", "", None),
    ]
    assert [text[one["start_index"] : one["end_index"]] for _, one in notes] == ["it rained.", "rained"]
    assert whole(*CITING)["message"]["annotations"] == [{"type": kind, "url_citation": one} for kind, one in notes]


def test_citations_come_once_and_without_a_loss():
    """One list for the whole stream, since accumulators take no second one; an answer without any has no such field."""
    lists = [one for chunk in events(streamed(*CITING)) for one in chunk["choices"] if "annotations" in one["delta"]]
    assert len(lists) == 1
    assert b"annotations" not in streamed(TextDelta("hi"))
    assert "annotations" not in whole(TextDelta("hi"))["message"]


def test_a_citation_of_no_text():
    """A source of the answer as a whole is kept too."""
    data = streamed(TextDelta("hi"), BlockEnded(), Cited(Citation("http://a", "A")))
    note = by_python("chat", data)["choices"][0]["message"]["annotations"][0]["url_citation"]
    assert (note["url"], note["start_index"], note["end_index"]) == ("http://a", 2, 2)


LIKELY = (TextDelta("hi", (PROBABILITY,)), TextDelta(" you", ({**PROBABILITY, "token": " you"},)))


@SDKS
@pytest.mark.parametrize("asked", [{"logprobs": True}, {"logprobs": True, "top_logprobs": 2}, {"top_logprobs": 2}, {}])
def test_log_probabilities_reach_the_caller_that_asked_for_them(sdk, asked):
    """They stand beside the text, streamed and whole; a caller that did not ask gets none."""
    ctx = context("openai")
    body = json.dumps(gpt(user("x"), **asked)).encode()
    made = json.loads(translate.request(body, "chat", "responses", ctx).body)
    assert (made.get("top_logprobs") or 0) == asked.get("top_logprobs", 0)
    assert ctx.losses == []
    wanted = [PROBABILITY, {**PROBABILITY, "token": " you"}] if asked else None
    found = by_sdk(sdk, streamed(*LIKELY, logprobs=ctx.logprobs))
    assert (found["logprobs"] or {}).get("content") == wanted
    assert (whole(*LIKELY, logprobs=ctx.logprobs)["logprobs"] or {}).get("content") == wanted


def test_log_probabilities_that_nobody_asked_for_are_named():
    """Some servers send them with every answer."""
    for stream in (True, False):
        ctx = context()
        answer = assemble.assemble_answer([BEGAN, *LIKELY, Ended("end", Usage())], context())
        translate.encode_answer(answer, "chat", ctx, stream=stream)
        assert [loss.path for loss in ctx.losses] == ["logprobs"]


def test_log_probabilities_of_nobody_are_no_loss():
    """Switched off they are not asked for; a backend without them has the caller's own field in its losses."""
    assert sent(gpt(user("x"), logprobs=False, top_logprobs=0), "chat")[1] == []
    assert sent(gpt(user("x"), logprobs=True), "chat")[1] == ["logprobs=dropped"]
    assert sent(gpt(user("x"), logprobs=True, top_logprobs=3), "chat")[1] == ["top_logprobs=dropped"]
    assert sent(gpt(user("x"), logprobs=False, top_logprobs=3), "chat")[1] == ["top_logprobs=dropped"]


PATCH = (
    CallBegan(0, "c1", "patch"),
    CallBegan(1, "c2", "look"),
    CallDelta(0, '{"inp'),
    CallDelta(1, '{"x":1}'),
    CallDelta(0, 'ut": "*** \\"a\\""}'),
)


@SDKS
def test_free_text_calls_in_a_stream_are_read_by_the_sdks(sdk):
    """They call a function with the text in `input`, and in `custom` as OpenAI has it; whole, they are custom."""
    fields = {"stop": "tool", "custom_tools": {"patch"}}
    calls = by_sdk(sdk, streamed(*PATCH, **fields))["message"]["tool_calls"]
    assert [(one["id"], one["type"], one["function"]["name"]) for one in calls] == [
        ("c1", "function", "patch"),
        ("c2", "function", "look"),
    ]
    assert json.loads(calls[0]["function"]["arguments"]) == {"input": '*** "a"'}
    assert calls[0]["custom"] == {"name": "patch", "input": '*** "a"'}
    assert "custom" not in calls[1]
    [first, second] = whole(*PATCH, **fields)["message"]["tool_calls"]
    assert (first["type"], first["custom"]) == ("custom", {"name": "patch", "input": '*** "a"'})
    assert second["type"] == "function"
    tools = [{"type": "custom", "custom": {"name": "patch"}}, {"type": "function", "function": {"name": "look"}}]
    for returned in (calls, [first, second]):
        body = gpt(user("x"), assistant(None, tool_calls=returned), tool("c1"), tool("c2"), tools=tools)
        made, losses = sent(body, "chat", "openai", "responses")
        assert made["input"][1] == {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": '*** "a"'}
        assert losses == []


def test_free_text_of_a_call_without_any():
    """A call without arguments has empty text."""
    data = streamed(CallBegan(0, "c1", "patch"), stop="tool", custom_tools={"patch"})
    [call] = by_python("chat", data)["choices"][0]["message"]["tool_calls"]
    assert (call["function"]["arguments"], call["custom"]["input"]) == ("{}", "")


THINKING = (
    ThinkingDelta("hm "),
    ThinkingDelta("so"),
    Signed("c2ln"),
    BlockEnded(),
    ThinkingDelta("un"),
    ThinkingDelta("signed"),
    BlockEnded(),
    Redacted("ZGF0YQ=="),
    ThinkingDelta("last"),
    Signed("bGFzdA=="),
    BlockEnded(),
    TextDelta("hi"),
)


def read_details(holder, known):
    """What a reader sees that prefers `reasoning_details`, as OpenRouter's clients do; known: gets the signatures."""
    details = holder.get("reasoning_details")
    if details is None:
        return holder.get("reasoning_content") or ""
    known += [(one["index"], one[name]) for one in details for name in ("signature", "data") if one.get(name)]
    return "".join(one.get("text") or "" for one in details)


def test_reasoning_is_read_once_whichever_field_a_client_prefers():
    """Both fields bring the whole reasoning, piece by piece, and the signatures bring no text."""
    deltas = [one["delta"] for chunk in events(streamed(*THINKING)) for one in chunk["choices"]]
    signatures = []
    assert "".join(read_details(one, signatures) for one in deltas) == "hm sounsignedlast"
    assert "".join(one.get("reasoning_content") or "" for one in deltas) == "hm sounsignedlast"
    assert [index for index, _ in signatures] == [0, 2, 3]
    message = whole(*THINKING)["message"]
    again = []
    assert read_details(message, again) == message["reasoning_content"] == "hm sounsignedlast"
    assert again == signatures
    [python] = by_python("chat", streamed(*THINKING))["choices"]
    for one, other in zip(python["message"]["reasoning_details"], message["reasoning_details"], strict=True):
        assert {**one, "format": ""} == {**other, "format": ""}


REFUSED = (RefusalDelta("I can"), RefusalDelta("not."))


@SDKS
@pytest.mark.parametrize(("stop", "finish"), [("end", "stop"), ("refusal", "content_filter")])
def test_words_of_refusal_come_once_and_as_nothing_else(sdk, stop, finish):
    """They are no content, so that parse helpers do not take them for the answer."""
    if (sdk, stop) == ("python", "refusal"):
        with pytest.raises(openai.ContentFilterFinishReasonError):
            by_python("chat", streamed(*REFUSED, stop=stop))
        return
    found = by_sdk(sdk, streamed(*REFUSED, stop=stop))
    assert (found["message"]["refusal"], found["message"]["content"] or "") == ("I cannot.", "")
    assert found["finish_reason"] == finish
    [choice] = [whole(*REFUSED, stop=stop)]
    assert (choice["message"]["refusal"], choice["message"]["content"]) == ("I cannot.", None)
    assert choice["finish_reason"] == finish


def test_a_refusal_without_words_behind_text():
    """What was said stays the content, and the refusal says that the model declined."""
    data = streamed(TextDelta("So: "), stop="refusal")
    assert [
        one["delta"]["refusal"] for chunk in events(data) for one in chunk["choices"] if "refusal" in one["delta"]
    ] == ["The model declined to answer."]
    message = whole(TextDelta("So: "), stop="refusal")["message"]
    assert (message["content"], message["refusal"]) == ("So: ", "The model declined to answer.")
