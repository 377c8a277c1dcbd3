"""Parts of answers are remembered for callers that do not send them back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import Thinking, ToolCall
from router.wire import translate
from router.wire.conversation.replay_memory import RecordedCall, ReplayMemory

from ...growth import grows_evenly
from ..translations import (
    DONE,
    TOOL,
    assistant,
    blocks,
    call,
    calls,
    chunk,
    claude,
    context,
    event,
    gpt,
    result,
    sent,
    streamed,
    tool,
    use,
    user,
)


def test_what_was_used_longest_ago_goes_first():
    """The number of entries is bounded; looking one up keeps it."""
    memory = ReplayMemory(entries=2)
    for name in ("a", "b"):
        memory.put(RecordedCall(name, "{}"))
    memory.get(ToolCall("a", "look", "{}"))
    memory.put(RecordedCall("c", "{}"))
    assert [memory.get(ToolCall(name, "look", "{}")) is not None for name in "abc"] == [True, False, True]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000))))
def test_it_never_holds_more_than_its_bounds(puts):
    """Whatever is put, entries and bytes stay bounded, and the last one is there if it fits at all."""
    memory = ReplayMemory(entries=4, size=4000)
    kept = set()
    for name, size in puts:
        memory.put(RecordedCall(name, "x" * size))
        kept.add((name, size))
        assert len(memory) <= 4
        held = [found for one, other in kept if (found := memory.get(_call(one, other), repeated=True)) is not None]
        assert sum(one.size for one in held) <= 4000
        assert len(held) == len(memory)
    if puts and RecordedCall(*puts[-1][:1], "x" * puts[-1][1]).size <= 4000:
        assert len(memory.get(_call(*puts[-1]), repeated=True).arguments) == puts[-1][1]


def _call(name, size):
    return ToolCall(name, "look", "x" * size)


def test_a_huge_call_is_not_kept():
    """One entry cannot put all others out."""
    memory = ReplayMemory()
    memory.put(RecordedCall("a", "{}"))
    memory.put(RecordedCall("b", "x" * (1 << 20)))
    assert memory.get(ToolCall("a", "look", "{}")) is not None
    assert memory.get(ToolCall("b", "look", "{}")) is None


THOUGHT = [
    {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
    {"type": "text", "text": "so"},
    use("t1", x=1),
    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    use("t2"),
]


def whole_answer(content):
    return {"id": "m", "content": content, "stop_reason": "tool_use", "usage": {}}


def answered(memory, content, *, stream, model="claude-opus-5"):
    """Let a Chat caller have an answer of a Messages upstream."""
    ctx = context(model=model, memory=memory)
    data = json.dumps(whole_answer(content)).encode()
    if not stream:
        return translate.answer(data, "messages", "chat", ctx, stream=False)
    events = [event("message_start", message={"id": "m", "usage": {}})]
    for at, block in enumerate(content):
        kind = block["type"]
        empty = {"thinking": {**block, "thinking": "", "signature": ""}, "text": {**block, "text": ""}}
        events.append(event("content_block_start", index=at, content_block=empty.get(kind, {**block, "input": {}})))
        deltas = {
            "thinking": [
                {"type": "thinking_delta", "thinking": block.get("thinking")},
                {"type": "signature_delta", "signature": block.get("signature")},
            ],
            "text": [{"type": "text_delta", "text": block.get("text")}],
            "tool_use": [{"type": "input_json_delta", "partial_json": json.dumps(block.get("input"))}],
        }
        events += [event("content_block_delta", index=at, delta=delta) for delta in deltas.get(kind, [])]
        events.append(event("content_block_stop", index=at))
    events += [event("message_delta", delta={"stop_reason": "tool_use"}, usage={}), event("message_stop")]
    return streamed(events, "messages", ctx)


#: What a plain Chat client sends back: text, calls and results, nothing of the reasoning.
PLAIN = gpt(
    user("x"),
    calls(("t1", "look", '{"x": 1}'), ("t2", "look", "{}"), content="so"),
    tool("t1"),
    tool("t2"),
    tools=[{"type": "function", "function": {"name": "look"}}],
)


@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_that_the_client_dropped_goes_back(stream):
    """A plain Chat client sends no reasoning: its genuine blocks stand where they stood, byte for byte."""
    memory = ReplayMemory()
    answered(memory, THOUGHT, stream=stream)
    made, losses = sent(PLAIN, "chat", model="claude-opus-5", memory=memory)
    assert made["messages"][1]["content"] == THOUGHT
    assert losses == []


def test_reasoning_of_another_model_stays_out():
    """It is sealed for the upstream and model that wrote it; and it is no loss to a client that never sent it."""
    memory = ReplayMemory()
    answered(memory, THOUGHT, stream=False)
    made, losses = sent(PLAIN, "chat", model="claude-sonnet-5", memory=memory)
    assert [part["type"] for part in made["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
    assert losses == []


@pytest.mark.parametrize(("vendor", "expected"), [("deepseek", "hm"), ("", None)])
def test_reasoning_text_goes_back_where_it_is_taken(vendor, expected):
    """DeepSeek gets its own text though the client dropped it; a server that does not ask for it gets none."""
    memory = ReplayMemory()
    data = chunk({"reasoning_content": "hm"}) + chunk(call(0, "t1", "look", "{}")) + chunk({}, "tool_calls") + DONE
    streamed([data], "chat", context(vendor, memory=memory))
    asked = claude(user("x"), assistant([use()]), user([result("r")]), tools=[TOOL])
    made, losses = sent(asked, "messages", vendor, memory=memory, policy="strict")
    assert made["messages"][1].get("reasoning_content") == expected
    assert losses == []


def test_nothing_depends_on_it():
    """Without the memory the request is as good as it can be: no reasoning, and no error."""
    made, losses = sent(PLAIN, "chat", model="claude-opus-5", memory=ReplayMemory())
    assert [part["type"] for part in made["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
    assert losses == []


def test_what_the_client_sends_itself_is_not_doubled():
    """Reasoning that came back with the history stays as it is."""
    memory = ReplayMemory()
    memory.put(RecordedCall("t1", "{}", (Thinking("other", "rtr1.x"),)))
    thinking = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    made, _ = sent(claude(user("x"), assistant([thinking, use()]), user([result("r")])), "messages", memory=memory)
    assert "other" not in json.dumps(made)


SPACED = '{"b": 1.0, "a": [1,  2]}'


def test_ids_and_arguments_go_back_as_the_upstream_wrote_them():
    """A Messages client returns an id and arguments in its own spelling; the upstream reads its own again."""
    memory = ReplayMemory()
    data = chunk(call(0, "functions.look:0", "look", SPACED)) + chunk({}, "tool_calls") + DONE
    [block] = blocks(streamed([data], "chat", context(memory=memory)))
    assert block["id"] != "functions.look:0"
    asked = claude(
        user("x"),
        assistant([use(block["id"], b=1.0, a=[1, 2])]),
        user([result("r", block["id"])]),
        tools=[TOOL],
    )
    made, _ = sent(asked, "messages", memory=memory)
    [entry] = made["messages"][1]["tool_calls"]
    assert (entry["id"], entry["function"]["arguments"]) == ("functions.look:0", SPACED)
    assert made["messages"][2]["tool_call_id"] == "functions.look:0"


def test_arguments_that_the_client_changed_stay_changed():
    """What a hook or a user edited is what is meant."""
    memory = ReplayMemory()
    memory.put(RecordedCall("t1", SPACED))
    made, _ = sent(
        claude(user("x"), assistant([use(b=2)]), user([result("r")]), tools=[TOOL]), "messages", memory=memory
    )
    assert made["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"b":2}'


def test_a_conversation_keeps_its_prefix_with_a_memory():
    """Each turn translates to what the turn before did, and more."""
    memory = ReplayMemory()
    answered(memory, THOUGHT, stream=True)
    longer = {**PLAIN, "messages": [*PLAIN["messages"], assistant("done"), user("more")]}
    first, _ = sent(PLAIN, "chat", model="claude-opus-5", memory=memory)
    second, _ = sent(longer, "chat", model="claude-opus-5", memory=memory)
    assert json.dumps(second["messages"]).startswith(json.dumps(first["messages"])[:-1])


@pytest.mark.parametrize("known", [False, True])
def test_reasoning_that_is_mere_text_goes_to_an_upstream_that_takes_text(known):
    """Text without any proof is the model's as far as anyone knows: it goes back where text is enough, and is a loss
    elsewhere. What is remembered of the turn counts more."""
    memory = ReplayMemory()
    if known:
        data = chunk({"reasoning_content": "own"}) + chunk(call(0, "t1", "look", "{}")) + chunk({}, "tool_calls") + DONE
        streamed([data], "chat", context("deepseek", memory=memory))
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    asked = claude(user("x"), assistant([unsigned, use()]), user([result("r")]), tools=[TOOL])
    made, losses = sent(asked, "messages", "deepseek", memory=memory)
    assert made["messages"][1]["reasoning_content"] == ("own" if known else "hm")
    assert losses == []
    made, losses = sent(asked, "messages", "", memory=memory)
    assert "reasoning_content" not in made["messages"][1]
    assert len(losses) == 1
    signed = {**unsigned, "signature": "c2ln"}
    made, _ = sent(
        claude(user("x"), assistant([signed, use()]), user([result("r")]), tools=[TOOL]),
        "messages",
        "deepseek",
        memory=ReplayMemory(),
    )
    assert made["messages"][1]["reasoning_content"] == ""


def asking(*messages):
    """A Chat request as far as it can be compared with PLAIN."""
    return gpt(*messages, tools=PLAIN["tools"])


def remembered(memory, body, thought, call_id="call_0", arguments=None):
    """Let a Messages upstream answer a request with a thought and a call."""
    ctx = context(model="claude-opus-5", memory=memory)
    translate.request(json.dumps(body).encode(), "chat", "messages", ctx)
    content = [{"type": "thinking", "thinking": thought, "signature": "c2ln"}, use(call_id, **(arguments or {}))]
    translate.answer(json.dumps(whole_answer(content)).encode(), "messages", "chat", ctx, stream=False)


def thoughts_of(memory, *messages):
    """The reasoning that the upstream gets with a request."""
    made, _ = sent(asking(*messages), "chat", model="claude-opus-5", memory=memory)
    content = [block for one in made["messages"] if one["role"] == "assistant" for block in one["content"]]
    return [block["thinking"] for block in content if block["type"] == "thinking"]


@pytest.mark.parametrize("call_id", ["call_0", "call_00_same", "functions.look:0", "toolu_01ABCDEFGHIJK"])
def test_reasoning_never_comes_from_another_conversation(call_id):
    """Ids that are counted anew in each conversation do not mix them, nor does an id that was given twice."""
    memory = ReplayMemory()
    remembered(memory, asking(user("one")), "first", call_id)
    remembered(memory, asking(user("two")), "second", call_id)
    said = calls((call_id, "look", "{}")), tool(call_id)
    assert thoughts_of(memory, user("one"), *said) == ["first"]
    assert thoughts_of(memory, user("two"), *said) == ["second"]
    assert thoughts_of(memory, user("three"), *said) == []


def test_an_id_that_repeats_in_a_conversation():
    """Each call has its own reasoning, and one that is not remembered has none."""
    memory = ReplayMemory()
    turns = [user("go")]
    for at in (0, 1):
        turns += [calls(("call_0", "look", json.dumps({"x": at}))), tool("call_0")]
    seal = context(model="claude-opus-5").sealer.seal
    thought = Thinking("second", seal("signature", "c2ln", "second"))
    memory.put(RecordedCall("call_0", '{"x": 1}', (thought,), "look"))
    assert thoughts_of(memory, *turns) == ["second"]
    thought = Thinking("first", seal("signature", "c2ln", "first"))
    memory.put(RecordedCall("call_0", '{"x": 0}', (thought,), "look"))
    assert thoughts_of(memory, *turns) == ["first", "second"]


def test_an_answer_that_was_made_again():
    """The client has the last one."""
    memory = ReplayMemory()
    for thought in ("first", "again"):
        remembered(memory, asking(user("one")), thought)
    assert thoughts_of(memory, user("one"), calls(("call_0", "look", "{}")), tool("call_0")) == ["again"]


@pytest.mark.parametrize(("call_id", "expected"), [("toolu_01ABCDEFGHIJK", ["own"]), ("call_0", []), ("call_same", [])])
def test_a_history_that_the_client_shortened(call_id, expected):
    """An id that was drawn still names its call; a counted one names any."""
    memory = ReplayMemory()
    remembered(memory, asking(user("long"), assistant("ago"), user("one")), "own", call_id)
    said = calls((call_id, "look", "{}")), tool(call_id)
    assert thoughts_of(memory, user("summary"), *said) == expected
    assert thoughts_of(memory, user("summary"), calls((call_id, "other", "{}")), tool(call_id)) == []
    assert thoughts_of(memory, user("summary"), calls((call_id, "look", '{"x": 1}')), tool(call_id)) == []


def test_conversations_that_begin_alike():
    """A counted id names the same call only with equal arguments; a drawn one also where they were edited."""
    edited = '{"x": 2}'
    for call_id, expected in (("call_0", []), ("call_00_same", []), ("toolu_01ABCDEFGHIJK", ["own"])):
        memory = ReplayMemory()
        remembered(memory, asking(user("go on")), "own", call_id, {"x": 1})
        assert thoughts_of(memory, user("go on"), calls((call_id, "look", edited)), tool(call_id)) == expected
        assert thoughts_of(memory, user("go on"), calls((call_id, "look", '{"x": 1}')), tool(call_id)) == ["own"]


@pytest.mark.parametrize("part", ["a", "1", "a1", "1-", "-a"])
def test_recalling_a_call_grows_with_its_id_alone(part):
    """Ids are texts of callers, of any length."""

    def make(size):
        memory, name = ReplayMemory(), part * (size // len(part)) + "!"
        memory.put(RecordedCall(name, "{}"))
        return memory, ToolCall(name, "f", "{}")

    grows_evenly(make, lambda made: made[0].get(made[1]), 20_000)
