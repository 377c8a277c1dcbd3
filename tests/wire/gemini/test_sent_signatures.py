"""Signatures of calls towards Gemini: its own go back to their calls, a lost one is replaced where it must be."""

import json

import msgspec
import pytest

from router.ir import Request, Text, Thinking
from router.wire import translate
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.gemini.answers.decode_answer import decode_answer
from router.wire.gemini.requests.encode_request import encode_request
from router.wire.gemini.signatures import unwrap_signature, wrap_signature

from ..translations import context, sent
from .legality import PLACEHOLDER
from .test_sent_contents import HI, call, contents, model, result, user
from .test_sent_request import NEW, OLD

SIGNATURE = "Eq0CCqoCAQw51se+Cyg/8A=="


def carried(signature=SIGNATURE, *, upstream="up", of=NEW, key=b"key"):
    """A signature as the caller's history has it."""
    sealer = StateSealer(make_signer(key), upstream, of)
    return Thinking(redacted=sealer.seal("redacted", wrap_signature(signature), ""))


def signatures(found):
    """The signature of each call, '' for none."""
    return [
        part.get("thoughtSignature", "") for content in found for part in content["parts"] if "functionCall" in part
    ]


def test_form_of_a_signature():
    """It is that of Google's OpenAI-compatible endpoint, so that either endpoint reads the other's history."""
    assert wrap_signature("s") == '{"extra_content":{"google":{"thought_signature":"s"}}}'
    assert unwrap_signature(wrap_signature(SIGNATURE)) == SIGNATURE


@pytest.mark.parametrize("data", ["", "[]", "nonsense", "{}", '{"extra_content":[]}', '{"extra_content":{"google":1}}'])
def test_other_data_holds_no_signature(data):
    """Whatever else reasoning holds, it is no signature."""
    assert unwrap_signature(data) == ""


def test_own_signature_returns_to_its_call():
    """Parallel calls: each keeps what it had, and those without one get nothing."""
    found, losses = contents(
        HI, model(carried(), call("a", "1"), call("b", "2")), user(result("A", "1"), result("B", "2"))
    )
    assert signatures(found) == [SIGNATURE, ""]
    assert losses == []


def test_signatures_of_siblings_are_kept():
    """Now and then a sibling is signed too."""
    found, _ = contents(
        HI,
        model(carried("QQ=="), call("a", "1"), carried("Qg=="), call("b", "2")),
        user(result("A", "1"), result("B", "2")),
    )
    assert signatures(found) == ["QQ==", "Qg=="]


@pytest.mark.parametrize(
    "thought",
    [
        carried(upstream="elsewhere"),
        carried(of="gemini-3-pro-preview"),
        carried(key=b"stolen"),
        Thinking("hm", "Zm9yZWlnbg=="),
        Thinking("hm"),
        Thinking(redacted="rtr1.junk"),
    ],
)
def test_foreign_reasoning_is_not_sent(thought):
    """It is dropped and named; the first call gets the documented placeholder."""
    found, losses = contents(HI, model(thought, Text("so"), call()), user(result("ok")))
    assert found[1]["parts"][0] == {"text": "so"}
    assert signatures(found) == [PLACEHOLDER]
    assert losses == ["messages[1].thinking=dropped"]


def test_own_thoughts_are_not_sent():
    """The text of a thought is a summary: its signature stands for it, and leaving it out is no loss."""
    sealer = StateSealer(make_signer(b"key"), "up", NEW)
    thought = Thinking("**Looking**", sealer.seal("text", "", "**Looking**"))
    found, losses = contents(HI, model(thought, carried(), call()), user(result("ok")))
    assert found[1]["parts"] == [
        {"functionCall": {"id": "call_1", "name": "look", "args": {}}, "thoughtSignature": SIGNATURE}
    ]
    assert losses == []


def test_placeholder_on_the_first_call_of_each_step():
    """In the whole history, never on siblings: there it makes some models answer nothing."""
    found, losses = contents(
        HI,
        model(call("a", "1"), call("b", "2")),
        user(result("A", "1"), result("B", "2")),
        model(Text("so"), call("a", "3"), call("b", "4")),
        user(result("A", "3"), result("B", "4")),
        model(Text("done")),
        HI,
    )
    assert signatures(found) == [PLACEHOLDER, "", PLACEHOLDER, ""]
    assert losses == []


