"""Any conversation translated to or from Responses keeps the rules, and reasoning is sent only to its own upstream.

As test_legality, with the third protocol on either side.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import RouterError
from router.wire import translate
from router.wire.conversation.sealed_state import PREFIX

from .responses_samples import LOOK, PATCH, gpt5, say
from .test_legality import (
    CLAUDE,
    FOREIGN,
    GENUINE,
    GPT,
    IDS,
    LEGAL,
    MODEL,
    NAMES,
    OTHERS,
    OURS,
    PROOFS,
    TEXTS,
    legal_chat_request,
    legal_messages_request,
)
from .translations import PNG, context

ENCRYPTED = "ZW5jcnlwdGVk"
#: What a Responses upstream's reasoning becomes for a caller of another protocol.
GENUINE_ITEM = OURS.seal("signature", json.dumps(["rs_1", ENCRYPTED, [2]]), "hm")
_IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}
_PARTS = st.lists(st.one_of(TEXTS.map(lambda text: {"type": "input_text", "text": text}), st.just(_IMAGE)), max_size=2)
_ARGUMENTS = st.sampled_from(["{}", "", '{"x": 1.0}', "[1]", "{oops"])
ITEMS = st.lists(
    st.one_of(
        st.sampled_from(["a", "so"]).map(lambda text: say("user", text)),
        st.just(say("developer", "Be quick.")),
        TEXTS.map(lambda text: say("assistant", [{"type": "output_text", "text": text}])),
        st.tuples(PROOFS, st.booleans()).map(
            lambda one: {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "hm"}] if one[1] else [],
                "encrypted_content": one[0],
            }
        ),
        st.tuples(IDS, st.sampled_from(NAMES), _ARGUMENTS).map(
            lambda one: {"type": "function_call", "call_id": one[0], "name": one[1], "arguments": one[2]}
        ),
        st.tuples(IDS, TEXTS).map(
            lambda one: {"type": "custom_tool_call", "call_id": one[0], "name": "apply_patch", "input": one[1]}
        ),
        st.tuples(
            IDS, st.one_of(TEXTS, _PARTS), st.sampled_from(["function_call_output", "custom_tool_call_output"])
        ).map(lambda one: {"type": one[2], "call_id": one[0], "output": one[1]}),
        st.just({"type": "web_search_call", "id": "ws_1", "action": {"query": "x"}}),
    ),
    max_size=9,
).map(lambda items: [*items, say("user", "go")])


def legal_responses_request(made):
    """Fail unless a Responses request keeps the API's rules."""
    waiting, closed = [], False
    for item in made["input"]:
        kind = item["type"]
        assert kind == "reasoning" or "id" not in item, "an id that was made up"
        if kind in ("function_call", "custom_tool_call"):
            assert not closed, "a call behind a result of its own turn"
            assert item["call_id"] not in waiting
            assert len(item["call_id"]) <= 64
            assert LEGAL.fullmatch(item["name"])
            assert len(item["name"]) <= 64
            waiting.append(item["call_id"])
        elif kind in ("function_call_output", "custom_tool_call_output"):
            assert item["call_id"] in waiting, "a result without its call"
            waiting.remove(item["call_id"])
            closed = bool(waiting)
            assert isinstance(item["output"], str | list)
        elif kind == "message":
            assert item["role"] == "assistant" or not waiting, "a call without a result"
            assert item["content"]
        else:
            assert kind == "reasoning"
            assert item["encrypted_content"] == ENCRYPTED
    assert not waiting
    assert made["store"] is False
    assert all("strict" in tool for tool in made.get("tools", ()) if tool["type"] == "function")


def translated(body, source, target, vendor, model=MODEL):
    """The request as it is sent; None when it is refused."""
    try:
        sent = translate.request(json.dumps(body).encode(), source, target, context(vendor, model=model))
    except RouterError:
        return None
    return json.loads(sent.body)


@pytest.mark.parametrize("vendor", ["", "openai", "mistral", "deepseek", "llamacpp"])
@settings(max_examples=50)
@given(items=ITEMS)
def test_items_become_legal_chat_requests(vendor, items):
    """Chat requests are legal for every provider, without any remains of sealed state or signatures."""
    # Both protocols take any text for arguments, and it stays as it is.
    items = [{**item, "arguments": '{"x": 1}'} if "arguments" in item else item for item in items]
    made = translated(gpt5(*items, tools=[LOOK, PATCH]), "responses", "chat", vendor)
    if made is not None:
        legal_chat_request(made)
        text = json.dumps(made)
        assert not any(secret in text for secret in (PREFIX, GENUINE, FOREIGN))


@pytest.mark.parametrize("model", [MODEL, "claude-sonnet-4-5"])
@settings(max_examples=80)
@given(items=ITEMS, effort=st.sampled_from([None, "low", "high"]))
def test_items_become_legal_messages_requests(model, items, effort):
    """Reasoning is sent to Messages only with a genuine signature of this upstream and model."""
    asked = gpt5(*items, max_output_tokens=9000, reasoning={"effort": effort} if effort else None)
    made = translated(asked, "responses", "messages", "anthropic", model)
    if made is None:
        return
    legal_messages_request(made)
    thoughts = [one for turn in made["messages"] for one in turn["content"] if "thinking" in one["type"]]
    assert all((one["thinking"], one["signature"]) == ("hm", GENUINE) for one in thoughts)
    assert not thoughts or model == MODEL
    text = json.dumps(made)
    assert not any(secret in text for secret in (PREFIX, FOREIGN))


_THOUGHT = st.sampled_from([GENUINE_ITEM, OTHERS[0].seal("signature", FOREIGN, "hm"), GENUINE, FOREIGN, ""])


@settings(max_examples=120)
@given(turns=CLAUDE, proof=_THOUGHT)
def test_messages_histories_become_legal_items(turns, proof):
    """Only reasoning of this upstream and model is sent to Responses, as the original item."""
    thought = {"type": "thinking", "thinking": "hm", "signature": proof}
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": [thought]}, *turns]
    made = translated({"model": "x", "max_tokens": 99, "messages": turns}, "messages", "responses", "openai")
    if made is not None:
        legal_responses_request(made)
        assert (ENCRYPTED in json.dumps(made)) == (proof == GENUINE_ITEM)


@settings(max_examples=120)
@given(turns=GPT, proof=_THOUGHT)
def test_chat_histories_become_legal_items(turns, proof):
    """From Chat, too, only reasoning of this upstream and model is sent."""
    details = [{"type": "reasoning.text", "text": "hm", "signature": proof}]
    first = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "so", "reasoning_details": details}]
    made = translated({"model": "x", "messages": [*first, *turns]}, "chat", "responses", "openai")
    if made is not None:
        legal_responses_request(made)
        assert (ENCRYPTED in json.dumps(made)) == (proof == GENUINE_ITEM)
