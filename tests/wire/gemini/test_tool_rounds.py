"""Tool rounds of Gemini callers at upstreams of other protocols: what the upstream said comes back to it as it was."""

import json

import pytest

from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory

from ..messages_samples import stream as messages_stream
from ..messages_samples import whole as messages_whole
from ..translations import DONE, chunk, context, use
from .gemini_answers import parts_of
from .gemini_samples import LOOK, asked, response, user
from .test_carriers import CLIENTS

MODEL = "claude-opus-5"
THOUGHT = {"type": "thinking", "thinking": "Let me look.", "signature": "c2lnbmVk"}
HIDDEN = {"type": "redacted_thinking", "data": "b3BhcXVl"}
SAID = {"type": "text", "text": "Looking."}
CALL = use("toolu_1", "look", at="a")
ANSWERS = {
    "a call": [THOUGHT, CALL],
    "text and a call": [THOUGHT, SAID, CALL],
    "hidden": [HIDDEN, THOUGHT, SAID, CALL],
    "two calls": [THOUGHT, CALL, use("toolu_2", "look", at="b")],
}


def ask(contents, vendor, target, model, memory=None, **config):
    """The request that the upstream gets, and the context of its answer."""
    ctx = context(vendor, model=model, memory=memory)
    thinking = {"thinkingLevel": "HIGH", "includeThoughts": True, **config}
    body = asked(*contents, tools=[{"functionDeclarations": [LOOK]}], generationConfig={"thinkingConfig": thinking})
    made = translate.request(json.dumps(body).encode(), "gemini", target, ctx)
    return json.loads(made.body), ctx


def contents_of(answered):
    """The content of a caller's history, from a stream or a whole answer."""
    return {"role": "model", "parts": parts_of(answered)}


@pytest.mark.parametrize("memory", [True, False], ids=["remembered", "forgotten"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", ANSWERS)
def test_claude_gets_its_thinking_back(name, client, stream, memory):
    """The very blocks with their signatures, in their places, however the client keeps its history."""
    blocks = ANSWERS[name]
    kept = ReplayMemory() if memory else None
    _, ctx = ask([user("go")], "anthropic", "messages", MODEL, kept)
    if stream:
        translation = translate.Stream("messages", "gemini", ctx)
        answered = translation.feed(messages_stream(*blocks, delta={"stop_reason": "tool_use"}))
    else:
        body = json.dumps(messages_whole(*blocks, stop_reason="tool_use")).encode()
        answered = json.loads(translate.answer(body, "messages", "gemini", ctx, stream=False).body)
    calls = [block for block in blocks if block["type"] == "tool_use"]
    results = user(*(response(name="look", call_id=one["id"]) for one in calls))
    sent, ctx = ask([user("go"), *client(contents_of(answered)), results], "anthropic", "messages", MODEL, kept)
    assert sent["messages"][1] == {"role": "assistant", "content": blocks}
    assert [one["tool_use_id"] for one in sent["messages"][2]["content"]] == [one["id"] for one in calls]
    assert sent["thinking"]["type"] == "adaptive"
    assert ctx.losses == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_wants_its_reasoning_as_text_gets_it(client):
    """A Chat upstream that takes reasoning back, at the message with the call."""
    _, ctx = ask([user("go")], "deepseek", "chat", "deepseek-reasoner")
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "a"}'}}
    stream = translate.Stream("chat", "gemini", ctx)
    pieces = [
        chunk({"reasoning_content": "Let me look."}),
        chunk({"tool_calls": [call]}),
        chunk({}, "tool_calls"),
        DONE,
    ]
    answered = b"".join(map(stream.feed, pieces))
    history = [user("go"), *client(contents_of(answered)), user(response(call_id="call_1"))]
    sent, ctx = ask(history, "deepseek", "chat", "deepseek-reasoner")
    message = sent["messages"][1]
    assert message["reasoning_content"] == "Let me look."
    assert [one["id"] for one in message["tool_calls"]] == ["call_1"]
    assert not any("thought" in loss.path for loss in ctx.losses)


def test_thinking_of_another_model_is_left_out():
    """Named as lost; the round goes on without thinking, which its model would refuse to go on with."""
    _, ctx = ask([user("go")], "anthropic", "messages", MODEL)
    answered = translate.Stream("messages", "gemini", ctx).feed(messages_stream(THOUGHT, CALL))
    history = [user("go"), contents_of(answered), user(response(name="look", call_id="toolu_1"))]
    sent, ctx = ask(history, "anthropic", "messages", "claude-sonnet-4-5")
    assert sent["messages"][1]["content"] == [CALL]
    assert "enabled" not in json.dumps(sent.get("thinking", {}))
    losses = [f"{loss.path}={loss.how}" for loss in ctx.losses]
    assert "contents[1].parts[1].thoughtSignature=dropped" in losses
