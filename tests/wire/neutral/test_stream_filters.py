"""Filters do in a stream what its upstream does not do itself."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.ir import BlockEnded, Ended, TextDelta, ThinkingDelta, Usage
from router.settings.profile import override
from router.wire import translate
from router.wire.neutral.context import STOPS_LENGTH_LIMIT, STOPS_LIMIT
from router.wire.neutral.provider_profiles import find_profile
from router.wire.neutral.stream_filters import StopSequenceFilter, ThinkTagFilter

from ...growth import grows_evenly
from ..translations import DONE, TOOL, blocks, call, chunk, claude, context, events, reason, sent, streamed, user

TWO = chunk(call(0, "a", "f", '{"x":1}')) + chunk(call(1, "b", "g", "{}")) + chunk({}, "tool_calls") + DONE


def flagged(**flags):
    """A context towards an upstream with these flags."""
    ctx = context()
    ctx.profile = override(find_profile(""), flags)
    return ctx


def whole(message, finish, ctx):
    data = {"id": "c", "choices": [{"message": message, "finish_reason": finish}], "usage": {"prompt_tokens": 1}}
    return json.loads(translate.answer(json.dumps(data).encode(), "chat", "messages", ctx, stream=False)[1])


def test_32_one_call_at_a_time_where_the_provider_has_no_field():
    """Of several calls the first is passed on, streamed and whole, and the loss is told."""
    ctx = flagged(parallel_tools=False)
    asked = claude(user("x"), tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    made = json.loads(translate.request(json.dumps(asked).encode(), "messages", "chat", ctx).body)
    assert "parallel_tool_calls" not in made
    assert [loss.path for loss in ctx.losses] == ["tool_choice.disable_parallel_tool_use"]
    found = streamed([TWO], "chat", ctx)
    assert [block["id"] for block in blocks(found)] == ["a"]
    assert reason(found)["stop_reason"] == "tool_use"
    assert b": fairlead-loss tool call 2=dropped" in found
    entries = [{"id": name, "function": {"name": name, "arguments": "{}"}} for name in "ab"]
    answer = whole({"content": None, "tool_calls": entries}, "tool_calls", ctx)
    assert [block["id"] for block in answer["content"]] == ["a"]


def test_where_the_provider_has_the_field_calls_pass():
    """Then it is the upstream that sees to it, and what it says is passed on."""
    asked = claude(user("x"), tools=[TOOL], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    assert sent(asked, "messages")[0]["parallel_tool_calls"] is False
    assert len(blocks(streamed([TWO], "chat"))) == 2


@pytest.mark.parametrize(
    ("text", "thought", "said"),
    [
        ("<think>a b</think>c", "a b", "c"),
        ("\n<think>\na</think>\n\nc", "\na", "\n\nc"),
        ("<think></think>c", "", "c"),
        ("<think>a", "a", ""),
        ("<think>a</thin", "a</thin", ""),
        ("<thin", "", "<thin"),
        ("c <think>a</think>", "", "c <think>a</think>"),
        ("<think>a</think>b<think>c</think>", "a", "b<think>c</think>"),
        ("", "", ""),
    ],
)
@given(data=st.data())
def test_reasoning_between_tags(text, thought, said, data):
    """Only at the very beginning, however the text is cut into pieces."""
    watch = ThinkTagFilter()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    out = [one for piece in pieces for one in watch.apply(TextDelta(piece)) if piece]
    out += watch.apply(Ended("end", Usage()))
    assert "".join(one.text for one in out if isinstance(one, ThinkingDelta)) == thought
    assert "".join(one.text for one in out if isinstance(one, TextDelta)) == said
    closed = "</think>" in text and text.lstrip().startswith("<think>")
    assert sum(isinstance(one, BlockEnded) for one in out) == closed


def test_tags_are_left_alone_unless_the_profile_has_them():
    """A text that begins so is a text."""
    data = chunk({"content": "<think>a</think>b"}) + chunk({}, "stop") + DONE
    assert blocks(streamed([data], "chat"))[0]["text"] == "<think>a</think>b"
    found = blocks(streamed([data], "chat", flagged(think_tags=True)))
    assert [(block["type"], block.get("thinking", block.get("text"))) for block in found] == [
        ("thinking", "a"),
        ("text", "b"),
    ]


def test_34_calls_of_unreliable_models_are_looked_at_first():
    """With the flag, arguments that are no JSON are wrapped in a stream, where they would else be an error."""
    data = chunk(call(0, "a", "f", '{"x":')) + chunk(call(0, None, None, "oops")) + chunk({}, "tool_calls") + DONE
    assert b"invalid tool arguments" in streamed([data], "chat")
    ctx = flagged(buffer_tool_args=True)
    [block] = blocks(streamed([data], "chat", ctx))
    assert json.loads(block["json"]) == {"_raw_arguments": '{"x":oops'}
    assert [loss.path for loss in ctx.losses] == ["usage", "tool call f"]
    assert [block["json"] for block in blocks(streamed([TWO], "chat", flagged(buffer_tool_args=True)))] == [
        '{"x":1}',
        "{}",
    ]


def test_an_answer_without_a_finish_reason_where_that_is_usual():
    """With the flag the end of the body is an end; without it is an error."""
    data = chunk({"content": "a"})
    assert b"message_stop" not in streamed([data], "chat")
    found = streamed([data], "chat", flagged(finish_optional=True))
    assert reason(found)["stop_reason"] == "end_turn"


@pytest.mark.parametrize(
    ("flags", "read", "written"),
    [({}, 6, 5), ({"usage_excludes_cache": True}, 10, 5), ({"usage_excludes_reasoning": True}, 6, 8)],
)
def test_71_73_counts_that_leave_something_out(flags, read, written):
    """As the upstream is known to count."""
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    data = chunk({"content": "a"}) + chunk({}, "stop", usage=usage) + DONE
    found = [one for one in events(streamed([data], "chat", flagged(**flags))) if one["type"] == "message_delta"]
    assert (found[0]["usage"]["input_tokens"], found[0]["usage"]["output_tokens"]) == (read, written)


def test_the_output_limit_is_capped_where_the_upstream_has_one():
    """And the caller is told."""
    ctx = flagged(max_output_cap=20)
    made = json.loads(translate.request(json.dumps(claude(user("x"))).encode(), "messages", "chat", ctx).body)
    assert made["max_tokens"] == 20
    assert [loss.path for loss in ctx.losses] == ["max_tokens"]


@pytest.mark.parametrize("target", ["chat", "responses"])
@pytest.mark.parametrize(
    ("stops", "refused"),
    [
        (["ab"] * STOPS_LIMIT, False),
        (["a" * STOPS_LENGTH_LIMIT], False),
        ([*"ab" * STOPS_LIMIT], True),
        (["a" * STOPS_LENGTH_LIMIT, *"b" * 8], True),
    ],
)
def test_stop_sequences_are_searched_for_within_bounds(target, stops, refused):
    """More of them, or longer ones, would be compared with each letter of a stream: they are refused."""
    asked = json.dumps(claude(user("x"), stop_sequences=stops)).encode()
    ctx = context("openai")
    if not refused:
        translate.request(asked, "messages", target, ctx)
        assert ctx.stop_sequences == (() if target == "chat" and len(stops) == 1 else tuple(stops))
        return
    with pytest.raises(BadRequest, match=r"stop_sequences: .*at most 64 sequences of 4,096 characters"):
        translate.request(asked, "messages", target, ctx)


def test_the_search_for_stop_sequences_grows_with_the_text():
    """At the bounds, with texts that nearly are the sequence all the time."""
    stops = ("a" * (STOPS_LENGTH_LIMIT // 2) + "b", *("a" * 8 + chr(200 + at) for at in range(STOPS_LIMIT - 1)))

    def search(pieces):
        searching = StopSequenceFilter(stops)
        for piece in pieces:
            searching.apply(TextDelta(piece))

    grows_evenly(lambda size: ["a"] * size, search, 3000)
