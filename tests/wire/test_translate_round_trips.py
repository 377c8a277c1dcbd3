"""Round trips through another protocol, and the stable prefix of a growing conversation."""

import json

import pytest

from .translations import (
    DONE,
    IMAGE,
    OTHER,
    TOOL,
    assistant,
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

HM = {"type": "thinking", "thinking": "hm", "signature": "x"}
CONVERSATION = {
    "messages": [
        user("Look."),
        assistant(
            [{"type": "thinking", "thinking": "hm", "signature": "x"}, {"type": "text", "text": "I will."}, use()]
        ),
        user([result([{"type": "text", "text": "here"}, IMAGE], is_error=True), {"type": "text", "text": "And?"}]),
        {"role": "system", "content": "Be quick."},
        assistant([use("t2"), use("t3", b=[1.0, None])]),
        user([result("three", "t3"), result("two", "t2")]),
        assistant("Done."),
        user([{"type": "text", "text": "Thanks."}, IMAGE]),
    ],
    "chat": [
        user("Look."),
        calls(("t1", "look", "{}"), content="I will."),
        tool("t1", "here"),
        user("And?"),
        {"role": "developer", "content": "Be quick."},
        calls(("t2", "look", "{ }"), ("t3", "look", '{"b": [1.0, null]}')),
        tool("t3", "three"),
        tool("t2", "two"),
        assistant("Done."),
        user([{"type": "text", "text": "Thanks."}]),
    ],
}


def request(source, messages):
    return claude(*messages, system="S") if source == "messages" else gpt({"role": "system", "content": "S"}, *messages)


@pytest.mark.parametrize("source", OTHER)
@pytest.mark.parametrize("vendor", ["", "openai", "mistral", "llamacpp", "deepseek", "openrouter"])
def test_a_growing_conversation_keeps_its_prefix(source, vendor):
    """Up to the last assistant turn each translation begins with the bytes of the one before."""
    turns = CONVERSATION[source]
    before = b""
    # Each request ends where a client sends one: behind the user's last word of a turn.
    ends = [at for at in range(1, len(turns) + 1) if at == len(turns) or turns[at]["role"] == "assistant"]
    for end in ends:
        made, _ = sent(request(source, turns[:end]), source, vendor, model="claude-opus-4-8")
        now = json.dumps(made["messages"]).encode()[:-1]
        assert now.startswith(before)
        before = now


def test_messages_to_chat_and_back():
    """A Messages conversation survives a round trip through Chat, except for the declared losses."""
    asked = request("messages", CONVERSATION["messages"]) | {
        "tools": [{**TOOL, "description": "d"}],
        "tool_choice": {"type": "tool", "name": "look"},
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_k": 4,
    }
    there, lost = sent(asked, "messages", "openai")
    assert sorted(lost) == [
        "messages[1].thinking=dropped",
        "messages[2].is_error=weakened",
        "messages[2]=weakened",
        "top_k=dropped",
    ]
    back, _ = sent(there, "chat", model="claude-sonnet-4-6")
    same = ("max_tokens", "tools", "tool_choice", "stop_sequences", "temperature")
    assert {name: back[name] for name in same} == {name: asked[name] for name in same}
    assert back["system"] == [{"type": "text", "text": "S"}]
    assert [one["role"] for one in back["messages"]] == [
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
        "assistant",
        "user",
    ]
    assert back["messages"][1]["content"] == CONVERSATION["messages"][1]["content"][1:]
    assert back["messages"][3]["content"] == CONVERSATION["messages"][4]["content"]


def test_chat_to_messages_and_back():
    """A Chat conversation survives a round trip through Messages, except for the declared losses."""
    asked = request("chat", CONVERSATION["chat"]) | {
        "max_completion_tokens": 9,
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
        "parallel_tool_calls": False,
        "seed": 1,
    }
    there, lost = sent(asked, "chat", model="claude-opus-4-8")
    assert lost == ["seed=dropped"]
    back, _ = sent(there, "messages", "openai")
    wanted = [dict(one) for one in asked["messages"]]
    wanted[0]["role"] = "developer"
    wanted[-1] = user("Thanks.")
    # Results stand in the order of their calls; arguments without a value keep none of their spaces.
    wanted[7], wanted[8] = wanted[8], wanted[7]
    wanted[6] = calls(("t2", "look", "{}"), ("t3", "look", '{"b":[1.0,null]}'))
    assert back["messages"] == wanted
    assert (back["tools"], back["parallel_tool_calls"], back["max_completion_tokens"]) == (asked["tools"], False, 9)


def test_losses_found_in_a_stream_are_a_comment():
    """Losses found in a stream are a comment behind the content and before the end, unless losses are silent."""
    data = chunk({"content": "x"}) + chunk({}, "eos") + DONE
    assert b"\n\n: fairlead-loss usage=weakened, finish_reason eos=weakened\n\n" in streamed([data], "chat")
    assert b"fairlead-loss" not in streamed([data], "chat", context(policy="silent"))


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_stop_sequences_that_the_upstream_does_not_take(size):
    """Stop sequences beyond the upstream's limit are applied here: the text ends before the first, for any split."""
    ctx = context("openai")
    ctx.stop_sequences = ("STOP", "ST END", "\n\n")
    text = "All is well. ST STO" + "P and more"
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    data = b"".join(chunk({"content": part}) for part in parts) + chunk({}, "stop") + DONE
    made = streamed([data], "chat", ctx)
    said = "".join(
        json.loads(line[6:])["delta"]["text"] for line in made.decode().splitlines() if '"text_delta"' in line
    )
    assert said == "All is well. ST "
    assert b'"stop_reason":"stop_sequence","stop_sequence":"STOP"' in made
    body = claude(user("x"), stop_sequences=["1", "2", "3", "4", "5"])
    assert "stop" not in sent(body, "messages", "openai")[0]


def test_caching_marks():
    """Caching marks are kept where the backend takes them, else dropped silently; Chat callers get automatic ones."""
    part = {"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    made, lost = sent(claude(user("x"), system=[part]), "messages", "openrouter")
    assert made["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}
    made, lost = sent(claude(user("x"), system=[part]), "messages")
    assert (made["messages"][0]["content"], lost) == ("long", [])
    assert sent(gpt(user("x")), "chat")[0]["cache_control"] == {"type": "ephemeral"}


def test_pings_pass():
    """A ping of the upstream becomes a ping of the client's protocol."""
    start = event("message_start", message={"id": "m", "usage": {}})
    assert streamed([start + event("ping")], "messages").endswith(b": keep-alive\n\n")
