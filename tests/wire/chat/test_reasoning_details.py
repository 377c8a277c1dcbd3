"""Reasoning details go back to the upstream and model that wrote them, unchanged, whatever the caller does with
them."""

import json

import pytest

from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory

from ..kinds.answers_chat import CLAUDE, DETAILS, GEMINI, GPT, GROK, SUMMARY
from ..kinds.chat_pieces import DONE, SO, USAGE, WEATHER, calls, chunk, entry, part, stream, whole
from ..translations import context, events

SENT = {
    "encrypted-reasoning-of-gemini": [GEMINI],
    "signed-reasoning-of-claude": [CLAUDE],
    "summary-and-encrypted-reasoning": [SUMMARY, GROK],
    "encrypted-reasoning-of-gpt": [GPT],
}
VENDORS = ("", "openrouter", "moonshot")


def messages_turn(body, streams):
    """The caller's next turn: the assistant message, and what answers its call."""
    if streams:
        content = []
        for one in events(body):
            if one["type"] == "content_block_start":
                content.append({**one["content_block"], "json": ""})
            elif one["type"] == "content_block_delta":
                delta = one["delta"]
                for name in ("text", "thinking", "signature"):
                    if name in delta:
                        content[-1][name] += delta[name]
                content[-1]["json"] += delta.get("partial_json", "")
        for block in content:
            said = block.pop("json")
            if block["type"] == "tool_use":
                block["input"] = json.loads(said)
    else:
        content = json.loads(body)["content"]
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}
        for block in content
        if block["type"] == "tool_use"
    ]
    return content, results


def next_request(body, target, streams, *, keeps):
    if target == "messages":
        content, results = messages_turn(body, streams)
        if not keeps:
            content = [block for block in content if "thinking" not in block["type"]]
        turns = [{"role": "user", "content": "go"}, {"role": "assistant", "content": content}]
        return {"model": "m", "max_tokens": 9, "messages": [*turns, {"role": "user", "content": results or "on"}]}
    done = events(body)[-1]["response"] if streams else json.loads(body)
    items = [item for item in done["output"] if keeps or item["type"] != "reasoning"]
    items += [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
        for item in items
        if item["type"] == "function_call"
    ]
    return {"model": "m", "input": [{"role": "user", "content": "go"}, *items, {"role": "user", "content": "on"}]}


def second_turn(data, target, *, vendor="", keeps=True, memory=None, model="m"):
    """The assistant message that the upstream gets back of its own answer, and the losses of that request."""
    ctx = context(vendor, memory=memory)
    streams = data.lstrip()[:1] != b"{"
    if streams:
        made = translate.Stream("chat", target, ctx)
        body = made.feed(data) + made.end()
    else:
        body = translate.answer(data, "chat", target, ctx, stream=False).body
    asked = next_request(body, target, streams, keeps=keeps)
    ctx = context(vendor, memory=memory, model=model)
    found = json.loads(translate.request(json.dumps(asked).encode(), target, "chat", ctx).body)
    return next(one for one in found["messages"] if one["role"] == "assistant"), [loss.path for loss in ctx.losses]


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "dropped"])
@pytest.mark.parametrize("target", ["messages", "responses"])
@pytest.mark.parametrize("case", DETAILS, ids=str)
def test_details_come_back_as_they_were(case, target, keeps, vendor):
    """Kept by the caller, or restored from memory: the entries are the same, in the same order, and nothing is lost."""
    message, losses = second_turn(case.data, target, vendor=vendor, keeps=keeps, memory=ReplayMemory())
    assert message["reasoning_details"] == SENT[case.kind]
    assert list(message["reasoning_details"][0]) == list(SENT[case.kind][0]) or case.streamed
    assert message["content"] == SO
    assert losses == []


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_details_go_to_no_other_model(target):
    """Another model of the same upstream does not get them, and the loss is named."""
    message, losses = second_turn(DETAILS[0].data, target, model="other")
    assert "reasoning_details" not in message
    assert losses != []


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_a_proof_that_comes_late_is_kept(target):
    """A signature behind the text, or behind the call, goes back with the text it belongs to."""
    pieces = [{"type": "reasoning.text", "text": "Let me see.", "format": "anthropic-claude-v1", "index": 0}]
    proof = {"type": "reasoning.text", "signature": "EvAB=", "format": "anthropic-claude-v1", "index": 0}
    made = calls(entry(WEATHER, "call_a", 0))
    thought = {"reasoning_details": pieces}
    for deltas in (
        (thought, {"content": SO}, {"reasoning_details": [proof]}, made),
        (thought, {"content": SO}, made, {"reasoning_details": [proof]}),
    ):
        for keeps in (True, False):
            data = stream(*deltas, finish="tool_calls")
            message, losses = second_turn(data, target, keeps=keeps, memory=ReplayMemory())
            assert message["reasoning_details"] == [{**pieces[0], "signature": "EvAB="}]
            assert losses == []


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_a_text_that_is_repeated_with_its_signature_is_shown_once(target):
    """Plain pieces first, then the whole with its signature: the caller reads it once, the upstream gets the entry."""
    pieces = ({"reasoning_content": "Let me "}, {"reasoning_content": "see."}, {"reasoning_details": [CLAUDE]})
    data = stream(*pieces, {"content": SO}, calls(entry(WEATHER, "call_a", 0)), finish="tool_calls")
    made = translate.Stream("chat", target, context()).feed(data)
    assert made.count(b'"Let me "') == made.count(b'"see."') == 1
    assert second_turn(data, target)[0]["reasoning_details"] == [CLAUDE]


