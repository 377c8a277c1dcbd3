"""Thinking towards Messages upstreams: where a model takes it, and what goes back in a tool round."""

import json

import pytest

from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.neutral.provider_profiles import find_claude

from ..translations import assistant, calls, context, event, events, gpt, sent, tool, user

FUNCTION = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
NAMED = {"type": "function", "function": {"name": "look"}}


@pytest.mark.parametrize(
    ("model", "forced", "off"),
    [
        ("claude-3-7-sonnet", "without thinking", "disabled"),
        ("claude-sonnet-4-5", "without thinking", "disabled"),
        ("claude-opus-4-6", "without thinking", "disabled"),
        ("claude-opus-4-7", "without thinking", "disabled"),
        ("claude-opus-4-8", "always", "disabled"),
        ("claude-sonnet-5", "always", "disabled"),
        ("claude-opus-5", "always", "disabled"),
        ("claude-haiku-5-5", "always", "disabled"),
        ("claude-sonnet-5-5", "never", "between_tools"),
        ("claude-opus-5-5", "never", "effort"),
        ("claude-fable-5", "always", "effort"),
        ("claude-fable-5-1", "never", "effort"),
        ("claude-mythos-5-2", "never", "effort"),
        ("claude-mythos-preview", "always", "effort"),
        ("us.anthropic.claude-fable-5-1", "never", "effort"),
    ],
)
def test_flags_of_models(model, forced, off):
    """Whether a model takes a forced call, and how its thinking is turned off, is told from its name."""
    found = find_claude(model)
    assert (found.forced, found.off, found.signs, found.thinks) == (forced, off, True, False)


@pytest.mark.parametrize(
    ("model", "thinks"), [("deepseek-v4-pro", True), ("kimi-k3", True), ("MiniMax-M3", True), ("llama3.3", False)]
)
def test_flags_of_other_models(model, thinks):
    """A model that is no Claude signs no thinking; some think by default."""
    assert (find_claude(model).signs, find_claude(model).thinks) == (False, thinks)


@pytest.mark.parametrize("choice", ["required", NAMED])
@pytest.mark.parametrize("source", ["chat", "responses"])
@pytest.mark.parametrize(
    ("model", "thinking", "forced"),
    [
        ("claude-sonnet-4-5", None, True),
        ("claude-opus-4-6", None, True),
        ("claude-opus-4-7", None, True),
        ("claude-opus-4-8", {"type": "adaptive"}, True),
        ("claude-sonnet-5", {"type": "adaptive"}, True),
        ("claude-fable-5", {"type": "adaptive"}, True),
        ("claude-opus-5-5", {"type": "adaptive"}, False),
        ("claude-fable-5-1", {"type": "adaptive"}, False),
    ],
)
def test_forced_calls_and_thinking(source, model, thinking, forced, choice):
    """Both are sent only where the model takes both: else thinking goes, or the choice where no call can be forced."""
    if source == "chat":
        asked = gpt(user("x"), tools=[FUNCTION], tool_choice=choice, reasoning_effort="high", max_tokens=9000)
    else:
        flat = {"type": "function", **FUNCTION["function"]}
        choice = choice if choice == "required" else {"type": "function", "name": "look"}
        asked = {"model": "x", "input": "x", "tools": [flat], "tool_choice": choice, "reasoning": {"effort": "high"}}
    made, losses = sent(asked, source, target="messages", model=model)
    assert made.get("thinking") == thinking
    assert (made["tool_choice"]["type"] in ("any", "tool")) is forced
    path = "reasoning_effort" if source == "chat" else "reasoning"
    assert (f"{path}=weakened" in losses) is (thinking is None)
    assert ("tool_choice=weakened" in losses) is not forced


