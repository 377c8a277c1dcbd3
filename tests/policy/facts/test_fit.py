"""The least number of tokens of a request errs to the small side."""

import base64
import json
import random
import re

import pytest

from router.policy.facts.fit import MOST_BYTES_PER_TOKEN, Fit, estimate_least, may_exceed
from router.policy.facts.model_facts import Fact

from ...growth import grows_evenly

LIMIT = Fact(1000, "allocated by the server")
PROSE = "The quick brown fox jumps over the lazy dog, and then it does so again. "


def body(*parts):
    return json.dumps({"messages": [{"role": "user", "content": list(parts)}]}).encode()


def test_prose_counts():
    """Far more text than a window holds is seen as such; about as much is not."""
    long = body(PROSE * 1000)  # some 16,000 tokens
    assert 10_000 < estimate_least(long) < 16_000
    assert not Fit(estimate_least(long), Fact(4096, "x")).fits
    assert Fit(estimate_least(long), Fact(16_000, "x")).fits


@pytest.mark.parametrize("what", ["image", "escapes", "spaces", "rule", "signature"])
def test_what_is_large_and_has_few_tokens(what):
    """Base64, escaped letters and runs of one character do not make a request too long."""
    data = base64.b64encode(random.Random(1).randbytes(300_000)).decode()
    text = {
        "image": body({"type": "image", "source": {"data": data}}),
        "escapes": body("я" * 60_000),
        "spaces": body("x" + " " * 400_000),
        "rule": body("-" * 400_000),
        "signature": body({"type": "thinking", "signature": data}),
    }[what]
    assert len(text) > 300_000
    assert estimate_least(text) < {"escapes": 21_000}.get(what, 8000)


def test_most_requests_are_not_looked_at():
    """A body is read for it only when it has more bytes than the limit's tokens can stand for."""
    assert not may_exceed(6000, LIMIT)
    assert may_exceed(6001, LIMIT)


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
    grows_evenly(make, estimate_least, 1 << 20)


@pytest.mark.parametrize(("body", "tokens"), [(b"A" * 3_000_000, 200), (b"A" * 300_000 + b" " + b"B" * 300_000, 400)])
def test_a_run_is_one_however_long(body, tokens):
    """A file is looked through in steps, and counts as one file."""
    assert estimate_least(body) == tokens


def test_steps_never_count_more():
    """Where the text is looked through in steps, runs across their ends are no reason to refuse a request."""
    text = (b"word " * 20 + b" " * 63) * 20_000
    assert 0.9 * text.count(b"word") * 5 / MOST_BYTES_PER_TOKEN < estimate_least(text)
    assert estimate_least(text) <= len(re.sub(rb" {8,}", b" ", text)) / MOST_BYTES_PER_TOKEN
