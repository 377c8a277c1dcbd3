"""Compactions: the request for a summary, the one sealed item that comes of any answer, and its way back."""

import json

import pytest

from router.errors import BadRequest
from router.ir import Ended, RefusalDelta, TextDelta, Usage
from router.wire import calls, translate
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.neutral import summary
from router.wire.raw.json.top_level import peek
from router.wire.responses.input import compaction

from ...answers import GOOD
from ...growth import grows_evenly
from ..responses_samples import LOOK, called, frames, output, say, shell
from ..translations import DONE, call, chunk, context, event, events, sent, streamed

TRIGGER = {"type": "compaction_trigger"}
HISTORY = [say("user", "Fix the bug."), called(), output(), say("assistant", "Done."), say("user", "And?")]
SEALER = StateSealer(make_signer(b"key"), "elsewhere", "other-model")


def asked(*items, **fields):
    return {"model": "x", "input": [*items, TRIGGER], "store": False, **fields}


def item_of(text, sealer=SEALER):
    return {"type": "compaction", "id": "cmp_1", "encrypted_content": sealer.seal_summary(text)}


def told(made):
    """All that a translated request says, as text."""
    return json.dumps(made["messages"], ensure_ascii=False)


# The request


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_a_trigger_becomes_a_question(target):
    """The history stays, its last message asks for a note, no tool may be called, the output is capped, and what the
    caller wanted of an ordinary answer is left out."""
    body = asked(
        *HISTORY,
        tools=[LOOK],
        tool_choice="required",
        max_output_tokens=90_000,
        parallel_tool_calls=False,
        text={"format": {"type": "json_object"}},
        context_management=[{"type": "compaction"}],
    )
    made, lost = sent(body, "responses", "", target, model="claude-sonnet-4-5")
    assert lost == []
    assert "Fix the bug." in told(made)
    assert "compaction_trigger" not in told(made)
    assert made["messages"][-1]["role"] == "user"
    assert "about to be removed" in json.dumps(made["messages"][-1])
    assert len(made["tools"]) == 1
    assert made["tool_choice"] in ("none", {"type": "none"})
    assert made["max_tokens"] == compaction.LIMIT
    assert not {"response_format", "output_config", "parallel_tool_calls"} & made.keys()


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_tools_that_an_item_brings_may_not_be_called_either(target):
    """Codex declares the tools of newer models so."""
    made, _ = sent(asked({"type": "additional_tools", "tools": [LOOK]}, *HISTORY), "responses", "", target)
    assert len(made["tools"]) == 1
    assert made["tool_choice"] in ("none", {"type": "none"})


def test_a_limit_of_the_callers_own_holds():
    """A budget may count on it; a wrong one is refused."""
    made, _ = sent(asked(*HISTORY, max_output_tokens=300), "responses", "", "chat")
    assert made["max_tokens"] == 300
    with pytest.raises(BadRequest, match=r"^max_output_tokens: "):
        sent(asked(*HISTORY, max_output_tokens="many"), "responses", "", "chat")


def test_a_summary_needs_little_thought():
    """Reasoning counts against the cap, so a high effort is lowered; a low one and none stay."""
    for effort, expected in (("xhigh", "low"), ("medium", "low"), ("low", "low"), ("minimal", "minimal")):
        made, _ = sent(asked(*HISTORY, reasoning={"effort": effort}), "responses", "openai", "chat", model="gpt-5")
        assert made["reasoning_effort"] == expected, effort


@pytest.mark.parametrize("target", ["messages", "chat"])
def test_a_trigger_that_is_not_last_is_refused(target):
    """It asks for nothing there."""
    body = {"model": "x", "input": [TRIGGER, say("user", "hi")]}
    with pytest.raises(BadRequest, match=r"^input\[0\]: compaction_trigger must be the last item"):
        sent(body, "responses", "", target)


ENDS = [
    (asked(), True),
    (asked(say("user", "x" * 5000)), True),
    ({"model": "x", "input": [{**TRIGGER, "id": "ct_1"}]}, True),
    ({"model": "x", "input": [TRIGGER, say("user", "hi")]}, False),
    ({"model": "x", "input": "compaction_trigger"}, False),
    ({"model": "x", "input": [say("user", '{"type":"compaction_trigger"}')]}, False),
    ({"model": "x", "input": [{"role": "user", "content": [TRIGGER]}]}, False),
    ({"model": "x", "input": []}, False),
    ({"model": "x"}, False),
]


@pytest.mark.parametrize("layout", [(",", ":"), (", ", ": ")], ids=["tight", "spaced"])
@pytest.mark.parametrize(("body", "expected"), ENDS, ids=range(len(ENDS)))
def test_a_trigger_is_found_at_the_end(body, expected, layout):
    """By the end of the input alone; what looks like one inside a text or a message is none."""
    data = json.dumps(body, separators=layout).encode()
    found = calls.by_content(calls.call("/v1/responses"), peek(data))
    assert found.compacts is expected
    assert found.path == "/v1/responses"
    assert compaction.has_trigger(body) is expected


