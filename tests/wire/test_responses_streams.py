"""Streams to and from Responses: equal to whole answers, for any split, and legal."""

import json

import openai
import pytest
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from router.ir import Fault
from router.wire import protocols, translate
from router.wire.neutral import assemble

from .responses_samples import PAIRS, RESPONSES, began, call_item, ended, frames, legal, reasoning_item, text_item
from .test_translate_streams import CHAT, MESSAGES, legal_chat, legal_messages, pieces, recorded, texts
from .translations import DONE, check_cuts, context, events, streamed

SAMPLES = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
LEGAL = {"chat": legal_chat, "messages": legal_messages, "responses": legal}
_adapter = TypeAdapter(ResponseStreamEvent)


def calls(answer):
    found = [block for block in answer.blocks if type(block).__name__ == "ToolCall"]
    return [(block.name, json.loads(block.arguments or "{}")) for block in found]


def thoughts(answer):
    return "".join(block.text for block in answer.blocks if type(block).__name__ == "Thinking")


def whole(data, protocol):
    """The neutral answer a stream's bytes stand for."""
    ctx = context()
    return assemble.assemble_answer(translate.Stream(protocol, "chat", ctx).all_events(data), ctx)


def accumulated(data):
    """The final response as the SDK's accumulator has it."""
    state = ResponseStreamState(input_tools=[], text_format=openai.omit)
    for one in events(data):
        if one["type"] != "keepalive":
            state.handle_event(_adapter.validate_python(one))
    return state._completed_response


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_stream_equals_whole(source, target):
    """The events encoded one by one and the answer encoded at once hold the same."""
    found = whole(SAMPLES[source], source)
    data = streamed([SAMPLES[source]], source, target=target)
    LEGAL[target](data)
    made = whole(data, target)
    at_once = translate.encode_answer(found, target, context(), stream=False)
    back = protocols.BY_NAME[target].codec.decode_answer(json.loads(at_once), context())
    assert [type(block) for block in made.blocks] == [type(block) for block in found.blocks]
    # A Chat stream says reasoning twice: as it comes, and whole beside its proof.
    for read in (texts, calls, thoughts)[: 2 if target == "chat" else 3]:
        assert read(made) == read(back) == read(found)
    assert (made.stop, made.usage) == (back.stop, back.usage)
    assert (made.usage.input, made.usage.output, made.stop) == (6, 4, "tool")


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_split(source, target):
    """The same bytes come out for every split of the input."""
    data = SAMPLES[source]
    wanted = streamed([data], source, target=target)
    assert len(data) > 1000
    check_cuts(([data[:at], data[at:]] for at in range(len(data))), source, wanted, target)


@pytest.mark.parametrize(("source", "target"), PAIRS)
@pytest.mark.parametrize("form", ["crlf", "cr", "comments", "bom", "no space"])
def test_forms_of_lines(source, target, form):
    """Line ends, comments, a byte order mark and a missing space change nothing, in whole, bytewise or split."""
    data = SAMPLES[source]
    wanted = streamed([data], source, target=target)
    made = {
        "crlf": data.replace(b"\n", b"\r\n"),
        "cr": data.replace(b"\n", b"\r"),
        "comments": b": hello\n\n" + data.replace(b"\n\n", b"\n\n: keep-alive\n\n"),
        "bom": b"\xef\xbb\xbf" + data,
        "no space": data.replace(b"data: ", b"data:"),
    }[form]
    assert streamed([made], source, target=target) == wanted
    assert streamed([made[at : at + 1] for at in range(len(made))], source, target=target) == wanted
    check_cuts((pieces(made, seed) for seed in range(50)), source, wanted, target)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_beginning_is_unfinished(source, target):
    """A stream that is cut anywhere before its end never looks finished."""
    blocks = SAMPLES[source].split(b"\n\n")
    ends = (b"[DONE]", b"message_stop", b'"finish_reason":"', b"response.completed", b"response.incomplete")
    for count in range(len(blocks) - (4 if source == "chat" else 2)):
        made = streamed([b"\n\n".join(blocks[:count]) + b"\n\n"], source, target=target)
        assert not any(end in made for end in ends)


@pytest.mark.parametrize("source", ["chat", "messages"])
def test_the_sdk_puts_it_together(source):
    """OpenAI's accumulator accepts every event and ends with the response of the last."""
    data = streamed([SAMPLES[source]], source, target="responses")
    final = accumulated(data)
    assert final.output_text == "It is \u00e9\u2028 so."
    assert [one.type for one in final.output][:3] == ["reasoning", "message", "function_call"]
    assert final.usage.total_tokens == final.usage.input_tokens + final.usage.output_tokens


def of(folder, **without):
    return recorded(folder, **without)


@pytest.mark.parametrize("data", of("anthropic", without=("duplicate", "incomplete")))
def test_recorded_messages(data):
    """Recorded Anthropic streams become legal Responses streams with the same text and calls, in any pieces."""
    made = streamed([data], "messages", target="responses")
    assert streamed(pieces(data, 1), "messages", target="responses") == made
    legal(made)
    before, after = whole(data, "messages"), whole(made, "responses")
    assert (texts(before), before.refusal) == (texts(after), after.refusal)
    assert calls(before) == calls(after)


