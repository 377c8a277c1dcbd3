"""Log probabilities of a long answer: 32,000 tokens with 20 others each are translated, in little memory."""

import json
import tracemalloc

import pytest

from router.wire import translate
from router.wire.neutral import answer_bounds

from .growing_answers import asked

TOKENS, OTHERS = 32_000, 20
TOP = {"token": " word", "logprob": -1.25, "bytes": [32, 119, 111, 114, 100]}
ENTRY = {**TOP, "top_logprobs": [TOP] * OTHERS}


def entries_of(count):
    """So many tokens, as bytes of JSON."""
    return b"[" + b",".join([json.dumps(ENTRY).encode()] * count) + b"]"


def chat_answer(logprobs, text="word"):
    """A whole Chat answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    made = json.dumps({"id": "c", "model": "m", "choices": [{**choice, "logprobs": {"content": "HERE"}}]})
    return made.encode().replace(b'"HERE"', logprobs)


def response(logprobs, text="word"):
    """A whole answer of Responses."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": "HERE"}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    made = json.dumps({"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [item]})
    return made.encode().replace(b'"HERE"', logprobs)


def read_logprobs(target, body):
    """Those in an answer for a client."""
    found = json.loads(body)
    if target == "chat":
        return found["choices"][0]["logprobs"]["content"]
    return found["output"][0]["content"][0]["logprobs"]


MAKE = {"chat": chat_answer, "responses": response}
WAYS = [("chat", "responses"), ("responses", "chat")]


def translated(source, target, body):
    """The answer as a client gets it that asked for log probabilities."""
    ctx = asked(source)
    ctx.logprobs = True
    return translate.answer(body, source, target, ctx, stream=False)


@pytest.mark.parametrize(("source", "target", "tokens"), [(*WAYS[0], TOKENS), (*WAYS[1], TOKENS // 3)])
def test_those_of_a_long_answer_are_translated(source, target, tokens):
    """All of them: they do not count for the bound of values."""
    body = MAKE[source](entries_of(tokens))
    assert body.count(b",") > answer_bounds.VALUES.limit
    made = translated(source, target, body)
    assert made.status == 200
    found = read_logprobs(target, made.body)
    assert len(found) == tokens
    assert found[0] == found[-1] == ENTRY


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_they_take_little_memory(source, target):
    """They are not decoded together: that would take over ten times their bytes."""
    body = MAKE[source](entries_of(TOKENS // 16))
    tracemalloc.start()
    try:
        assert translated(source, target, body).status == 200
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(body)


@pytest.mark.parametrize(("source", "target"), WAYS)
def test_they_are_the_same_however_large_the_answer_is(source, target):
    """Decoded in a small answer, left as they stand in a large one, and without what is none."""
    odd = b"[" + entries_of(30)[1:-1] + b',{"token":"a","logprob":-1},7,null,"{",[{}]' + b"]"
    small = translated(source, target, MAKE[source](odd))
    large = translated(source, target, MAKE[source](odd, "word" * (1 << 19)))
    assert (small.status, large.status) == (200, 200)
    assert len(read_logprobs(target, small.body)) == 31
    assert read_logprobs(target, small.body) == read_logprobs(target, large.body)


def test_a_large_answer_beside_them_is_bounded():
    """In values and in bytes, whatever the probabilities take."""
    many = b",".join([b'{"a":[1]}'] * 100_000)
    for text, bound in (("a" * answer_bounds.BYTES.limit, answer_bounds.BYTES), ("a", answer_bounds.VALUES)):
        body = chat_answer(entries_of(900), text)
        body = body[:-1] + b',"x":[' + b",".join([b"[%s]" % many] * 6) + b"]}"
        made = translated("chat", "responses", body)
        assert made.status >= 500
        assert f"over {bound.limit:,} {bound.what}" in made.body.decode()
