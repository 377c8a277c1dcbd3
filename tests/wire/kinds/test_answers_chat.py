"""What the decoder of Chat answers reads in each of the cases, to the letter."""

import json

import pytest

from router.ir import Answer, Text, Thinking, ToolCall
from router.wire import translate
from router.wire.chat.response import decode_answer
from router.wire.neutral import assemble

from ..translations import context
from .answers_chat import CASES

NAMES = [str(case) for case in CASES]


def read(case, ctx):
    if case.streamed:
        return assemble.assemble_answer(list(translate.Stream("chat", "messages", ctx).all_events(case.data)), ctx)
    return decode_answer(json.loads(case.data), ctx)


def test_no_two_cases_have_one_name():
    """Each case is named once."""
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_an_answer_is_read_whole(case):
    """Text, reasoning, calls, stop, citations and nothing but the expected losses, with ids that are unique."""
    ctx = context(call_ids=frozenset(case.history))
    found = read(case, ctx)
    assert isinstance(found, Answer), found
    assert "".join(block.text for block in found.blocks if isinstance(block, Text)) == case.text
    assert "".join(block.text for block in found.blocks if isinstance(block, Thinking)) == case.reasoning
    made = [block for block in found.blocks if isinstance(block, ToolCall)]
    assert [(one.name, json.loads(one.arguments)) for one in made] == list(case.calls)
    assert len({*case.history, *(one.id for one in made)}) == len(case.history) + len(made)
    assert (found.stop, found.refusal) == (case.stop, case.refusal)
    cited = [one.url for block in found.blocks if isinstance(block, Text) for one in block.citations]
    assert tuple(cited) == case.citations
    assert sorted(loss.path for loss in ctx.losses) == sorted(case.losses.get("*", ()))


@pytest.mark.parametrize("case", [case for case in CASES if case.calls], ids=str)
def test_ids_are_the_same_each_time(case):
    """The ids of an answer's calls depend on the history and the answer alone."""
    ids = [
        [
            block.id
            for block in read(case, context(call_ids=frozenset(case.history))).blocks
            if isinstance(block, ToolCall)
        ]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
