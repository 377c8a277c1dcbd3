"""Answers in a coding that was not asked for."""

import gzip
import os
import threading
from functools import partial

import pytest
import trio

from router.exchange.body.body import THREAD_BYTES
from router.exchange.upstream_response import content_coding
from router.exchange.upstream_response.content_coding import (
    ERROR_LIMIT,
    decode_read,
    decode_readable,
    decode_stepwise,
    decode_whole,
    decoder_of,
)
from router.exchange.upstream_response.large_work import run_large
from router.exchange.upstream_response.response import BufferedResponse
from router.net.client.exchange import UpstreamDisconnected
from router.net.headers import to_lines
from router.wire.raw.content_coding import Decoder, UnknownCoding


def coded(coding):
    return BufferedResponse(200, b"", to_lines([(b"content-encoding", coding)] if coding else []), b"")


@pytest.mark.parametrize(
    ("coding", "body", "readable"),
    [
        (b"", b"x", b"x"),
        (b"identity", b"x", b"x"),
        (b"gzip", gzip.compress(b"x"), b"x"),
        (b"GZip", gzip.compress(b"x"), b"x"),
        (b"gzip", b"x", b""),
        (b"gzip", gzip.compress(b"x" * 99)[:-1], b""),
        (b"x-own", b"x", b""),
        (b"gzip", gzip.compress(b"x" * (9 << 20)), b""),
    ],
)
def test_what_can_be_looked_into(coding, body, readable):
    """A body without its coding; nothing where that cannot be had."""
    assert trio.run(decode_readable, coded(coding), body) == readable


@pytest.fixture
def threads(monkeypatch):
    """Whether each large piece was decoded in trio's thread."""
    seen = []

    async def watched(work, *arguments):
        def noted():
            seen.append(threading.current_thread() is threading.main_thread())
            return work(*arguments)

        return await run_large(noted)

    monkeypatch.setattr(content_coding, "run_large", watched)
    return seen


@pytest.mark.parametrize(("size", "large"), [(THREAD_BYTES, []), (THREAD_BYTES + 1, [False]), (6 << 20, [False])])
def test_what_gives_much_is_decoded_in_a_thread(threads, size, large):
    """However small it comes: the work is that of what it gives."""
    body = gzip.compress(b"x" * size)
    for decode in (decode_readable, partial(decode_whole, limit=8 << 20)):
        threads.clear()
        assert trio.run(decode, coded(b"gzip"), body) == b"x" * size
        assert threads == large


def test_a_large_coded_body_is_decoded_in_a_thread(threads):
    """One that is large before it is decoded is not tried on the loop first."""
    body = os.urandom(THREAD_BYTES + 1)
    packed = gzip.compress(body)
    assert trio.run(decode_readable, coded(b"gzip"), packed) == body
    assert trio.run(decode_whole, coded(b"gzip"), packed, 2 << 20) == body
    assert threads == [False, False]


def test_a_whole_body_is_bounded():
    """Without a coding it is as it came; a broken coding, or one that gives too much, breaks the answer off."""
    assert trio.run(decode_whole, coded(b""), b"x", 1) == b"x"
    with pytest.raises(UpstreamDisconnected, match="coding is broken"):
        trio.run(decode_whole, coded(b"gzip"), b"no gzip at all", 2 << 20)
    with pytest.raises(UpstreamDisconnected, match="inflates to over 2 MiB"):
        trio.run(decode_whole, coded(b"gzip"), gzip.compress(b"x" * (3 << 20)), 2 << 20)


def test_a_decoder_for_what_is_coded():
    """None for an answer without a coding; an unknown coding is an error."""
    assert decoder_of(coded(b"")) is None
    assert decoder_of(coded(b"identity")) is None
    assert decoder_of(coded(b"gzip")) is not None
    with pytest.raises(UnknownCoding):
        decoder_of(coded(b"x-own"))


def test_a_read_is_bounded():
    """A broken coding, or one that inflates without end, breaks the answer off."""
    data = gzip.compress(b"x" * (3 << 20))
    assert decode_read(decoder_of(coded(b"gzip")), data, 3 << 20) == b"x" * (3 << 20)
    with pytest.raises(UpstreamDisconnected, match="inflates to over 2 MiB"):
        decode_read(decoder_of(coded(b"gzip")), data, 2 << 20)
    with pytest.raises(UpstreamDisconnected, match="coding is broken"):
        decode_read(decoder_of(coded(b"gzip")), b"no gzip at all", 2 << 20)


def test_an_error_that_inflates_is_not_looked_into():
    """Over a mebibyte it is no text that anybody reads, and it would be decoded several times."""
    over = ERROR_LIMIT + 1
    for size, status, readable in ((ERROR_LIMIT, 400, True), (over, 400, False), (over, 200, True)):
        response = coded(b"gzip")
        response.status = status
        assert bool(trio.run(decode_readable, response, gzip.compress(b"x" * size))) is readable


def test_a_read_of_a_stream_is_decoded_in_steps():
    """Others run while one read inflates to megabytes; nothing is lost or changed."""
    body = b"".join(b"%d," % at for at in range(900_000))
    packed = gzip.compress(body)
    turns = []

    async def others():
        while True:
            turns.append(1)
            await trio.lowlevel.checkpoint()

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(others)
            found = await decode_stepwise(Decoder(b"gzip"), [packed[:100_000], packed[100_000:]])
            nursery.cancel_scope.cancel()
        return found

    assert trio.run(main) == body
    assert len(turns) > len(body) >> 20


def test_a_read_that_inflates_beyond_the_bound_is_cut():
    """In steps as at once."""
    with pytest.raises(UpstreamDisconnected, match="8 MiB"):
        trio.run(decode_stepwise, Decoder(b"gzip"), [gzip.compress(os.urandom(1000) * 9000)])
