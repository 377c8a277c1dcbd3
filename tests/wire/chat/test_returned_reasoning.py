"""Reasoning that Chat clients send back by themselves, in each form that clients have for it."""

import json

import pytest

from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory

from ..responses_samples import began, call_item, ended, frames, reasoning_item, text_item
from ..translations import TOOL, assistant, context, event, events, gpt, sent, streamed, tool, user

MODELS = {"messages": "claude-sonnet-4-5", "responses": "gpt-5"}
TOOLS = [{"type": "function", "function": {"name": TOOL["name"]}}]


def messages_answer(turn, calls=2):
    """A Messages stream: two blocks of reasoning, a text, parallel calls with opaque reasoning between them."""
    content = [
        {"type": "thinking", "thinking": f"hm {turn}", "signature": f"c2ln{turn}"},
        {"type": "thinking", "thinking": "so", "signature": f"b3Ro{turn}"},
        {"type": "text", "text": f"I say {turn}."},
        {"type": "tool_use", "id": f"toolu_{turn}", "name": "look", "input": {"x": turn}},
        {"type": "redacted_thinking", "data": f"ZGF0{turn}"},
        {"type": "tool_use", "id": f"toolu_{turn}b", "name": "look", "input": {}},
    ][: 3 + 3 * (calls > 0)]
    data = event("message_start", message={"id": "m", "usage": {}})
    for at, block in enumerate(content):
        kind = block["type"]
        empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}, "tool_use": {"input": {}}}
        data += event("content_block_start", index=at, content_block={**block, **empty.get(kind, {})})
        deltas = {
            "thinking": [("thinking_delta", "thinking"), ("signature_delta", "signature")],
            "text": [("text_delta", "text")],
        }
        for delta, name in deltas.get(kind, ()):
            pieces = [block[name]] if name == "signature" else [block[name][:1], block[name][1:]]
            for piece in pieces:
                data += event("content_block_delta", index=at, delta={"type": delta, name: piece})
        if kind == "tool_use" and block["input"]:
            said = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            data += event("content_block_delta", index=at, delta=said)
        data += event("content_block_stop", index=at)
    stop = event("message_delta", delta={"stop_reason": "tool_use" if calls else "end_turn"}, usage={})
    return data + stop + event("message_stop"), content


def responses_answer(turn, calls=2):
    """A Responses stream: reasoning, a text, two calls with reasoning between them."""
    found = [*reasoning_item(0, f"hm {turn}", "so", proof=f"ENC{turn}"), *text_item(1, f"I say {turn}.")]
    if calls:
        found += call_item(2, f"call_{turn}", "look", '{"x": 1}')
        found += reasoning_item(3, f"again {turn}", proof=f"END{turn}")
        found += call_item(4, f"call_{turn}b", "look", "{}")
    items = [one["item"] for one in found if one["type"] == "response.output_item.done"]
    return frames(*began(), *found, ended()), items


ANSWERS = {"messages": messages_answer, "responses": responses_answer}


def accumulated(data):
    """The message of a stream, its text fields joined and its lists as they came."""
    message = {"content": "", "reasoning_content": "", "reasoning_details": [], "tool_calls": []}
    for one in events(data):
        for choice in one["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            message["reasoning_details"] += delta.get("reasoning_details", [])
            for part in delta.get("tool_calls", ()):
                if "id" in part:
                    message["tool_calls"].append({**part, "function": {**part["function"]}})
                else:
                    message["tool_calls"][part["index"]]["function"]["arguments"] += part["function"]["arguments"]
    return message


def merged(entries):
    """Entries of one index put together, as the accumulators of SDKs do."""
    found = {}
    for one in entries:
        kept = found.setdefault(one["index"], {})
        for name, value in one.items():
            joined = isinstance(value, str) and name not in ("type", "format")
            kept[name] = kept.get(name, "") + value if joined else value
    return list(found.values())


def _message(found, **fields):
    calls = [{"id": one["id"], "type": "function", "function": one["function"]} for one in found["tool_calls"]]
    return {**assistant(found["content"], **fields), **({"tool_calls": calls} if calls else {})}


def _last_of_each(entries):
    return list({one["index"]: one for one in entries}.values())


#: What a client sends back of the message that it got.
CLIENTS = {
    "drops": _message,
    "pi": lambda found: _message(found, reasoning_content=found["reasoning_content"]),
    "qwen": lambda found: {**_message(found), "reasoning_content": found["reasoning_content"], "content": None},
    "opencode": lambda found: _message(found, reasoning_content=found["reasoning_content"].strip()),
    "cline": lambda found: {
        **_message(found, reasoning_content=found["reasoning_content"]),
        "content": [{"type": "text", "text": found["content"]}],
    },
    "litellm": lambda found: _message(
        found, reasoning_content=found["reasoning_content"], thinking_blocks=None, function_call=None
    ),
    "pydantic-ai": lambda found: _message(found, reasoning=found["reasoning_content"]),
    "mistral-parts": lambda found: {
        **_message(found),
        "content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": found["reasoning_content"]}], "closed": True},
            {"type": "text", "text": found["content"]},
        ],
    },
    "all-fields-merged": lambda found: _message(
        found,
        reasoning_content=found["reasoning_content"],
        reasoning_details=merged(found["reasoning_details"]),
        refusal=None,
        annotations=[],
    ),
    "details-merged": lambda found: _message(found, reasoning_details=merged(found["reasoning_details"])),
    "details-listed": lambda found: _message(found, reasoning_details=found["reasoning_details"]),
    "last-detail": lambda found: _message(
        found, reasoning_content=found["reasoning_content"], reasoning_details=found["reasoning_details"][-1:]
    ),
}


