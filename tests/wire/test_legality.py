"""Any conversation is sent within the rules of its protocol, and reasoning is sent only to the upstream that wrote it.

Histories are drawn at random: turns in any order, calls without results and results without calls, reasoning that was
signed by this upstream, by another, by none, or by Anthropic for another program.
"""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.wire import translate
from router.wire.conversation.sealed_state import PREFIX, StateSealer, make_signer

from .translations import IMAGE, PDF, context, gpt

MODEL = "claude-opus-5"
GENUINE, FOREIGN = "Z2VudWluZQ==", "Zm9yZWlnbg=="
OURS = StateSealer(make_signer(b"key"), "up", MODEL)
OTHERS = [
    StateSealer(make_signer(b"key"), "up", "claude-haiku-5-5"),
    StateSealer(make_signer(b"key"), "elsewhere", MODEL),
    StateSealer(make_signer(b"stolen"), "up", MODEL),
]
NAMES = ("look", "mcp.tool with spaces", "x" * 90)
TEXTS = st.sampled_from(["", " ", "a", "so\u2028", "error: no"])
IDS = st.sampled_from(["t1", "t2", "functions.look:0", "x" * 80, "call|1"])

PROOFS = st.sampled_from(
    [
        OURS.seal("signature", GENUINE, "hm"),
        OURS.seal("text", "", "hm"),
        OURS.seal("signature", FOREIGN, "another text"),
        *(seal.seal("signature", FOREIGN, "hm") for seal in OTHERS),
        FOREIGN,
        "",
        PREFIX + "junk",
    ]
)
THINKING = st.one_of(
    PROOFS.map(lambda proof: {"type": "thinking", "thinking": "hm", "signature": proof}),
    st.sampled_from([OURS.seal("redacted", GENUINE, ""), OTHERS[0].seal("redacted", FOREIGN, ""), FOREIGN]).map(
        lambda data: {"type": "redacted_thinking", "data": data}
    ),
)
SAID = TEXTS.map(lambda text: {"type": "text", "text": text})
USES = st.tuples(IDS, st.sampled_from(NAMES)).map(
    lambda pair: {"type": "tool_use", "id": pair[0], "name": pair[1], "input": {"x": 1}}
)
RESULTS = st.tuples(
    IDS, st.one_of(TEXTS, st.lists(st.one_of(SAID, st.just(IMAGE), st.just(PDF)), max_size=2)), st.booleans()
).map(lambda one: {"type": "tool_result", "tool_use_id": one[0], "content": one[1], "is_error": one[2]})
CLAUDE = st.lists(
    st.one_of(
        st.lists(st.one_of(SAID, RESULTS, st.just(IMAGE)), min_size=1, max_size=3).map(
            lambda content: {"role": "user", "content": content}
        ),
        st.lists(st.one_of(THINKING, SAID, USES), max_size=4).map(
            lambda content: {"role": "assistant", "content": content}
        ),
        st.just({"role": "system", "content": "Be quick."}),
    ),
    min_size=1,
    max_size=7,
).map(lambda turns: [*turns, {"role": "user", "content": "go"}])

DETAILS = PROOFS.map(lambda proof: {"type": "reasoning.text", "text": "hm", "signature": proof})
CALLS = st.lists(
    st.tuples(IDS, st.sampled_from(NAMES), st.sampled_from(["{}", "", '{"x": 1.0}', "[1]", "{oops"])).map(
        lambda one: {"id": one[0], "type": "function", "function": {"name": one[1], "arguments": one[2]}}
    ),
    max_size=3,
    unique_by=lambda one: one["id"],
)
GPT = st.lists(
    st.one_of(
        st.sampled_from(["a", "so"]).map(lambda text: {"role": "user", "content": text}),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": st.one_of(st.none(), TEXTS), "tool_calls": CALLS},
            optional={"reasoning_details": st.lists(DETAILS, max_size=2), "reasoning_content": TEXTS},
        ),
        st.tuples(IDS, TEXTS).map(lambda one: {"role": "tool", "tool_call_id": one[0], "content": one[1]}),
        st.just({"role": "developer", "content": "Be quick."}),
    ),
    min_size=1,
    max_size=7,
).map(lambda turns: [*turns, {"role": "user", "content": "go"}])

LEGAL = re.compile(r"[A-Za-z0-9_-]+")


