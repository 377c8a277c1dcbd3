"""Conversations as hashes: what is recognized of the turn before, and which item is the first that changed."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from router.policy.cache import conversation as module
from router.policy.cache.canonical import Extent
from router.policy.cache.conversation import (
    FOLDED,
    ITEMS_LIMIT,
    PREFIXES_LIMIT,
)

from ...growth import grows_evenly

MARK = {"cache_control": {"type": "ephemeral"}}


def extent(raw):
    """A text in the middle of a body."""
    return Extent(b'{"x":' + raw + b"}", 5, 5 + len(raw))


def read_conversation(raw, known=None):
    return module.read_conversation(extent(raw), known)


def recognize(raw, conversation):
    return module.recognize(extent(raw), conversation)


def find_first(raw):
    return module.Beginnings().find_first(extent(raw))


def encode(items, separators=(",", ":")):
    return json.dumps(items, separators=separators).encode()


def text(number, *, marked=False):
    """A message, as agents send it with and without a mark."""
    content = [{"type": "text", "text": f"text {number}", **MARK}] if marked else f"text {number}"
    return {"role": "user" if number % 2 == 0 else "assistant", "content": content}


def conversation(count, last=0, **changes):
    """So many messages, the last ones marked. changes: by `mN`, other messages in their place."""
    found = [text(number, marked=number >= count - last) for number in range(count)]
    for name, item in changes.items():
        found[int(name[1:])] = item
    return found


def read_on(before, items, separators=(",", ":")):
    """Read a conversation as the next turn after one that was read."""
    raw = encode(items, separators)
    return read_conversation(raw, recognize(raw, before))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (",  ", ":")], ids=["compact", "spaced", "wide"])
def test_turns_of_one_conversation(separators):
    """Each turn is the beginning of the next, with the mark at the last message; all but the new end is recognized."""
    before = read_conversation(encode(conversation(1, 1), separators)).conversation
    for count in range(3, 60, 2):
        reading = read_on(before, conversation(count, 1), separators)
        assert reading.find_change(before) is None
        assert reading.conversation.count == count
        assert reading.known == (0 if separators[0] == ",  " or count == 3 else count - 3)
        assert reading.conversation.marked == count
        assert len(reading.conversation.prefixes) <= PREFIXES_LIMIT
        before = reading.conversation


@given(st.integers(2, 30), st.data())
def test_the_first_change_is_found(count, data):
    """Whatever was recognized before it; and what comes behind it does not matter."""
    at = data.draw(st.integers(0, count - 1))
    before = read_conversation(encode(conversation(count, data.draw(st.integers(0, 2))))).conversation
    other = {"role": "user", "content": "another text"}
    after = conversation(count + 2, 1, **{f"m{at}": other, f"m{count - 1}": other if at == count - 1 else text(count)})
    reading = read_on(before, after)
    assert reading.find_change(before) == at
    assert reading.name_kind(at) == "user"


@pytest.mark.parametrize("left", [0, 1, 5, 9])
def test_a_shorter_conversation_changed_where_it_ends(left):
    """An agent that dropped its last messages wrote the conversation anew from there on."""
    before = read_conversation(encode(conversation(10))).conversation
    reading = read_on(before, conversation(left))
    assert reading.find_change(before) == left
    assert reading.name_kind(left) == ""


def test_old_items_are_folded():
    """No more hashes are kept than there may be, and a change among the old ones is found, though not its place."""
    before = read_conversation(encode(conversation(1, 1))).conversation
    for count in range(3, 2003, 50):
        reading = read_on(before, conversation(count, 1))
        assert reading.find_change(before) is None
        before = reading.conversation
        assert before.count == count
        assert len(before.hashes) <= ITEMS_LIMIT + FOLDED
    other = {"role": "user", "content": "another text"}
    for at, found in ((3, -1), (before.folded - 1, -1), (before.folded, before.folded), (1950, 1950)):
        assert read_on(before, conversation(1960, 1, **{f"m{at}": other})).find_change(before) == found
    whole = read_conversation(encode(conversation(1960, 1)))
    assert whole.find_change(before) is None


def test_a_mark_in_the_middle_ends_what_is_recognized():
    """A mark may move, so what holds one is read again each time."""
    items = conversation(9, m4=text(4, marked=True))
    before = read_conversation(encode(items)).conversation
    assert [one.items for one in before.prefixes] == [4]
    reading = read_on(before, conversation(11, 1))
    assert (reading.known, reading.find_change(before)) == (4, None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'"a text"',
        b"null",
        b"[",
        b"[1,2",
        b"{}",
        b"[]",
        b"[null]",
        b'["a", 1, {"role": 3}]',
        b"[" * 5000,
        b'["\xff"]',
    ],
)
def test_what_is_no_conversation(raw):
    """It is one item of its own, or none; it never fails, and is the same as itself."""
    reading = read_conversation(raw)
    assert reading.find_change(reading.conversation) is None
    again = read_conversation(raw, recognize(raw, reading.conversation))
    assert again.find_change(reading.conversation) is None
    find_first(raw)


def test_leading_instructions_are_no_first_message():
    """A conversation is known by what comes behind them, whether or not that is marked."""
    system = {"role": "system", "content": "be kind"}
    for last in (0, 1):
        raw = encode([system, text(0, marked=bool(last))])
        found = read_conversation(raw).conversation
        assert (found.leading, found.first) == (1, find_first(raw))
        assert found.first == find_first(encode([text(0)]))


def test_a_beginning_is_told_apart_from_others_like_it():
    """What is remembered of one conversation is not taken for the first message of another one."""
    beginnings = module.Beginnings()
    system = {"role": "system", "content": "be kind " * 2000}
    raws = [encode([system, text(number), text(1)]) for number in (0, 2, 0, 4, 2)]
    found = [beginnings.find_first(extent(raw)) for raw in raws]
    assert found == [find_first(raw) for raw in raws]
    assert len(set(found)) == 3
    grown = encode([system, text(0), text(1), text(2)])
    assert beginnings.find_first(extent(grown)) == found[0]


def test_kinds_that_callers_invent_are_not_repeated():
    """A role or type may be any text, also one of a prompt."""
    reading = read_conversation(encode([{"role": "quibbleword", "content": "x"}]))
    assert reading.name_kind(0) == ""


@pytest.mark.parametrize("last", [0, 1])
def test_time_grows_with_the_conversation_alone(last):
    """The first turn, and the turns after it, take time in proportion to what they hold."""
    grows_evenly(lambda count: encode(conversation(count, last)), read_conversation, 4000)

    def later(raw):
        known = read_conversation(raw).conversation
        for _ in range(20):
            read_conversation(raw, recognize(raw, known))

    grows_evenly(lambda count: encode(conversation(count, last)), later, 2000)
