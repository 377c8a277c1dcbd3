"""Whole answers and streams of neutral events stand for each other."""

import pytest

from router.ir import BlockEnded, Citation, Cited, Ended, TextDelta, ThinkingDelta, Usage
from router.wire.neutral.assemble import assemble_answer

from ..translations import context

PAGE = Cited(Citation("https://a/"))


@pytest.mark.parametrize("before", [[], [TextDelta("so"), BlockEnded()], [TextDelta("so"), ThinkingDelta("hm")]])
def test_a_page_that_no_open_text_cites_is_named(before):
    """A citation while no text is open belongs to none, and its loss is named."""
    ctx = context()
    found = assemble_answer([*before, PAGE, Ended("end", Usage())], ctx)
    assert not any(getattr(block, "citations", ()) for block in found.blocks)
    assert [loss.path for loss in ctx.losses] == ["citations"]


def test_a_page_that_a_text_cites():
    """A citation behind its text belongs to it."""
    ctx = context()
    found = assemble_answer([TextDelta("so"), PAGE, TextDelta(" it is"), PAGE, Ended("end", Usage())], ctx)
    assert [(block.text, len(block.citations)) for block in found.blocks] == [("so it is", 2)]
    assert ctx.losses == []
