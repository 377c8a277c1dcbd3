"""An answer has a bounded number of calls, choices, items, parts and citations; past that it is an error."""

import json

import pytest

from router.wire import translate
from router.wire.neutral import answer_bounds as bounds

from .. import growing_answers as growing

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


@pytest.mark.parametrize(("source", "name", "bound"), REACHED)
def test_past_the_bound_an_answer_is_an_error(source, name, bound):
    """The caller gets an error in its own protocol that says which bound it was, for streams and whole answers; at the
    bound it gets the answer."""
    message = f"over {bound.limit:,} {bound.what}"
    # The bound is the source's; the targets tell of it, each in half of the cases, as a stream and whole.
    targets = [target for target in growing.TARGETS if target != source]
    target = targets[[*growing.names_of(source)].index(name) % 2]
    growing.run_stream(source, target, growing.answer_of(source, name, bound.limit))
    stream = translate.Stream(source, target, growing.asked(source))
    out = b"".join([*map(stream.feed, growing.answer_of(source, name, bound.limit + 2)), stream.end()])
    assert stream.failed
    assert message.encode() in out
    assert ERRORS[target] in out
    assert b"[DONE]" not in out
    if not growing.names_of(source)[name]:
        return
    growing.run_whole(source, target, growing.answer_of(source, name, bound.limit, whole=True), stream=False)
    past = growing.answer_of(source, name, bound.limit + 2, whole=True)
    for replayed in (True, False):
        made = translate.answer(past, source, target, growing.asked(source), stream=replayed)
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