@pytest.mark.parametrize(
    ("model", "made"),
    [
        ("claude-opus-4-8", {"thinking": {"type": "disabled"}}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
        ("claude-opus-5-5", {"output_config": {"effort": "low"}}),
        ("claude-fable-5", {"output_config": {"effort": "low"}}),
    ],
)
def test_thinking_is_turned_off_where_that_is_possible(model, made):
    """A model that always thinks gets the lowest effort, and that is reported."""
    found, losses = sent(gpt(user("x"), reasoning_effort="none"), "chat", model=model)
    assert {name: found[name] for name in ("thinking", "output_config") if name in found} == made
    assert ("reasoning_effort=weakened" in losses) is ("thinking" not in made)


def answered(model, memory, *, signature="", stream):
    """What a caller of Chat gets of an answer with thinking and a call."""
    ctx = context(model=model, memory=memory)
    thinking = {"type": "thinking", "thinking": "hm", **({"signature": signature} if signature else {})}
    use = {"type": "tool_use", "id": "t1", "name": "look", "input": {"x": 1}}
    start = {"id": "msg_1", "model": model, "role": "assistant", "content": [], "usage": {}}
    if not stream:
        answer = {**start, "type": "message", "content": [thinking, use], "stop_reason": "tool_use"}
        return translate.answer(json.dumps(answer).encode(), "messages", "chat", ctx, stream=False).body
    signed = [event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": signature})]
    made = translate.Stream("messages", "chat", ctx)
    return made.feed(
        event("message_start", message=start)
        + event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""})
        + event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "hm"})
        + b"".join(signed if signature else ())
        + event("content_block_stop", index=0)
        + event("content_block_start", index=1, content_block={**use, "input": {}})
        + event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": '{"x":1}'})
        + event("content_block_stop", index=1)
        + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1})
        + event("message_stop")
    )


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("signature", ["", "own"])
@pytest.mark.parametrize("model", ["deepseek-v4-pro", "kimi-k3", "llama3.3"])
def test_thinking_of_third_parties_goes_back_as_it_was(model, signature, stream):
    """Thinking of a Messages server that signs nothing returns to it without a signature, in front of its call."""
    memory = ReplayMemory()
    answered(model, memory, signature=signature, stream=stream)
    again = gpt(user("x"), calls(("t1", "look", '{"x":1}')), tool("t1"), tools=[FUNCTION])
    made, losses = sent(again, "chat", model=model, memory=memory)
    thought = {"type": "thinking", "thinking": "hm", **({"signature": signature} if signature else {})}
    assert made["messages"][1]["content"][0] == thought
    assert "thinking" not in made
    assert losses == []


def test_unsigned_thinking_does_not_go_to_claude():
    """Claude's API refuses thinking without a signature."""
    memory = ReplayMemory()
    answered("claude-opus-5", memory, stream=True)
    again = gpt(user("x"), calls(("t1", "look", '{"x":1}')), tool("t1"), tools=[FUNCTION])
    made, losses = sent(again, "chat", model="claude-opus-5", memory=memory)
    assert [block["type"] for block in made["messages"][1]["content"]] == ["tool_use"]
    assert "thinking" not in made
    assert losses == []


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("deepseek-v4-pro", None, {"type": "disabled"}),
        ("deepseek-v4-pro", "high", {"type": "disabled"}),
        ("llama3.3", None, None),
        ("llama3.3", "high", None),
        ("claude-opus-5", None, None),
        ("claude-sonnet-4-5", "high", None),
    ],
)
def test_a_tool_round_without_its_thinking(model, effort, thinking):
    """Where the thinking of an open tool round is lost, a model that thinks by default is told not to."""
    again = gpt(user("x"), calls(("t1", "look", "{}")), tool("t1"), tools=[FUNCTION], max_tokens=9000)
    made, losses = sent({**again, "reasoning_effort": effort}, "chat", model=model)
    assert made.get("thinking") == thinking
    assert any(loss.startswith("reasoning_effort") for loss in losses) is (effort is not None)


def test_a_new_question_may_be_thought_about():
    """Once the tool round is over, thinking is left to the model again."""
    again = gpt(user("x"), calls(("t1", "look", "{}")), tool("t1"), assistant("so"), user("y"), tools=[FUNCTION])
    made, _ = sent(again, "chat", model="deepseek-v4-pro")
    assert "thinking" not in made


def test_streams_of_third_parties_are_read():
    """A signature that a third party makes is its own, and the caller gets it sealed."""
    data = answered("deepseek-v4-pro", None, signature="own", stream=True)
    details = [one["choices"][0]["delta"].get("reasoning_details") for one in events(data) if one["choices"]]
    assert "own" not in json.dumps(details)
    assert any(details)
