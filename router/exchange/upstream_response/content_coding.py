"""Decodes answers that have a content coding although none was asked for."""

import contextlib

import trio

from router.errors import RouterError, TooLarge
from router.exchange.body.body import THREAD_BYTES
from router.exchange.body.buffered import inflate
from router.exchange.upstream_response.large_work import is_large, run_large
from router.exchange.upstream_response.response import UpstreamResponse
from router.net.client.exchange import UpstreamDisconnected
from router.wire.raw import content_coding

#: Bytes of a decoded answer that are parsed.
READABLE_LIMIT = 8 << 20
#: Bytes of a decoded error that are parsed.
ERROR_LIMIT = 1 << 20
#: Bytes that one read of a stream may inflate to: more would hold up the other streams.
READ_LIMIT = 8 << 20
# Coded bytes that are decoded at once, and decoded ones after which others run.
_STEP_BYTES = 2048
_STEP_DECODED = 256 << 10
_BROKEN = "sent a body whose content coding is broken"


def decoder_of(response: UpstreamResponse) -> content_coding.Decoder | None:
    """The decoder for an answer's codings, None for an answer that has none. Raises UnknownCoding, Malformed."""
    coding = response.fields.get(b"content-encoding", b"")
    return content_coding.Decoder(coding) if content_coding.parse_codings(coding) else None


async def decode_readable(response: UpstreamResponse, body: bytes) -> bytes:
    """A whole body without its content coding, to be parsed; b"" when it cannot be decoded. Once it gives more than
    is decoded at once, the rest of the work is done in the thread for large work."""
    coding = response.fields.get(b"content-encoding", b"").lower()
    if coding in (b"", b"identity"):
        return body
    try:
        if not is_large(len(body)):
            with contextlib.suppress(TooLarge):
                return inflate(body, coding, THREAD_BYTES)
        # An error is decoded again and again on its way, and says what it says in far less.
        limit = READABLE_LIMIT if response.status < 400 else ERROR_LIMIT
        return await run_large(inflate, body, coding, limit)
    except RouterError:
        return b""


async def decode_whole(response: UpstreamResponse, body: bytes, limit: int) -> bytes:
    """A whole body without its content coding, at most `limit` bytes; what is large is decoded in the thread for large
    work. The coding must be one that `decoder_of` knows. Raises UpstreamDisconnected."""
    decoder = decoder_of(response)
    if decoder is None:
        return body
    if not is_large(len(body)):
        try:
            return decoder.decode(body, THREAD_BYTES)
        except content_coding.Malformed:
            raise UpstreamDisconnected(_BROKEN) from None
        except content_coding.OverLimit:
            decoder = content_coding.Decoder(response.fields.get(b"content-encoding", b""))
    return await run_large(decode_read, decoder, body, limit)


async def decode_stepwise(decoder: content_coding.Decoder, pieces: list[bytes]) -> bytes:
    """The decoded bytes of one read of a stream, at most READ_LIMIT. Others run meanwhile: a read of 64 KiB can inflate
    for a long time. It is not cancelled, so that nothing is lost. Raises UpstreamDisconnected."""
    out: list[bytes] = []
    size = since = 0
    for piece in pieces:
        for at in range(0, len(piece), _STEP_BYTES):
            found = decode_read(decoder, piece[at : at + _STEP_BYTES], READ_LIMIT)
            out.append(found)
            size += len(found)
            since += len(found)
            if size > READ_LIMIT:
                raise _over(READ_LIMIT)
            if since > _STEP_DECODED:
                await trio.lowlevel.cancel_shielded_checkpoint()
                since = 0
    return b"".join(out)


def decode_read(decoder: content_coding.Decoder, data: bytes, limit: int) -> bytes:
    """The decoded bytes of one read, at most `limit`. Raises UpstreamDisconnected."""
    try:
        return decoder.decode(data, limit)
    except content_coding.Malformed:
        raise UpstreamDisconnected(_BROKEN) from None
    except content_coding.OverLimit:
        raise _over(limit) from None


def _over(limit: int) -> UpstreamDisconnected:
    return UpstreamDisconnected(f"sent a body of which one read inflates to over {limit >> 20} MiB")
