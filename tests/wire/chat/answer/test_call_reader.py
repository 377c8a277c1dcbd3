"""Many calls, choices and parts in one answer."""

import json

import pytest

from router.ir import ToolCall
from router.wire.chat.decode_stream import ChatDecoder
from router.wire.chat.response import decode_answer
from router.wire.neutral import assemble
from router.wire.neutral.answer_bounds import CALLS, CHOICES

from ...translations import context

COUNT = CALLS.limit


def entry(at, call_id, arguments='{"a":1}'):
    return {"index": at, "id": call_id, "function": {"name": "f", "arguments": arguments}}


def calls_of(found):
    return [block for block in found.blocks if isinstance(block, ToolCall)]


@pytest.mark.parametrize("name", ["call_{}", "same", ""], ids=["own", "shared", "none"])
def test_many_calls_cost_no_more_each(name):
    """Each entry is looked up, not searched for, whatever the ids are."""
    entries = [entry(at, name.format(at)) for at in range(COUNT)]
    decoder = ChatDecoder(context())
    events = []
    for one in entries:
        chunk = {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [one]}, "finish_reason": None}]}
        events += decoder.feed("", chunk)
    events += decoder.done()
    made = calls_of(assemble.assemble_answer(events, context()))
    assert len({one.id for one in made}) == len(made) == COUNT
    whole = {"id": "c", "choices": [{"index": 0, "message": {"tool_calls": entries}, "finish_reason": "tool_calls"}]}
    assert len(calls_of(decode_answer(whole, context()))) == COUNT


def test_many_choices_cost_no_more_each():
    """Calls that are spread over many choices are all kept, in order."""
    choices = [
        {"index": at, "message": {"tool_calls": [entry(0, "a", json.dumps({"at": at}))]}, "finish_reason": "tool_calls"}
        for at in range(CHOICES.limit)
    ]
    made = calls_of(decode_answer({"id": "c", "choices": choices}, context()))
    assert [json.loads(one.arguments)["at"] for one in made] == list(range(CHOICES.limit))


def test_a_history_of_counted_ids_goes_on_counting():
    """A long history whose ids are all suffixes of one does not make the next id expensive."""
    history = frozenset(["a", *(f"a_{at}" for at in range(2, 5000))])
    whole = {"id": "c", "choices": [{"message": {"tool_calls": [entry(0, "a"), entry(1, "a")]}}]}
    made = calls_of(decode_answer(whole, context(call_ids=history)))
    assert [one.id for one in made] == ["a_5000", "a_5001"]
