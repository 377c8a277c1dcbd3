"""An answer has a bounded number of calls, choices, items, parts and citations; past that it is an error."""

import json

import pytest

from router.wire import translate
from router.wire.neutral import answer_bounds as bounds

from .. import test_growth as growth

# The bound that each kind of growing answer reaches, by the name that it has in the growth tests.
CHAT = {
    "calls": bounds.CALLS,
    "calls of one id": bounds.CALLS,
    "calls without ids": bounds.CALLS,
    "choices": bounds.CHOICES,
    "annotations": bounds.CITATIONS,
    "sources": bounds.CITATIONS,
    "texts with annotations": bounds.CITATIONS,
    "reasoning details": bounds.ENTRIES,
}
MESSAGES = {
    "texts": bounds.ITEMS,
    "calls": bounds.CALLS,
    "calls of one id": bounds.CALLS,
    "citations": bounds.CITATIONS,
    "reasoning": bounds.ITEMS,
    "server calls": bounds.ITEMS,
}
RESPONSES = {
    "texts": bounds.ITEMS,
    "calls": bounds.CALLS,
    "calls of one id": bounds.CALLS,
    "calls without an index": bounds.CALLS,
    "calls at one index": bounds.CALLS,
    "calls only in the last event": bounds.CALLS,
    "reasoning": bounds.ITEMS,
    "searches": bounds.ITEMS,
    "parts": bounds.PARTS,
    "annotations": bounds.CITATIONS,
    "annotations of events": bounds.CITATIONS,
}
REACHED = [
    (source, name, bound)
    for source, found in {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}.items()
    for name, bound in found.items()
]
ERRORS = {"messages": b"event: error", "chat": b'"error":', "responses": b"response.failed"}


def answer_of(source, name, count):
    """A stream, as a list of events, and a whole answer with so many of something."""
    data, whole = growth.answers(source, count)[name]
    return growth.split(data), whole


@pytest.mark.parametrize(("source", "name", "bound"), REACHED)
def test_past_the_bound_an_answer_is_an_error(source, name, bound):
    """The caller gets an error in its own protocol that says which bound it was, for streams and whole answers; at the
    bound it gets the answer."""
    within, past = answer_of(source, name, bound.limit), answer_of(source, name, bound.limit + 2)
    message = f"over {bound.limit:,} {bound.what}"
    first, second = (target for target in growth.TARGETS if target != source)
    growth.run_stream(source, first, within[0])
    for target in (first, second):
        stream = translate.Stream(source, target, growth.asked(source))
        out = b"".join([*(stream.feed(event) for event in past[0]), stream.end()])
        assert stream.failed
        assert message.encode() in out
        assert ERRORS[target] in out
        assert b"[DONE]" not in out
    if past[1] is None:
        return
    growth.run_whole(source, second, within[1], stream=False)
    for target, replayed in ((first, True), (second, False)):
        made = translate.answer(past[1], source, target, growth.asked(source), stream=replayed)
        assert made.status >= 500
        assert message in json.loads(made.body)["error"]["message"]


def test_the_bounds_are_far_from_real_answers():
    """Nothing that a model says in one answer comes near to them."""
    assert bounds.CALLS.limit == 1024
    assert min(one.limit for one in (bounds.ITEMS, bounds.PARTS, bounds.CITATIONS, bounds.ENTRIES)) >= 4096
    assert bounds.CHOICES.limit >= 128


def test_signs_within_texts_are_no_matter():
    """Values are counted in large JSON only, and a text of commas is far from the bound."""
    bounds.check_values(b"," * bounds.VALUES.limit)
    with pytest.raises(bounds.TooMany):
        bounds.check_values(b"," * (bounds.VALUES.limit + 1))
    assert bounds.decode_bounded(json.dumps({"a": "a, b; " * 400_000}).encode())