@pytest.mark.parametrize("name", ["gemini-flash-latest", "gemini-9-quux", "my-tuned-model", "models/gemini-3.8-flash"])
def test_models_that_want_signatures(name):
    """Models that are not known to be older want them."""
    found, _ = contents(HI, model(call()), user(result("ok")), model=name)
    assert signatures(found) == [PLACEHOLDER]


@pytest.mark.parametrize("name", [OLD, "gemini-2.5-pro", "gemini-2.0-flash", "gemini-1.5-pro", "gemma-4-31b-it"])
def test_older_models_get_no_placeholder(name):
    """Before version 3 nothing is asked for; their own signatures go back."""
    found, _ = contents(HI, model(call()), user(result("ok")), model=name)
    assert signatures(found) == [""]
    found, _ = contents(HI, model(carried(of=name), call()), user(result("ok")), model=name)
    assert signatures(found) == [SIGNATURE]


def test_placeholder_that_the_user_switched_off():
    """A backend that does not take it gets none."""
    ctx = context("gemini", model=NEW)
    ctx.profile = msgspec.structs.replace(ctx.profile, skips_signatures=False)
    found, _ = contents_unchecked(ctx)
    assert signatures(found) == [""]


def contents_unchecked(ctx):
    """As `contents`, for a request that the API itself would refuse."""
    turns = (HI, model(call()), user(result("ok")))
    body, headers = encode_request(Request(model=NEW, turns=turns), ctx)
    return body["contents"], headers


def test_signature_behind_the_calls_goes_to_the_last_text():
    """A signature that has lost its call is kept on the text of the same answer; without a text it is left out."""
    found, _ = contents(HI, model(Text("a"), Text("b"), carried()), HI)
    assert found[1]["parts"] == [{"text": "a"}, {"text": "b", "thoughtSignature": SIGNATURE}]
    found, _ = contents(HI, model(call(), carried()), user(result("x")))
    assert signatures(found) == [PLACEHOLDER]


@pytest.mark.parametrize("source", ["messages", "chat", "responses"])
def test_round_through_a_caller(source):
    """The signature of an answer is on the same call of the next request, for each caller that keeps or drops it."""
    memory = ReplayMemory()
    ctx = context("gemini", model=NEW, memory=memory)
    body = {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "**Hm**", "thought": True},
                        {
                            "functionCall": {"id": "pt3pjoak", "name": "look", "args": {"b": 1, "a": 2}},
                            "thoughtSignature": SIGNATURE,
                        },
                        {"functionCall": {"id": "pt3pjoal", "name": "look", "args": {}}},
                    ],
                },
                "finishReason": "STOP",
            }
        ]
    }
    answered = decode_answer(body, ctx)
    written = json.loads(translate.encode_answer(answered, source, ctx, stream=False))
    for keeps in (True, False):
        request, losses = sent(
            repeat(source, written, keeps=keeps), source, "gemini", "gemini", model=NEW, memory=memory
        )
        assert signatures(request["contents"]) == [SIGNATURE, ""]
        # Chat has no proof for a mere text.
        assert losses == (["messages[1].thinking=dropped"] if source == "chat" and keeps else [])
    request, _ = sent(repeat(source, written, keeps=False), source, "gemini", "gemini", model=NEW)
    assert signatures(request["contents"]) == [PLACEHOLDER, ""]


def repeat(source, written, *, keeps):
    """The next request of a caller, which sends the answer's reasoning back or drops it."""
    if source == "messages":
        blocks = [one for one in written["content"] if keeps or "thinking" not in one["type"]]
        uses = [one["id"] for one in blocks if one["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": one, "content": "ok"} for one in uses]
        turns = [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": results},
        ]
        return {"max_tokens": 9, "messages": turns}
    if source == "chat":
        message = written["choices"][0]["message"]
        if not keeps:
            message = {"role": "assistant", "content": None, "tool_calls": message["tool_calls"]}
        results = [{"role": "tool", "tool_call_id": one["id"], "content": "ok"} for one in message["tool_calls"]]
        return {"messages": [{"role": "user", "content": "hi"}, message, *results]}
    items = [one for one in written["output"] if keeps or one["type"] != "reasoning"]
    results = [
        {"type": "function_call_output", "call_id": one["call_id"], "output": "ok"}
        for one in items
        if one["type"] == "function_call"
    ]
    return {"input": [{"role": "user", "content": "hi"}, *items, *results]}
