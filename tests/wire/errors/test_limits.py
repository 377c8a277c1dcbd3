"""What the body of an error tells of a limit, read by expressions whose work is bounded."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.errors.limits import READ_LIMIT, read_body_limit, says_anywhere, says_itself
from router.wire.headers.times import LONGEST

WORDS = (b"credit balance is too low",)


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_body(body, model):
    """Whatever a body holds, it tells a wait above 0 and within bounds, or none."""
    found = read_body_limit(body, model)
    assert found.wait is None or 0 < found.wait <= LONGEST
    assert says_itself(body, WORDS) <= (says_anywhere(body, WORDS) or b"\\u" in body)


@pytest.mark.parametrize(
    "piece",
    [
        *(b"again in 1 s ", b"again in 9", b"again ", b'retryDelay" : "', b'"quotaId":"a', b"limit for a", b"9 "),
        *(b"'", b"'a ", b'"', b"`", b"{", b'{"message":"', b"\\\\", b"model: ", b"retry-after-"),
    ],
)
def test_the_work_grows_with_the_length_alone(piece):
    """A body made of a piece that begins a match each time is read as quickly as any other."""
    body = b'{"error":{"message":"' + piece * (4 * READ_LIMIT // len(piece)) + b'credit balance is too low"}}'
    began = time.thread_time()
    read_body_limit(body, "some-model")
    says_itself(body, WORDS)
    assert time.thread_time() - began < 1


def test_only_the_beginning_is_read():
    """An error may be as long as a page."""
    assert read_body_limit(b" " * READ_LIMIT + b"try again in 5s").wait is None
    assert not says_anywhere(b" " * READ_LIMIT + WORDS[0], WORDS)


def test_where_words_count():
    """In the error's own code, type and message, also of an error that a gateway repeats; not where the request is
    quoted, nor elsewhere in the body."""
    assert says_itself(b'{"error":{"message":"Your credit balance is too low"}}', WORDS)
    assert says_itself(b'{"response":{"error":{"message":"Your credit balance is too low"}}}', WORDS)
    assert says_itself(b'[{"error":{"message":"Your credit balance is too low"}}]', WORDS)
    assert says_itself(b'{"error":{"message":"The account\'s credit balance is too low, isn\'t it"}}', WORDS)
    assert not says_itself(b'{"error":{"message":"no \'credit balance is too low\' here"}}', WORDS)
    assert not says_itself(b'{"error":{"message":"no"},"echo":"credit balance is too low"}', WORDS)
    assert not says_itself(b"credit balance is too low", WORDS)
