"""An answer for a model's context: small, and without what hides, reorders or opens anything."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.mcp.answers import Answer, Quoted
from router.mcp.bounds import ANSWER_LIMIT, LIST_LIMIT, QUOTED_LIMIT, TEXT_LIMIT, bound, clean_text, format_text


class Nested(msgspec.Struct):
    """A row with a list of its own."""

    text: Quoted | None
    names: list[str] = msgspec.field(default_factory=list)


class Sample(Answer, kw_only=True):
    """An answer."""

    title: str = ""
    rows: list[Nested] = msgspec.field(default_factory=list)
    models: list[str] = msgspec.field(default_factory=list)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\x1b[31mred\x07", "a [31mred "),
        ("left\u202eright\u2066x", "left right x"),
        ("zero\u200bwidth\ufeff", "zero width "),
        ("tag\U000e0041\U000e0042s", "tag  s"),
        ("smuggled\ufe00\U000e0100\U000e01ef.", "smuggled."),
        ("lines\r\n\u2028\x85", "lines    "),
        ("lone\ud800", "lone "),
        ("grüße", "grüße"),
    ],
)
def test_characters_that_show_nothing_are_taken_out(text, shown):
    """Controls, marks of direction, tags and selectors: a text can hide no other one."""
    assert clean_text(text, 100) == shown


@given(st.text(), st.integers(min_value=8, max_value=40))
def test_a_text_is_short_and_printable(text, limit):
    """By bytes, and cut between two characters."""
    shown = clean_text(text, limit)
    assert len(shown.encode("utf-8")) <= limit
    assert shown.isprintable()


def test_a_quoted_text_loses_its_keys_before_it_is_cut():
    """Where the cut goes through a key, its beginning would else be left."""
    text = "x" * 180 + " sk-ant-0123456789abcdefghijklmnopqrstuvwxyz"
    found = bound(Sample(rows=[Nested(Quoted(text))]))["rows"][0]["text"]["upstream_text_untrusted"]
    assert "sk-ant" not in found
    assert "redacted" in found
    assert len(found.encode()) <= QUOTED_LIMIT


def test_other_texts_keep_names_that_look_like_keys():
    """A model's name is needed as it is."""
    name = "tensor-llama-3-70b-instruct"
    assert bound(Sample(title=name, models=[name]))["models"] == [name]


def test_lists_have_a_bound_and_what_is_left_out_is_counted():
    """50 entries each, those inside others too; of models as many as were asked for."""
    found = bound(Sample(rows=[Nested(None, ["n"] * 60)] + [Nested(None)] * 54, models=["m"] * 201, more=7))
    assert len(found["rows"]) == LIST_LIMIT
    assert len(found["rows"][0]["names"]) == LIST_LIMIT
    assert len(found["models"]) == 200
    assert found["more"] == 7 + 5 + 10 + 1


@given(
    st.builds(
        Sample,
        title=st.text(),
        rows=st.lists(
            st.builds(Nested, st.none() | st.builds(Quoted, st.text()), st.lists(st.text(), max_size=60)), max_size=9
        ),
        models=st.lists(st.text(min_size=90), max_size=200),
    )
)
def test_an_answer_fits_and_nothing_goes_uncounted(sample):
    """8 KB at most, and what a list lost is in `more`."""
    whole = len(sample.rows) + len(sample.models)
    found = bound(sample)
    assert len(format_text(found)) <= ANSWER_LIMIT
    assert found["more"] >= whole - len(found["rows"]) - len(found["models"])
    assert json.loads(format_text(found)) == found
    assert len(found["title"].encode()) <= TEXT_LIMIT


def test_a_long_list_is_halved_until_it_fits():
    """The longest goes first; short ones stay whole."""
    found = bound(Sample(rows=[Nested(Quoted("kept"))], models=["m" * 256] * 200))
    assert found["rows"] == [{"text": {"upstream_text_untrusted": "kept"}, "names": []}]
    assert 8 < len(found["models"]) < 50
    assert found["more"] == 200 - len(found["models"])
