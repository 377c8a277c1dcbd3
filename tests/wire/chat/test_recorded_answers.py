"""Recorded answers of Chat upstreams that were once read wrongly; skipped where the recordings are not there."""

import json

import pytest

from router.ir import Answer, Text, ToolCall
from router.wire import translate
from router.wire.chat.response import decode_answer
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.neutral import assemble

from ..test_translate_streams import FIXTURES
from ..translations import context
from .test_reasoning_details import second_turn


def recorded(name):
    path = FIXTURES / "faults" / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    return path.read_bytes()


def read(data, ctx):
    if data.lstrip()[:1] == b"{":
        return decode_answer(json.loads(data), ctx)
    return assemble.assemble_answer(list(translate.Stream("chat", "messages", ctx).all_events(data)), ctx)


@pytest.mark.parametrize("keeps", [True, False], ids=["kept", "dropped"])
@pytest.mark.parametrize("target", ["messages", "responses"])
@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("claude-upstream1.chat.json", ["anthropic-claude-v1"]),
        ("gemini-upstream1.chat.sse", ["google-gemini-v1"]),
        ("grok-upstream1.chat.json", ["xai-responses-v1", "xai-responses-v1"]),
    ],
)
def test_recorded_reasoning_details_come_back(name, formats, target, keeps):
    """Claude's signature, Gemini's and xAI's encrypted reasoning go back to the upstream as they came."""
    data = recorded(f"01-reasoning-details-lost/{name}")
    message, losses = second_turn(data, target, keeps=keeps, memory=ReplayMemory())
    assert [one["format"] for one in message["reasoning_details"]] == formats
    for one in message["reasoning_details"]:
        proof = one.get("signature") or one.get("data") or one["summary"]
        assert json.dumps(proof).encode() in data
    assert losses == []


@pytest.mark.parametrize(
    ("name", "text", "calls", "stop", "usage"),
    [("snowflake", "4", [], "end", (22, 5)), ("novita", "", [("llm_version", "{}")], "tool", (57, 17))],
)
def test_recorded_streams_without_a_finish_reason_end(name, text, calls, stop, usage):
    """[DONE] behind a text and behind a call is the end of the answer."""
    found = read(recorded(f"05-done-without-finish-reason/{name}-upstream.chat.sse"), context())
    assert isinstance(found, Answer)
    assert "".join(block.text for block in found.blocks if isinstance(block, Text)) == text
    assert [(block.name, block.arguments) for block in found.blocks if isinstance(block, ToolCall)] == calls
    assert (found.stop, found.usage.input, found.usage.output) == (stop, *usage)


@pytest.mark.parametrize(
    ("name", "count"), [("perplexity-upstream.chat.json", 7), ("chat-to-responses-upstream.chat.sse", 5)]
)
def test_recorded_citations_are_carried(name, count):
    """Sources beside the choices, and annotations in front of the text, belong to the text."""
    ctx = context()
    found = read(recorded(f"08-citations-lost/{name}"), ctx)
    assert isinstance(found, Answer)
    [text] = [block for block in found.blocks if isinstance(block, Text)]
    assert len(text.citations) == count
    assert all(one.url.startswith("https://") for one in text.citations)
    assert ctx.losses == []


@pytest.mark.parametrize(
    ("name", "loss"), [("groq-upstream.chat.json", ""), ("moderation-upstream.chat.sse", "moderation")]
)
def test_recorded_fields_that_are_not_carried_are_named(name, loss):
    """The result of a moderation is named as left out; a search that the provider ran is carried, and not named."""
    ctx = context()
    assert isinstance(read(recorded(f"09-silent-losses/{name}"), ctx), Answer)
    assert [(one.path, one.how) for one in ctx.losses] == ([(loss, "dropped")] if loss else [])
