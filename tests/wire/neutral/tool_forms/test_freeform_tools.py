"""Free text comes out of the arguments that carry it, whole and while they come in."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import Tool
from router.wire.neutral.tool_forms import freeform_tools

TEXTS = ["", "a", '*** Begin Patch\n+a "q" \\d \u00e9 \U0001f600 \x7f\t', "\\", '"}', '{"input":"x"}', "\ud7ff\ue000"]
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))


def spellings(text):
    given = {"input": text}
    ascii_only = json.dumps(given)
    return [
        ascii_only,
        json.dumps(given, ensure_ascii=False),
        json.dumps(given, indent=2),
        freeform_tools.wrap(text),
    ]


def fed(arguments, seed):
    rng, at, unwrapper, out = random.Random(seed), 0, freeform_tools.Unwrapper(), ""
    while at < len(arguments):
        size = rng.choice((1, 2, 3, 7))
        out += unwrapper.feed(arguments[at : at + size])
        at += size
    return out + unwrapper.finish()


@pytest.mark.parametrize("text", TEXTS)
def test_every_spelling_in_any_pieces(text):
    """However JSON was written and cut, the same text comes out."""
    for arguments in spellings(text):
        assert freeform_tools.unwrap(arguments) == text
        for seed in range(50):
            assert fed(arguments, seed) == text


@given(texts, st.integers(0, 9))
def test_any_text(text, seed):
    """The same for whatever a model may write."""
    for arguments in spellings(text):
        assert fed(arguments, seed) == text


@given(texts, st.integers(0, 9))
def test_any_arguments(arguments, seed):
    """Arguments of another form never fail, and read the same in pieces as at once."""
    assert fed(arguments, seed) == freeform_tools.unwrap(arguments)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", ""),
        ("{}", ""),
        ("just text", "just text"),
        ('{"a":1,"input":"x"}', "x"),
        ('{"input":"x","a":1}', "x"),
        ('{"patch":"x"}', '{"patch":"x"}'),
        ('{"input":"cut sh', "cut sh"),
        ('{"input":"raw\nline \\d"}', "raw\nline \\d"),
        ('{"input":"half \\ud83d"}', "half \ufffd"),
    ],
)
def test_forms_that_models_write(arguments, text):
    """What is no object with the one field is taken for the text itself, or for what of it has come."""
    assert freeform_tools.unwrap(arguments) == text


def test_the_grammar_is_described():
    """A model that is not held to a grammar is told of it."""
    tool = Tool("t", freeform_tools.SCHEMA, "Does it.", format={"type": "grammar", "definition": "start: x"})
    assert freeform_tools.describe(tool) == "Does it.\n\nThe input follows this grammar:\nstart: x"
    assert freeform_tools.has_grammar(tool)
    assert not freeform_tools.has_grammar(Tool("t", freeform_tools.SCHEMA, format={"type": "text"}))


def test_half_a_surrogate_pair():
    """Text cut within a character is escaped, not refused, and comes out again as the mark of a broken character."""
    assert freeform_tools.escape("a\ud83d") == "a\\ud83d"
    assert freeform_tools.unwrap(freeform_tools.wrap("a\ud83d b")) == "a\ufffd b"
