"""Answers in a coding that was not asked for."""

import gzip

import pytest

from router.exchange.upstream_response.content_coding import decode_read, decode_readable, decoder_of
from router.exchange.upstream_response.response import BufferedResponse
from router.net.client.exchange import UpstreamDisconnected
from router.net.headers import to_lines
from router.wire.raw.content_coding import UnknownCoding


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
    assert decode_readable(coded(coding), body) == readable


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
