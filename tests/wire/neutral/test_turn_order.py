"""Calls and results of a history on their way to an upstream."""

import json

import pytest

from router.ir import Text, ToolCall, ToolResult, Turn
from router.wire.neutral.turn_order import MISSING, order_turns

from ..translations import assistant, calls, context, gpt, sent, tool, user


def called(*entries):
    return Turn("assistant", tuple(ToolCall(call_id, "look", arguments) for call_id, arguments in entries))


def answered(*entries):
    return Turn("user", tuple(ToolResult(call_id, (Text(text),)) for call_id, text in entries))


def pairs(turns):
    """Each call's arguments with the text of its result, in order; all ids differ."""
    texts = {}
    found = []
    for turn in turns:
        for block in turn.blocks:
            if isinstance(block, ToolResult):
                assert block.call_id not in texts
                texts[block.call_id] = block.content[0].text
            elif isinstance(block, ToolCall):
                found.append(block)
    assert len({block.id for block in found}) == len(found)
    return [(block.arguments, texts[block.id]) for block in found]


def test_calls_of_one_turn_that_share_an_id_keep_their_results():
    """Calls that share an id are all kept, and each gets the result at its place."""
    ctx = context()
    turns = order_turns([called(("a", "1"), ("a", "2"), ("b", "3")), answered(("a", "A"), ("b", "C"), ("a", "B"))], ctx)
    assert pairs(turns) == [("1", "A"), ("2", "B"), ("3", "C")]
    assert ctx.losses == []


def test_calls_numbered_anew_in_each_turn_keep_their_results():
    """An id that each answer begins with again is unique over the whole history that is sent."""
    turns = [
        *(called(("call_0", "1")), answered(("call_0", "A"))),
        *(called(("call_0", "2"), ("call_0_2", "3")), answered(("call_0", "B"), ("call_0_2", "C"))),
        *(called(("call_0", "4")), answered(("call_0", "D"))),
    ]
    assert pairs(order_turns(turns, context())) == [("1", "A"), ("2", "B"), ("3", "C"), ("4", "D")]


def test_missing_and_further_results_of_a_shared_id():
    """A missing result is said to be missing; one too many belongs to the last call of its id, and is declared."""
    ctx = context()
    assert pairs(order_turns([called(("a", "1"), ("a", "2")), answered(("a", "A"))], ctx)) == [
        ("1", "A"),
        ("2", MISSING),
    ]
    assert [loss.path for loss in ctx.losses] == [".tool_calls"]
    ctx = context()
    made = order_turns([called(("a", "1"), ("a", "2")), answered(("a", "A"), ("a", "B"), ("a", "C"))], ctx)
    assert [len(block.content) for block in made[1].blocks] == [1, 2]
    assert len(ctx.losses) == 1


def test_a_growing_history_keeps_its_beginning():
    """What is sent for a prefix of a conversation does not change when the conversation goes on."""
    turns = []
    for at in range(6):
        turns += [called(("a", f"{at}"), ("a", f"{at}+")), answered(("a", "x"), ("a", "y"))]
    whole = order_turns(turns, context())
    for size in range(2, len(turns), 2):
        assert order_turns(turns[:size], context()) == whole[: len(order_turns(turns[:size], context()))]


@pytest.mark.parametrize(("target", "vendor"), [("messages", ""), ("responses", ""), ("chat", "mistral"), ("chat", "")])
def test_ids_are_unique_in_every_protocol(target, vendor):
    """A history whose ids repeat reaches every kind of upstream with ids that do not."""
    turn = [calls(("functions.f:0", "f", '{"a":1}'), ("functions.f:0", "f", '{"a":2}'))]
    turn += [tool("functions.f:0", "A"), tool("functions.f:0", "B")]
    if target == "chat":
        body = {"model": "x", "input": [{"role": "user", "content": "go"}]}
        for text in ("A", "B", "C"):
            body["input"] += [
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": text},
            ]
        made, losses = sent(body, "responses", vendor, target)
        ids = [entry["id"] for one in made["messages"] for entry in one.get("tool_calls", ())]
        assert [one["tool_call_id"] for one in made["messages"] if one["role"] == "tool"] == ids
        count = 3
    else:
        made, losses = sent(gpt(user("go"), *turn, assistant("so"), user("on"), *turn), "chat", vendor, target)
        field = "id" if target == "messages" else "call_id"
        items = made.get("input") or [block for one in made["messages"] for block in _list(one["content"])]
        ids = [one[field] for one in items if one.get("type") in ("tool_use", "function_call")]
        results = [one for one in items if one.get("type") in ("tool_result", "function_call_output")]
        assert [one.get("tool_use_id") or one["call_id"] for one in results] == ids
        assert all(f'"{text}"' in json.dumps(one) for one, text in zip(results, "ABAB", strict=True))
        count = 4
    assert len(set(ids)) == len(ids) == count
    assert losses == []


def _list(content):
    return content if isinstance(content, list) else []


def test_many_calls_cost_no_more_each():
    """Turns and calls of one id are not compared with each other."""
    turns = [called(("a", "1")) for _ in range(20_000)] + [answered(*(("a", "x") for _ in range(20_000)))]
    made = order_turns(turns, context())
    assert len(made[0].blocks) == len(made[1].blocks) == 20_000
