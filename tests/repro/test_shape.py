"""Shapes keep the structure of bodies, and nothing that anybody wrote."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.repro.fill import Names, fill_text
from router.repro.json_text import fill_json_text
from router.repro.scan import find_private
from router.repro.shape import Shaper, TooDeep
from router.repro.streams import shape_stream

TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def structure(value):
    """A value without what stands in it."""
    if isinstance(value, dict):
        return [structure(one) for one in value.values()]
    if isinstance(value, list):
        return [structure(one) for one in value]
    return len(value) if isinstance(value, str) else type(value).__name__


@given(TEXTS)
def test_a_text_keeps_its_length(text):
    """One character for each, and only x, 0, circles, spaces and punctuation."""
    filled = fill_text(text)
    assert len(filled) == len(text)
    assert not any(char.isalpha() and char != "x" for char in filled)


@given(VALUES)
def test_a_body_keeps_its_structure(value):
    """As many members and items at each place, in their order, and strings as long as before."""
    members = {"model": "m", "messages": value}
    shaped = Shaper().shape_json(json.dumps(members))
    assert structure(json.loads(shaped)) == structure(members)


@given(VALUES)
def test_the_same_body_becomes_the_same(value):
    """Each time, whatever was shaped before by others."""
    text = json.dumps({"input": value})
    assert Shaper().shape_json(text) == Shaper().shape_json(text)


@given(st.text(alphabet='{}[]":,\\ abz019.-\n\u00e9', max_size=60))
def test_json_in_a_text_keeps_its_length(text):
    """Whole or cut anywhere: no letter of a string but x is left, and JSON stays JSON."""
    filled = fill_json_text(text, Names().rename)
    assert len(filled) == len(text)
    try:
        before = json.loads(text)
    except ValueError:
        return
    assert type(json.loads(filled)) is type(before)


@given(st.data())
def test_pieces_of_arguments_join_to_json(data):
    """However they are cut: the pieces are as long as before, and members that differ stay different."""
    whole = json.dumps({"secretPath": "/home/someone", "secretMode": 12345678, "ok": [True, None, "Zürich"]})
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    parts = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    events = [
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": part}}
        for part in parts
    ]
    text = "".join(f"event: content_block_delta\ndata: {json.dumps(event)}\n\n" for event in events)
    shaped, _ = shape_stream(text, [], Shaper())
    rows = [json.loads(line[6:]) for line in shaped.splitlines() if line.startswith("data: ")]
    pieces = [row["delta"]["partial_json"] for row in rows]
    assert [len(piece) for piece in pieces] == [len(part) for part in parts]
    found = json.loads("".join(pieces))
    assert [*found.values()] == ["/xxxx/xxxxxxx", 11111111, [True, None, "x\N{WHITE CIRCLE}xxxx"]]


@given(st.lists(st.integers(0, 400), max_size=5))
def test_chunks_end_where_they_did(places):
    """At the ends of the same lines, in the same order, within the new text."""
    text = "".join(f'data: {{"choices":[{{"delta":{{"content":"größe {n}"}}}}]}}\n\n' for n in range(5))
    size = len(text.encode())
    ends = sorted({min(place, size) for place in places} | {size})
    shaped, chunks = shape_stream(text, [(n, end) for n, end in enumerate(ends)], Shaper())
    moved = [end for _, end in chunks]
    assert moved == sorted(moved)
    assert moved[-1] == len(shaped.encode())
    lines = [0]
    for line in text.splitlines(keepends=True):
        lines.append(lines[-1] + len(line.encode()))
    new_lines = [0]
    for line in shaped.splitlines(keepends=True):
        new_lines.append(new_lines[-1] + len(line.encode()))
    for before, after in zip(ends, moved, strict=True):
        if before in lines:
            assert after == new_lines[lines.index(before)]


def test_names_stay_apart():
    """Two names never become one, and the same name is the same everywhere."""
    names = Names()
    filled = [names.rename(f"tool_{letter}{other}") for letter in "abcdef" for other in "xyz"]
    assert len({*filled}) == 18
    assert names.rename("tool_ax") == filled[0]
    assert {len(name) for name in filled} == {7}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", "prompt is too long: 210000 tokens > 200000 maximum"),
        ("Unsupported parameter: 'top_k'.", "Unsupported parameter: 'top_k'."),
        ("No such file /home/alice/plan.txt", "No such file /xxxx/xxxxx/xxxx.xxx"),
        ("for alice@example.org", "for xxxxx\N{WHITE CIRCLE}xxxxxxx.xxx"),
        ("organization 12345678901 of Zorblatt", "organization 00000000000 of xxxxxxxx"),
    ],
)
def test_errors_say_why(said, left):
    """The words that all errors have stay; who and what they were about does not."""
    assert Names().fill_error(said) == left


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x sk-ant-0123456789abcdef x", "key"),
        ("mail alice@example.org now", "e-mail address"),
        ('"/home/alice/x"', "home folder"),
        ("id Zk3vQ9xT7bLm2NpR4sWy", "random value"),
    ],
)
def test_what_must_not_leave(text, kind):
    """Each kind is found, and a shape of the same text has none of them."""
    assert kind in find_private(text)
    assert not find_private(fill_text(text))


def test_nesting_has_an_end():
    """What is nested too deep is refused before Python gives up."""
    value = "x"
    for _ in range(400):
        value = [value]
    with pytest.raises(TooDeep):
        Shaper().shape_value({"messages": value})