def test_details_of_a_text_that_the_caller_changed_stay_away():
    """The signature of a text that was edited is not sent with another text."""
    ctx = context()
    body = translate.answer(
        whole({"content": SO, "reasoning_details": [CLAUDE]}), "chat", "messages", ctx, stream=False
    ).body
    asked = next_request(body, "messages", streams=False, keeps=True)
    asked["messages"][1]["content"][0]["thinking"] += "!"
    ctx = context()
    made = json.loads(translate.request(json.dumps(asked).encode(), "messages", "chat", ctx).body)
    assert "reasoning_details" not in made["messages"][1]
    assert [loss.path for loss in ctx.losses] == ["messages[1].thinking"]


@pytest.mark.parametrize(
    ("vendor", "field"), [("", None), ("openrouter", "reasoning"), ("moonshot", "reasoning_content")]
)
def test_plain_reasoning_goes_back_where_the_provider_takes_it(vendor, field):
    """Text without details is no details: it goes back in the provider's field, else its loss is named."""
    data = stream({"reasoning": "Let me see."}, {"content": SO}, calls(entry(WEATHER, "a", 0)), finish="tool_calls")
    message, losses = second_turn(data, "messages", vendor=vendor)
    assert {name: message.get(name) for name in ("reasoning", "reasoning_content", "reasoning_details")} == {
        "reasoning": None,
        "reasoning_content": None,
        "reasoning_details": None,
    } | ({field: "Let me see."} if field else {})
    assert losses == ([] if field else ["messages[1].thinking"])


@pytest.mark.parametrize("vendor", ["openrouter", "moonshot"])
def test_reasoning_of_another_upstream_is_named_where_some_is_taken(vendor):
    """A provider that takes its own reasoning back gets nobody else's, and the loss is named."""
    ctx = context(vendor)
    turns = [
        {"role": "user", "content": "go"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "so"}],
        },
        {"role": "user", "content": "on"},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": turns}
    made = json.loads(translate.request(json.dumps(body).encode(), "messages", "chat", ctx).body)
    assert "hm" not in json.dumps(made)
    assert "reasoning_content" not in made["messages"][1]
    assert [loss.path for loss in ctx.losses] == ["messages[1].thinking"]


def test_a_long_thought_costs_no_more_each_piece():
    """Pieces of one entry are collected, not copied."""
    piece = {"reasoning_details": [{"type": "reasoning.text", "text": "x" * 50, "index": 0}]}
    one = chunk(part(piece))
    data = one * 20_000 + chunk(part({"reasoning_details": [{"type": "reasoning.text", "signature": "s", "index": 0}]}))
    data += chunk(part({"content": SO}, "stop")) + chunk(usage=USAGE) + DONE
    message, _ = second_turn(data, "messages")
    assert len(message["reasoning_details"][0]["text"]) == 1_000_000


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "dropped"])
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_details_that_are_cut_within_a_character(target, keeps):
    """The entry goes back with the whole character, and the one behind it at its own place."""
    entries = [
        {"type": "reasoning.text", "text": "Yes \ud83d", "format": "f", "index": 0},
        {"type": "reasoning.text", "text": "\ude00.", "format": "f", "index": 0, "signature": None},
        {"type": "reasoning.summary", "summary": "And no.", "format": "f", "index": 1},
        {"type": "reasoning.encrypted", "data": "EvAB=", "format": "f", "index": 2},
    ]
    made = calls(entry(WEATHER, "call_a", 0))
    data = stream(*({"reasoning_details": [one]} for one in entries), {"content": SO}, made, finish="tool_calls")
    message, losses = second_turn(data, target, keeps=keeps, memory=ReplayMemory())
    texts = [one.get("text") or one.get("summary") or one.get("data") for one in message["reasoning_details"]]
    assert texts == ["Yes \U0001f600.", "And no.", "EvAB="]
    assert losses == []


@pytest.mark.parametrize("target", ["messages", "responses"])
@pytest.mark.parametrize("field", ["text", "signature", "data", "format"])
def test_details_that_end_with_half_a_character(field, target):
    """Half a character that stays alone is U+FFFD, and the answer goes on."""
    piece = {"type": "reasoning.text", "text": "Yes", "format": "f", "index": 0, "signature": "EvAB="}
    # A text was shown in front of it that is in no entry, so the entry is kept whole.
    data = stream({"reasoning": "Hm."}, {"reasoning_details": [{**piece, field: "x\ud83d"}]}, {"content": SO})
    message, _ = second_turn(data, target, memory=ReplayMemory())
    assert message["content"] == SO
    assert [one[field] for one in message["reasoning_details"]] == ["x\ufffd"]
