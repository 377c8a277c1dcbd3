"""Items that stand for a compacted conversation, on their way back to a model."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire import translate
from router.wire.conversation.sealed_state import PREFIX, SUMMARY_PREFIX, StateSealer, make_signer
from router.wire.protocols import RESPONSES
from router.wire.responses.input import compaction

from ..responses_samples import LOOK, say
from ..translations import context, sent
from .test_compaction import HISTORY, SEALER, asked, item_of, told

# The way back


@pytest.mark.parametrize("target", ["messages", "chat"])
@pytest.mark.parametrize("kind", compaction.KINDS)
def test_an_own_item_is_a_message_again(kind, target):
    """For whichever backend and model, under any name that clients give the item; nothing of it is lost."""
    item = {**item_of("Ünfinished: step 3"), "type": kind}
    made, lost = sent({"model": "x", "input": [say("user", "hi"), item, say("user", "go")]}, "responses", "", target)
    assert "Ünfinished: step 3" in told(made)
    assert SUMMARY_PREFIX not in json.dumps(made)
    assert lost == []


def spoil(sealed):
    return {
        "changed": sealed[:-6] + ("AAAAAA" if not sealed.endswith("AAAAAA") else "BBBBBB"),
        "of another home": StateSealer(make_signer(b"other")).seal_summary("x"),
        "empty": SUMMARY_PREFIX,
        "no base64": SUMMARY_PREFIX + "ö",
        "reasoning": SUMMARY_PREFIX + SEALER.seal("text", "x", "x").removeprefix(PREFIX),
    }


@pytest.mark.parametrize("how", spoil("AAAAAAA"))
def test_an_item_that_cannot_be_trusted_is_refused(how):
    """The error names the item and what to do; nothing is left out silently."""
    bad = {"type": "compaction", "encrypted_content": spoil(SEALER.seal_summary("x"))[how]}
    with pytest.raises(BadRequest, match=r"^input\[1\]: .*changed since, or another.*Start a new thread"):
        sent({"model": "x", "input": [say("user", "hi"), bad]}, "responses", "", "chat")


def test_a_summary_is_no_reasoning():
    """A caller cannot pass a sealed summary off as an upstream's reasoning, nor the other way round."""
    sealed = SEALER.seal_summary("x")
    assert SEALER.unseal(PREFIX + sealed.removeprefix(SUMMARY_PREFIX), "") is None
    assert SEALER.unseal(sealed, "") is None
    assert SEALER.unseal_summary(SEALER.seal("text", "x", "")) is None


def passed(items, *, compacts):
    raw = json.dumps(items).encode()
    return raw, RESPONSES.compaction.unseal_items(raw, SEALER, "up", compacts=compacts)


@pytest.mark.parametrize("compacts", [True, False])
def test_own_items_are_messages_for_a_backend_of_the_same_protocol(compacts):
    """All other items stay byte for byte, and an input without any is not touched."""
    others = [say("user", "about compaction"), {"type": "reasoning", "encrypted_content": "gAAA", "summary": []}]
    raw, found = passed([*others, item_of("step 3")], compacts=compacts)
    *kept, made = json.loads(found)
    assert kept == others
    assert found.startswith(b"[" + json.dumps(others[0]).encode() + b"," + json.dumps(others[1]).encode())
    assert (made["role"], made["content"][0]["text"][-6:]) == ("user", "step 3")
    raw, found = passed(others, compacts=compacts)
    assert found is raw


def test_items_of_the_backend_are_its_own_matter():
    """A backend that compacts gets its own items as they are; one that does not cannot have written them."""
    theirs = {"type": "compaction", "encrypted_content": "gAAAA"}
    raw, found = passed([theirs], compacts=True)
    assert found is raw
    with pytest.raises(BadRequest, match=r"^input\[0\]: .*backend up is not known to write.*profile\.compacts on"):
        passed([theirs], compacts=False)


@given(st.text(max_size=300), st.binary(min_size=1, max_size=32))
def test_a_sealed_summary_is_read_with_its_key_alone(text, key):
    """Any text survives, and only the key that sealed it reads it."""
    sealed = StateSealer(make_signer(key), "a", "b").seal_summary(text)
    assert StateSealer(make_signer(key), "c", "d").unseal_summary(sealed) == text
    assert StateSealer(make_signer(key + b"x"), "a", "b").unseal_summary(sealed) is None


def test_a_chain_goes_on_from_its_compaction():
    """previous_response_id of a compaction stands for the item, and not for what it replaced."""
    entry = {"items": [say("user", "old"), item_of("step 3")], "inputs": 1, "previous": "resp_gone"}
    ctx = context(stored={"resp_1": entry})
    body = {"model": "x", "input": "go", "previous_response_id": "resp_1"}
    made = json.loads(translate.request(json.dumps(body).encode(), "responses", "chat", ctx).body)
    assert "step 3" in told(made)
    assert "old" not in told(made)


# A backend of the same protocol


def rewritten(body, **fields):
    ctx = context(compaction="item", **fields)
    return json.loads(RESPONSES.compaction.ask_for_summary(json.dumps(body).encode(), ctx))


def test_a_request_of_the_same_protocol_keeps_its_form():
    """Only what asks for the summary changes: sealed reasoning, ids and the cache's key stay, nothing is stored."""
    thought = {"type": "reasoning", "encrypted_content": "gAAA", "summary": []}
    made = rewritten(
        asked(*HISTORY, thought, item_of("step 3"), tools=[LOOK], prompt_cache_key="k", previous_response_id="resp_9")
    )
    *kept, own, question = made["input"]
    assert kept == [*HISTORY, thought]
    assert own["content"][0]["text"].endswith("step 3")
    assert "about to be removed" in question["content"][0]["text"]
    assert (made["model"], made["store"], made["tool_choice"]) == ("m", False, "none")
    assert (made["prompt_cache_key"], made["previous_response_id"]) == ("k", "resp_9")
    assert made["max_output_tokens"] == compaction.LIMIT


@pytest.mark.parametrize("fields", [{"background": True}, {"conversation": "conv_1"}])
def test_a_summary_joins_no_conversation_of_the_backend(fields):
    """The question would stay there."""
    with pytest.raises(BadRequest, match=f"^{next(iter(fields))}: "):
        rewritten(asked(*HISTORY, **fields))
