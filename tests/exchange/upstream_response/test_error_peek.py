"""Peeking at an answer leaves it readable."""

import itertools

import pytest
import trio

from router.exchange.upstream_response.error_peek import SEALED_REFUSED, peek_body
from router.exchange.upstream_response.response import BufferedResponse

from ...growth import grows_evenly


class Pieces(BufferedResponse):
    """An answer that comes in pieces."""

    def __init__(self, status, *pieces):
        super().__init__(status, b"", [], b"")
        self._pieces = list(pieces)

    async def read(self):
        return [self._pieces.pop(0)] if self._pieces else []


@pytest.mark.parametrize(
    ("pieces", "seen", "left"),
    [
        ((), b"", []),
        ((b"a", b"b"), b"ab", [b"ab"]),
        ((b"x" * 40_000, b"y" * 40_000, b"z"), b"x" * 40_000 + b"y" * 40_000, [b"x" * 40_000 + b"y" * 40_000, b"z"]),
    ],
)
def test_the_beginning_is_seen_and_stays(pieces, seen, left):
    """As much as is needed is read, and put back."""

    async def main():
        found = Pieces(400, *pieces)
        assert await peek_body(found) == seen
        assert found._pieces == left

    trio.run(main)


def test_a_byte_a_read_is_counted_once():
    """The beginning of an answer that comes in bytes costs as much per byte as a shorter one."""

    class Bytes(BufferedResponse):
        async def read(self):
            return next(self.reads, [])

    def peek(size):
        response = Bytes(400, b"", [], b"")
        response.reads = itertools.repeat([b"x"], size)
        trio.run(peek_body, response)

    grows_evenly(int, peek, 15_000)


@pytest.mark.parametrize(
    ("body", "matches"),
    [
        (b'{"error":{"code":"invalid_encrypted_content"}}', True),
        (b'{"error":{"message":"The encrypted content gAAA could not be verified."}}', True),
        (b'{"error":{"message":"no"}}', False),
        (b"", False),
    ],
)
def test_what_says_that_a_seal_cannot_be_read(body, matches):
    """Only OpenAI's words."""
    assert (SEALED_REFUSED.search(body) is not None) is matches