# The answer


def claude_stream(*blocks, stop="end_turn"):
    """A Messages stream with blocks as (start, delta)."""
    usage = {"input_tokens": 90, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    out = [event("message_start", message=message)]
    for at, (start, delta) in enumerate(blocks):
        out.append(event("content_block_start", index=at, content_block=start))
        if delta:
            out.append(event("content_block_delta", index=at, delta=delta))
        out.append(event("content_block_stop", index=at))
    out.append(event("message_delta", delta={"stop_reason": stop}, usage={"output_tokens": 7}))
    return b"".join([*out, event("message_stop")])


TEXT = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "All is well."})
THOUGHT = ({"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"})
USE = ({"type": "tool_use", "id": "t", "name": "look", "input": {}}, {"type": "input_json_delta", "partial_json": "{}"})


def chat_stream(*deltas, finish="stop"):
    usage = {"prompt_tokens": 90, "completion_tokens": 7, "total_tokens": 97}
    return b"".join([*map(chunk, deltas), chunk({}, finish, usage=usage), DONE])


def responses_stream(*items, status="completed", **fields):
    usage = {"input_tokens": 90, "output_tokens": 7, "total_tokens": 97}
    parts = [{"type": "response.output_item.done", "output_index": at, "item": one} for at, one in enumerate(items)]
    end = {"type": f"response.{status}", "response": shell(status, items, usage=usage, **fields)}
    return frames({"type": "response.created", "response": shell("in_progress")}, *parts, end)


def message(text, kind="output_text"):
    name = "refusal" if kind == "refusal" else "text"
    return {"type": "message", "id": "m", "role": "assistant", "content": [{"type": kind, name: text}]}