@pytest.mark.parametrize("data", of("compat") + of("openai-chat"))
def test_recorded_chat(data):
    """Recorded streams of compatible servers become legal Responses streams."""
    finished = any(one.get("choices") and one["choices"][0].get("finish_reason") for one in events(data))
    data += DONE if finished else b""
    made = streamed([data], "chat", target="responses")
    assert streamed(pieces(data, 1), "chat", target="responses") == made
    if not finished or any(one.get("error") for one in events(data)):
        assert b"response.completed" not in made
        return
    legal(made)
    before, after = whole(data, "chat"), whole(made, "responses")
    assert (texts(before), calls(before)) == (texts(after), calls(after))


def single(found):
    """Recordings of several answers, one by one."""
    for param in found:
        for at, part in enumerate(param.values[0].split(b'data: {"type":"response.created"')[1:]):
            yield pytest.param(b'data: {"type":"response.created"' + part, id=f"{param.id}-{at}")


@pytest.mark.parametrize("data", list(single(of("openai-responses"))))
@pytest.mark.parametrize("target", ["chat", "messages"])
def test_recorded_responses(data, target):
    """Recorded OpenAI streams become legal streams of both others, with the text and calls of the last event."""
    made = streamed([data], "responses", target=target)
    assert streamed(pieces(data, 1), "responses", target=target) == made
    before = whole(data, "responses")
    if isinstance(before, Fault):
        assert not any(end in made for end in (b"message_stop", b"[DONE]"))
        return
    final = events(data)[-1]["response"]
    said = [part for item in final["output"] if item["type"] == "message" for part in item["content"]]
    assert texts(before) == "".join(part["text"] for part in said)
    if target == "messages" or not any(item["type"] == "custom_tool_call" for item in final["output"]):
        LEGAL[target](made)
    after = whole(made, target)
    assert (texts(before), calls(before)) == (texts(after), calls(after))


def test_64_calls_in_turns():
    """Calls whose pieces alternate stay separate; in Responses both are open at once, in Messages one waits."""
    one, two = call_item(0, "c1", "look", '{"a":', "1}"), call_item(1, "c2", "look", '{"b":', "2}")
    mixed = [one[0], two[0], one[1], two[1], one[2], two[2], *one[3:], *two[3:]]
    data = frames(*began(), *mixed, ended())
    found = [("look", {"a": 1}), ("look", {"b": 2})]
    for target in ("messages", "chat"):
        made = streamed([data], "responses", target=target)
        LEGAL[target](made)
        assert calls(whole(made, target)) == found
        again = streamed([made], target, target="responses")
        legal(again)
        assert calls(whole(again, "responses")) == found


def test_text_behind_a_call_keeps_its_place():
    """Text behind a call keeps its place."""
    data = frames(*began(), *call_item(0, "c1", "look", "{}"), *text_item(1, "then"), *reasoning_item(2, "hm"), ended())
    made = streamed([data], "responses", target="messages")
    again = streamed([made], "messages", target="responses")
    assert [one["type"] for one in legal(again)["output"]] == ["function_call", "message", "reasoning"]


def test_an_answer_that_was_cut_short():
    """Only the last item of an answer cut short is incomplete; the reason has each protocol's name."""
    cut = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    data = frames(*began(), *text_item(0, "so"), *call_item(1, "c1", "look", '{"a'), cut)
    assert whole(data, "responses").stop == "length"
    chat = streamed([data], "responses", target="chat")
    assert b'"finish_reason":"length"' in chat
    response = legal(streamed([chat], "chat", target="responses"))
    assert (response["status"], response["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


def test_a_filtered_answer():
    """An answer that a filter cut short is a refusal in the neutral form. In Responses it is complete and ends with a
    refusal, for Codex repeats an incomplete one; incomplete is only one that says nothing."""
    cut = ended("incomplete", incomplete_details={"reason": "content_filter"})
    found = whole(frames(*began(), *text_item(0, "so"), cut), "responses")
    assert found.stop == "refusal"
    said = json.loads(translate.encode_answer(found, "responses", context(), stream=False))
    kinds = [[part["type"] for part in item["content"]] for item in said["output"]]
    assert (said["status"], kinds) == ("completed", [["output_text"], ["refusal"]])
    silent = whole(frames(*began(), cut), "responses")
    at_once = json.loads(translate.encode_answer(silent, "responses", context(), stream=False))
    assert (at_once["status"], at_once["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})


def test_a_refusal():
    """A refusal part comes once: as words of refusal in the neutral form and in Chat, as text and a stop reason in
    Messages, and as a part again on the way back."""
    part = {"type": "refusal", "refusal": "I cannot."}
    item = {"type": "response.output_item.done", "output_index": 0}
    data = frames(*began(), {**item, "item": {"id": "m", "type": "message", "content": [part]}}, ended())
    found = whole(data, "responses")
    assert (found.stop, found.refusal, texts(found)) == ("end", "I cannot.", "")
    for chat in (whole(streamed([data], "responses", target="chat"), "chat"), found):
        message = json.loads(translate.encode_answer(chat, "chat", context(), stream=False))["choices"][0]
        assert (message["finish_reason"], message["message"]["refusal"], message["message"]["content"]) == (
            "stop",
            "I cannot.",
            None,
        )
    at_messages = json.loads(translate.encode_answer(found, "messages", context(), stream=False))
    assert (at_messages["stop_reason"], at_messages["content"]) == ("refusal", [{"type": "text", "text": "I cannot."}])
    made = streamed([streamed([data], "responses", target="messages")], "messages", target="responses")
    assert legal(made)["output"][-1]["content"] == [part]