def answered(memory, target, data, *, stream, messages=None):
    """The message that a Chat caller gets for its messages."""
    ctx = context(model=MODELS[target], memory=memory)
    translate.request(json.dumps(gpt(*(messages or [user("go")]))).encode(), "chat", target, ctx)
    if stream:
        return accumulated(streamed([data], target, ctx, "chat"))
    made = translate.assemble_stream(data, target, "chat", ctx)
    return {"reasoning_details": [], "tool_calls": [], **json.loads(made.body)["choices"][0]["message"]}


def ask(memory, target, messages, **fields):
    body = gpt(*messages, tools=TOOLS, reasoning_effort="medium", **fields)
    vendor = {"responses": "openai"}.get(target, "")
    return sent(body, "chat", vendor, target, model=MODELS[target], memory=memory)


def as_sent(target, made):
    """The turns of the model in a request, as blocks or items."""
    if target == "messages":
        return [one["content"] for one in made["messages"] if one["role"] == "assistant"]
    kinds = ("reasoning", "message", "function_call")
    return [one for one in made["input"] if one["type"] in kinds and one.get("role") != "user"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("target", ["messages", "responses"])
@pytest.mark.parametrize("client", CLIENTS)
def test_a_tool_round_has_the_models_own_reasoning(client, target, stream):
    """Whatever a client sends back, the upstream gets its signed reasoning at its places, once; thinking stays on; what
    was sent before stays as it was."""
    memory = ReplayMemory()
    messages, before, wanted = [user("go")], "", []
    for turn in range(1, 4):
        data, content = ANSWERS[target](turn)
        message = CLIENTS[client](answered(memory, target, data, stream=stream, messages=messages))
        messages += [message, *(tool(one["id"]) for one in message["tool_calls"])]
        made, losses = ask(memory, target, messages)
        wanted.append(content)
        check_turns(target, as_sent(target, made), wanted, spoken=message["content"] is not None)
        assert [one for one in losses if "reasoning_effort" not in one] == []
        if target == "messages":
            assert made["thinking"]["type"] == "enabled"
        text = json.dumps(made.get("messages") or made["input"])
        assert text.startswith(before)
        before = text[:-1]


def check_turns(target, turns, wanted, *, spoken):
    if target == "messages":
        for found, content in zip(turns, wanted, strict=True):
            assert found == [block for block in content if spoken or block["type"] != "text"]
        return
    kept = [one for items in wanted for one in items if spoken or one["type"] != "message"]
    assert [one["type"] for one in turns] == [one["type"] for one in kept]
    proofs = [(one["encrypted_content"], one["summary"]) for one in turns if one["type"] == "reasoning"]
    assert proofs == [(one["encrypted_content"], one["summary"]) for one in kept if one["type"] == "reasoning"]


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_reasoning_of_a_turn_without_calls(target):
    """Nothing is known of a turn without calls: signed entries go back, and a text alone is dropped, which is told."""
    for client, kept in {"drops": 0, "pi": 0, "details-merged": 1, "details-listed": 1, "all-fields-merged": 1}.items():
        data, _ = ANSWERS[target](1, calls=0)
        memory = ReplayMemory()
        message = CLIENTS[client](answered(memory, target, data, stream=True))
        made, losses = ask(memory, target, [user("go"), message, user("on")])
        turns = as_sent(target, made)
        found = [
            one for one in (turns[0] if target == "messages" else turns) if one["type"] in ("thinking", "reasoning")
        ]
        assert len(found) == kept * {"messages": 2, "responses": 1}[target], client
        lost = ["messages[1].reasoning=dropped"] if client == "pi" else []
        assert [one for one in losses if "reasoning_effort" not in one] == lost, client
        if target == "messages":
            assert made["thinking"]["type"] == "enabled"


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_entries_that_earlier_builds_wrote(target):
    """An entry with a signature and the whole text, in a stream that had the text as reasoning_content before."""
    data, content = ANSWERS[target](1)
    found = answered(None, target, data, stream=True)
    message = CLIENTS["all-fields-merged"](found)
    assert all(one["text"] for one in message["reasoning_details"] if one["type"] == "reasoning.text")
    made, losses = ask(None, target, [user("go"), message, *(tool(one["id"]) for one in message["tool_calls"])])
    turns = as_sent(target, made)
    kinds = [one["type"] for one in (turns[0] if target == "messages" else turns)]
    assert sorted(kinds) == sorted(one["type"] for one in content)
    assert not [one for one in losses if "reasoning_effort" not in one]


def test_a_signature_finds_its_text_in_the_field_beside_it():
    """A client that keeps the last entry has the signature there, and the text in reasoning_content."""
    ctx = context(model="claude-sonnet-4-5")
    data = event("message_start", message={"id": "m", "usage": {}})
    data += event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
    data += event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "h"})
    data += event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "m"})
    data += event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"})
    data += event("content_block_stop", index=0) + event("content_block_start", index=1, content_block={"type": "text"})
    data += event("content_block_delta", index=1, delta={"type": "text_delta", "text": "hi"})
    data += event("content_block_stop", index=1)
    data += event("message_delta", delta={"stop_reason": "end_turn"}, usage={}) + event("message_stop")
    message = CLIENTS["last-detail"](accumulated(streamed([data], "messages", ctx, "chat")))
    assert [one["text"] for one in message["reasoning_details"]] == [""]
    made, losses = ask(None, "messages", [user("go"), message, user("on")])
    assert made["messages"][1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert losses == ["reasoning_effort=weakened"]


@pytest.mark.parametrize("change", ["another model", "nothing known", "edited"])
def test_reasoning_that_is_not_the_models_own(change):
    """A text without a proof for this upstream is dropped, and that is told; so is an edited one."""
    memory = ReplayMemory()
    data, _ = messages_answer(1)
    found = answered(memory if change == "another model" else ReplayMemory(), "messages", data, stream=True)
    message = CLIENTS["all-fields-merged" if change == "edited" else "pi"](found)
    if change == "edited":
        for one in message["reasoning_details"]:
            one["text"] = one.get("text", "") + "!"
            one.pop("data", None)
    body = gpt(user("go"), message, *(tool(one["id"]) for one in message["tool_calls"]), tools=TOOLS)
    made, losses = sent(
        body, "chat", model="claude-opus-5" if change == "another model" else "claude-sonnet-4-5", memory=memory
    )
    assert [one["type"] for one in made["messages"][1]["content"]] == ["text", "tool_use", "tool_use"]
    assert losses == ["messages[1].reasoning=dropped"]


def test_genuine_reasoning_that_is_not_remembered_stays():
    """The memory may have forgotten a part: then what the client has is better."""
    memory = ReplayMemory()
    data, _ = messages_answer(1)
    message = CLIENTS["details-merged"](answered(memory, "messages", data, stream=True))
    memory._drop("toolu_1")
    made, _ = ask(memory, "messages", [user("go"), message, *(tool(one["id"]) for one in message["tool_calls"])])
    kinds = [one["type"] for one in made["messages"][1]["content"]]
    assert kinds == ["thinking", "thinking", "redacted_thinking", "text", "tool_use", "tool_use"]


@pytest.mark.parametrize("client", ["pi", "details-merged", "details-listed", "drops"])
def test_reasoning_without_a_proof_beside_signed_one(client):
    """What has a proof goes back; the rest is a loss for those that sent it."""
    memory = ReplayMemory()
    data = {"id": "m", "stop_reason": "tool_use", "usage": {}}
    signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    data["content"] = [signed, {"type": "thinking", "thinking": "so", "signature": ""}, use]
    ctx = context(model=MODELS["messages"], memory=memory)
    translate.request(json.dumps(gpt(user("go"))).encode(), "chat", "messages", ctx)
    stream = translate.answer(json.dumps(data).encode(), "messages", "chat", ctx, stream=True).body
    made, losses = ask(memory, "messages", [user("go"), CLIENTS[client](accumulated(stream)), tool("toolu_1")])
    assert made["messages"][1]["content"] == [signed, use]
    assert ("messages[1].reasoning=dropped" in losses) == (client != "drops")