CALLED = {"type": "function_call", "id": "f", "call_id": "c", "name": "look", "arguments": "{}"}
CUT = f"All is well.\n{summary.CUT}"
ANSWERS = {
    "text": ("messages", claude_stream(TEXT), "All is well."),
    "thought and text": ("messages", claude_stream(THOUGHT, TEXT), "All is well."),
    "two texts": ("messages", claude_stream(TEXT, TEXT), "All is well.All is well."),
    "text and call": ("messages", claude_stream(TEXT, USE, stop="tool_use"), "All is well."),
    "cut": ("messages", claude_stream(TEXT, stop="max_tokens"), CUT),
    "chat": ("chat", chat_stream({"content": "All is "}, {"content": "well."}), "All is well."),
    "chat, reasoning": ("chat", chat_stream({"reasoning_content": "hm"}, {"content": "All is well."}), "All is well."),
    "chat, cut": ("chat", chat_stream({"content": "All is well."}, finish="length"), CUT),
    "responses": ("responses", responses_stream(message("All is well.")), "All is well."),
    "two items": ("responses", responses_stream(message("One."), message("Two.")), "One.Two."),
}
FAILURES = {
    "empty": ("messages", claude_stream(), "wrote no summary"),
    "blank": ("chat", chat_stream({"content": " \n"}), "wrote no summary"),
    "call alone": ("messages", claude_stream(USE, stop="tool_use"), "called a tool"),
    "chat call alone": ("chat", chat_stream(call(0, "c", "look", "{}"), finish="tool_calls"), "called a tool"),
    "thought until the limit": ("messages", claude_stream(THOUGHT, stop="max_tokens"), "output limit"),
    "refusal": ("messages", claude_stream(TEXT, stop="refusal"), r"refused .*\(All is well\.\)"),
    "refusal in words": ("responses", responses_stream(message("I won't.", "refusal")), r"refused .*\(I won't\.\)"),
    "filtered": ("chat", chat_stream(finish="content_filter"), "refused"),
    "responses call alone": ("responses", responses_stream(CALLED), "called a tool"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_has_exactly_one_item(name):
    """Whatever the model writes beside its summary: created, added, done, completed with the usage."""
    source, data, expected = ANSWERS[name]
    ctx = context(compaction="item", request_sent=True)
    found = [one for one in events(streamed([data], source, ctx, "responses")) if one["type"] != "keepalive"]
    kinds = ["created", "in_progress", "output_item.added", "output_item.done", "completed"]
    assert [one["type"] for one in found] == [f"response.{kind}" for kind in kinds]
    numbers = [one["sequence_number"] for one in found]
    assert numbers == sorted(set(numbers))
    item, response = found[3]["item"], found[-1]["response"]
    assert found[2]["item"] == item
    assert response["output"] == [item]
    assert (item["type"], item["id"][:4]) == ("compaction", "cmp_")
    assert ctx.sealer.unseal_summary(item["encrypted_content"]) == expected
    assert (response["status"], response["incomplete_details"]) == ("completed", None)
    assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (90, 7)
    assert [loss.path for loss in ctx.losses] == (["output"] if expected is CUT else [])


@pytest.mark.parametrize("name", FAILURES)
def test_an_answer_without_a_summary_is_an_error(name):
    """No item then, but an error that says why, in both forms and with a code that no client tries again."""
    source, data, expected = FAILURES[name]
    found = events(streamed([data], source, context(compaction="item"), "responses"))
    assert not [one for one in found if "output_item" in one["type"]]
    error, failed = found[-2:]
    assert (error["type"], error["error"]["code"], failed["type"]) == ("error", summary.CODE, "response.failed")
    assert failed["response"]["error"]["code"] == "invalid_prompt"
    with pytest.raises(AssertionError, match=expected):
        raise AssertionError(error["message"])


def whole(source, data, ctx, *, stream=False):
    """The translation of a whole answer."""
    return translate.answer(json.dumps(data).encode(), source, "responses", ctx, stream=stream)


@pytest.mark.parametrize("source", ["messages", "chat", "responses"])
def test_a_whole_answer(source):
    """It has the one item, whether the client asked for a stream or not."""
    for stream in (False, True):
        ctx = context(compaction="item")
        made = whole(source, GOOD[source], ctx, stream=stream)
        assert (made.status, made.usage.input) == (200, 3)
        response = events(made.body)[-1]["response"] if stream else json.loads(made.body)
        [item] = response["output"]
        assert (response["object"], item["type"]) == ("response", "compaction")
        assert ctx.sealer.unseal_summary(item["encrypted_content"]) == "good"


def test_a_whole_answer_without_a_summary():
    """It is a 400, which no client repeats."""
    made = whole("messages", {**GOOD["messages"], "content": []}, context(compaction="item"))
    error = json.loads(made.body)["error"]
    assert (made.status, error["code"], error["type"]) == (400, summary.CODE, "invalid_request_error")


def test_the_endpoint():
    """Its object has the user's messages, then the one item, and the usage; nothing is kept."""
    ctx = context(compaction="object", store=lambda answer: pytest.fail("stored"))
    body = {"model": "x", "instructions": "Be good.", "input": [*HISTORY, {"role": "user", "content": "Last."}]}
    translate.request(json.dumps(body).encode(), "responses", "chat", ctx)
    found = json.loads(whole("chat", GOOD["chat"], ctx).body)
    *messages, item = found["output"]
    assert (found["object"], found["id"][:5], found["created_at"]) == ("response.compaction", "resp_", 1)
    assert [one["content"][0]["text"] for one in messages] == ["Fix the bug.", "And?", "Last."]
    assert {(one["type"], one["role"], one["status"], one["id"][:4]) for one in messages} == {
        ("message", "user", "completed", "msg_")
    }
    assert item["type"] == "compaction"
    assert found["usage"]["total_tokens"] == 4


def test_the_endpoint_is_no_stream():
    """It is not answered in another form than asked for."""
    body = {"model": "x", "input": "hi", "stream": True}
    with pytest.raises(BadRequest, match=r"^stream: "):
        translate.request(json.dumps(body).encode(), "responses", "chat", context(compaction="object"))


def test_a_long_answer_shows_signs_of_life_and_is_bounded():
    """A summary of any length has few events until it is whole, and is cut at the bound, which it says."""
    ctx = context(compaction="item", request_sent=True)
    stream = translate.Stream("chat", "responses", ctx)
    pieces = [stream.feed(chunk({"content": "x" * 1000})) for _ in range(1000)]
    assert stream.meaningful
    assert 10 <= sum(b"keepalive" in piece for piece in pieces) <= 20
    last = stream.feed(chunk({}, "stop") + DONE) + stream.end()
    [item] = events(last)[-1]["response"]["output"]
    found = ctx.sealer.unseal_summary(item["encrypted_content"])
    assert found == f"{'x' * summary.TEXT_LIMIT}\n{summary.CUT}"


# What it costs


def test_the_end_of_a_long_input_is_found_at_once():
    """Without looking through what stands before it."""
    for size in (10, 10_000):
        top = peek(json.dumps(asked(*[say("user", "x")] * size)).encode())
        assert len(top.tail("input", 1024)) <= 1024
        assert compaction.is_asked_at_end(top)


HOSTILE = {
    "triggers": lambda count: [TRIGGER] * count,
    "own items": lambda count: [item_of("x")] * count,
    "words": lambda count: [say("user", "compaction " * count)],
    "items": lambda count: [say("user", "compaction")] * count,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_twice_the_input_is_restored_in_twice_the_time(name):
    """Whatever a caller fills it with."""

    def make(count):
        return json.dumps(HOSTILE[name](count)).encode()

    grows_evenly(make, lambda raw: compaction.unseal_items(raw, SEALER, "up", compacts=True), 4000)


def test_a_long_answer_is_collected_in_even_time():
    """Each piece of it costs the same."""

    def collect(pieces):
        found = summary.SummaryFilter(context(compaction="item"))
        for piece in pieces:
            found.apply(piece)
        found.apply(Ended("end", Usage()))

    for kind in (TextDelta, RefusalDelta):
        grows_evenly(lambda count, kind=kind: [kind("x" * 40)] * count, collect, 20_000)
