"""How much of a body is text: files, sealed reasoning and escapes are not what their bytes are."""

import base64
import json
import random
import re

import pytest

from router.wire.costs.text_size import IMAGE_BYTES, measure_least_text, measure_text
from router.wire.raw import scan

from ...growth import grows_evenly

FILE = base64.b64encode(bytes(range(256)) * 1000).decode()
TEXT = "Some words of a conversation. " * 40


def messages(*blocks):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": list(blocks)}]}).encode()


def text(said=TEXT):
    return {"type": "text", "text": said}


def image(data=FILE):
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


NOT_TEXT = {
    "an image": (image(), image(""), IMAGE_BYTES),
    "an image of Chat": (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{FILE}"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}},
        IMAGE_BYTES,
    ),
    "reasoning of Responses": (
        {"type": "reasoning", "encrypted_content": FILE},
        {"type": "reasoning", "encrypted_content": ""},
        0,
    ),
    "a signature": (
        {"type": "thinking", "thinking": "So.", "signature": FILE},
        {"type": "thinking", "thinking": "So.", "signature": ""},
        0,
    ),
}


@pytest.mark.parametrize("kind", NOT_TEXT)
def test_what_is_no_text(kind):
    """A body with it counts as one without, but for what a model reads of it; many of them count many times."""
    whole, empty, counted = NOT_TEXT[kind]
    for number in (1, 3):
        with_it = measure_text(messages(text(), *[whole] * number))
        without = measure_text(messages(text(), *[empty] * number))
        assert abs(with_it - without - number * counted) <= 8 * number


@pytest.mark.parametrize(
    "block",
    [
        text(),
        text('He said: "data": and ;base64, and "signature":'),
        {"type": "tool_use", "id": "t", "name": "f", "input": {"data": TEXT}},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"data": {"signature": None}, "n": 1}},
        image("AAAA"),
    ],
)
def test_all_else_is_text(block):
    """Arguments that are named like a file, texts that speak of them, and what is small."""
    body = messages(block)
    assert measure_text(body) == len(body)


def test_escaped_characters_are_two_bytes():
    """A Russian or Chinese text has as many tokens however it was written."""
    said = "\u0414\u043e\u0431\u0440\u043e " * 200
    escaped = json.dumps({"text": said}).encode()
    assert abs(measure_text(escaped) - len(json.dumps({"text": said}, ensure_ascii=False).encode())) < 10


@pytest.mark.parametrize("body", [b"", b"{", b'"data":', b'"data":"', b'"data": ' + b" " * 500, b";base64,"])
def test_broken_bodies(body):
    """No body makes it fail, and none has less than one byte of text."""
    assert measure_text(body) >= 1


def test_prose_is_text_at_least():
    """All of it."""
    assert len(TEXT) < measure_least_text(messages(text())) <= len(messages(text()))


@pytest.mark.parametrize("what", ["image", "escapes", "spaces", "rule", "signature"])
def test_what_is_large_and_may_be_no_text(what):
    """Base64 under any name, escaped letters and runs of one character are left out of the least."""
    data = base64.b64encode(random.Random(1).randbytes(300_000)).decode()
    body = {
        "image": messages({"type": "image", "source": {"blob": data}}),
        "escapes": messages(text("я" * 60_000)),
        "spaces": messages(text("x" + " " * 400_000)),
        "rule": messages(text("-" * 400_000)),
        "signature": messages({"type": "thinking", "sig": data}),
    }[what]
    assert len(body) > 300_000
    assert measure_least_text(body) < {"escapes": 126_000}.get(what, 51_000)


@pytest.mark.parametrize(
    "make",
    [
        lambda size: b"a " * (size // 2),
        lambda size: b"a" * size,
        lambda size: b"-" * size,
        lambda size: b"-------" + b"+-------" * (size // 8),
        lambda size: (b"A" * 399 + b" ") * (size // 400),
        lambda size: b"\\u0431" * (size // 6),
    ],
    ids=["words", "one run", "one sign", "short runs", "nearly encoded", "escapes"],
)
def test_the_time_grows_with_the_size_alone(make):
    """Whatever a caller sends."""
    grows_evenly(make, measure_least_text, 1 << 20)


@pytest.mark.parametrize(("body", "runs"), [(b"A" * 3_000_000, 1), (b"A" * 300_000 + b" " + b"B" * 300_000, 2)])
def test_a_run_is_one_however_long(body, runs):
    """A file is looked through in steps, and counts as one file."""
    ends_of_steps = len(body) // scan.STEP * 64
    assert runs * 1200 - ends_of_steps <= measure_least_text(body) <= runs * 1200 + 1


def test_steps_never_count_more():
    """Where the text is looked through in steps, runs across their ends are no reason to refuse a request."""
    text = (b"word " * 20 + b" " * 63) * 20_000
    assert 0.9 * text.count(b"word") * 5 < measure_least_text(text) <= len(re.sub(rb" {8,}", b" ", text))