def legal_messages_request(made):
    """Fail unless a Messages request keeps the API's rules."""
    turns = made["messages"]
    assert turns[0]["role"] == "user"
    called = []
    for at, turn in enumerate(turns):
        content = turn["content"]
        kinds = [block["type"] for block in content]
        assert content, "an empty message"
        assert not any(block["type"] == "text" and not block["text"].strip() for block in content)
        assert at == 0 or turn["role"] != turns[at - 1]["role"] or turn["role"] == "system"
        answered = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        assert sorted(answered) == sorted(called), "results are not those of the calls before"
        assert kinds[: len(answered)] == ["tool_result"] * len(answered), "results do not come first"
        called = [block["id"] for block in content if block["type"] == "tool_use"]
        assert len(set(called)) == len(called)
        for block in content:
            if block["type"] == "tool_use":
                assert LEGAL.fullmatch(block["id"])
                assert LEGAL.fullmatch(block["name"])
                assert len(block["name"]) <= 128
                assert isinstance(block["input"], dict)
        if called:
            assert kinds[-1] == "tool_use", "a call is not the end of its turn"
        if turn["role"] == "system":
            assert turns[at - 1]["role"] == "user"
    assert not called, "the last calls have no results"
    named = {block["name"] for turn in turns for block in turn["content"] if block["type"] == "tool_use"}
    assert {tool["name"] for tool in made.get("tools", ())} >= named


def legal_chat_request(made):
    """The same for Chat."""
    waiting = []
    for message in made["messages"]:
        role = message["role"]
        if role == "tool":
            assert message["tool_call_id"] in waiting, "a result without its call right before"
            waiting.remove(message["tool_call_id"])
            content = message["content"]
            assert isinstance(content, str) or all(part["type"] in ("text", "image_url", "file") for part in content)
            continue
        assert not waiting, "a call without a result"
        if role == "assistant":
            calls = message.get("tool_calls", [])
            assert message.get("content") or calls
            waiting = [call["id"] for call in calls]
            assert len(set(waiting)) == len(waiting)
            for call in calls:
                assert LEGAL.fullmatch(call["function"]["name"])
                assert len(call["function"]["name"]) <= 64
                assert len(call["id"]) <= 64
                assert isinstance(json.loads(call["function"]["arguments"]), dict)
        else:
            assert role in ("system", "developer", "user")
            assert message["content"]
    assert not waiting


def translated(body, source, vendor, model):
    """The request as it is sent; None when it is refused."""
    try:
        sent = translate.request(
            json.dumps(body).encode(),
            source,
            {"messages": "chat", "chat": "messages"}[source],
            context(vendor, model=model),
        )
    except RouterError:
        return None
    return json.loads(sent.body)


@pytest.mark.parametrize("vendor", ["", "openai", "mistral", "deepseek", "llamacpp", "openrouter", "vllm"])
@settings(max_examples=120)
@given(turns=CLAUDE)
def test_messages_histories_become_legal_chat_requests(vendor, turns):
    """Chat requests are legal for every provider, without any remains of sealed state or signatures."""
    made = translated({"model": "x", "max_tokens": 9, "messages": turns}, "messages", vendor, MODEL)
    if made is not None:
        legal_chat_request(made)
        text = json.dumps(made)
        assert PREFIX not in text
        assert GENUINE not in text
        assert FOREIGN not in text


@pytest.mark.parametrize("model", [MODEL, "claude-sonnet-5", "claude-sonnet-4-5", "claude-3-5-haiku"])
@settings(max_examples=200)
@given(turns=GPT, effort=st.sampled_from([None, "low", "high"]))
def test_chat_histories_become_legal_messages_requests(model, turns, effort):
    """Messages requests are legal for old and new models; reasoning needs a signature of this upstream and model."""
    made = translated(gpt(*turns, max_tokens=9000, reasoning_effort=effort), "chat", "anthropic", model)
    if made is None:
        return
    legal_messages_request(made)
    thoughts = [one for turn in made["messages"] for one in turn["content"] if "thinking" in one["type"]]
    assert all((one["thinking"], one["signature"]) == ("hm", GENUINE) for one in thoughts)
    assert not thoughts or model == MODEL
    text = json.dumps(made)
    assert PREFIX not in text
    assert FOREIGN not in text
