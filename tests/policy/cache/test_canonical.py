"""Hashes that stay the same while marks move."""

import json

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from router.policy.cache.canonical import MARKS_LIMIT, count_marks, cut_marks, read_item, read_items

from ...growth import grows_evenly

MARK = {"type": "ephemeral"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(
    JSON,
    st.dictionaries(st.text().filter(lambda name: name != "cache_control"), JSON, max_size=4),
    st.sampled_from([(",", ":"), (", ", ": ")]),
    st.sampled_from([None, MARK, {**MARK, "ttl": "1h"}]),
    st.booleans(),
)
def test_a_text_without_its_marks(value, members, separators, mark, first):
    """Cutting the marks gives the bytes of the text that never had any, wherever a mark stands among the members."""
    before, behind = ({"cache_control": mark}, members) if first else (members, {"cache_control": mark})
    marked = json.dumps([value, {**before, **behind}], separators=separators).encode()
    plain = json.dumps([value, members], separators=separators).encode()
    # Deeper in the value there may be members of that name too, by chance.
    if b'"cache_control"' not in plain:
        assert json.loads(cut_marks(marked)) == json.loads(plain)
        assert count_marks(marked) == 1


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        (b'{"cache_control":{"type":"ephemeral"}}', b"{}"),
        (b'{"cache_control":null,"a":1}', b'{"a":1}'),
        (b'{"a":1,"prompt_cache_breakpoint":{"mode":"explicit"}}', b'{"a":1}'),
        (b'{"a":"\\"cache_control\\":{}"}', b'{"a":"\\"cache_control\\":{}"}'),
        (b'{"a":["cache_control"]}', b'{"a":["cache_control"]}'),
        (b'{"cache_control":{"a":{"b":1}}}', b'{"cache_control":{"a":{"b":1}}}'),
        (b'{"cache_control":', b'{"cache_control":'),
    ],
)
def test_what_is_a_mark(raw, cut):
    """A member of that name with an object of plain values, or null."""
    assert cut_marks(raw) == cut


def test_more_marks_than_anybody_sends_are_left():
    """Such a text is hashed as it is."""
    raw = b"[" + b",".join([b'{"cache_control":null}'] * (MARKS_LIMIT + 1)) + b"]"
    assert cut_marks(raw) == raw


@given(st.text())
def test_a_text_is_a_text_in_every_form(text):
    """As a string, as a list of one block, with a mark and without."""
    block = {"type": "text", "text": text}
    forms = [text, [block], [{**block, "cache_control": MARK}], [{"cache_control": MARK, **block}]]
    items = [read_item(json.dumps({"role": "user", "content": content}).encode()) for content in forms]
    assert len({found for found, _, _ in items}) == 1
    assert [marks for _, _, marks in items] == [0, 0, 1, 1]
    assert {blocks for _, blocks, _ in items} == {1}


@pytest.mark.parametrize(
    "content",
    [
        "b",
        [{"type": "text", "text": "a"}, {"type": "text", "text": "a"}],
        [{"type": "text", "text": "a", "citations": []}],
        [{"type": "thinking", "text": "a"}],
        [],
        None,
    ],
)
def test_other_contents_have_other_hashes(content):
    """What is not the one text alone differs from it."""
    one, other = (read_item(json.dumps({"role": "user", "content": value}).encode()) for value in ("a", content))
    assert one[0] != other[0]


@pytest.mark.parametrize(
    "piece", [b'"cache_control":', b'"cache_control":{', b'"cache_control":null,', b'{"cache_control":{"a":"', b"\\"]
)
def test_time_grows_with_the_text_alone(piece):
    """Also of a text that is made of the beginnings of marks."""
    grows_evenly(lambda count: piece * count, cut_marks, 40_000)
    grows_evenly(lambda count: b'{"content":[' + piece * count, read_item, 40_000)


@given(
    st.lists(st.sampled_from(["a", [], [{"type": "text", "text": "a"}], [{"cache_control": MARK, "type": "b"}]])),
    st.sampled_from([(",", ":"), (", ", ": "), (",  ", ":"), (",", ": ")]),
)
def test_items_of_a_list_are_read_as_each_alone(contents, separators):
    """Whichever of them have marks, and whatever is between them."""
    texts = [json.dumps({"content": content}, separators=separators).encode() for content in contents]
    whole = b"[" + separators[0].encode().join(texts) + b"]"
    items = read_items(whole, [msgspec.Raw(text) for text in texts])
    alone = [read_item(text) for text in texts]
    assert items.hashes == [found for found, _, _ in alone]
    assert items.marks == sum(marks for _, _, marks in alone)
    assert items.blocks == sum(blocks for _, blocks, _ in alone)
    plain = next((at for at, (_, _, marks) in enumerate(alone) if marks), len(alone))
    assert (items.plain, items.plain_size) == (plain, sum(map(len, texts[:plain])))
