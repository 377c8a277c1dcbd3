"""Decodes answers that have a content coding although none was asked for."""

from router.errors import RouterError
from router.exchange.body.buffered import inflate
from router.exchange.upstream_response.response import UpstreamResponse
from router.net.client.exchange import UpstreamDisconnected
from router.wire.raw import content_coding

#: Bytes of a decoded answer that are parsed.
READABLE_LIMIT = 8 << 20
#: Bytes that one read of a stream may inflate to: more would hold up the other streams.
READ_LIMIT = 8 << 20


def decoder_of(response: UpstreamResponse) -> content_coding.Decoder | None:
    """The decoder for an answer's codings, None for an answer that has none. Raises UnknownCoding, Malformed."""
    coding = response.fields.get(b"content-encoding", b"")
    return content_coding.Decoder(coding) if content_coding.parse_codings(coding) else None


def decode_readable(response: UpstreamResponse, body: bytes) -> bytes:
    """A whole body without its content coding, to be parsed; b"" when it cannot be decoded."""
    coding = response.fields.get(b"content-encoding", b"").lower()
    if coding in (b"", b"identity"):
        return body
    try:
        return inflate(body, coding, READABLE_LIMIT)
    except RouterError:
        return b""


def decode_read(decoder: content_coding.Decoder, data: bytes, limit: int) -> bytes:
    """The decoded bytes of one read, at most `limit`. Raises UpstreamDisconnected."""
    try:
        return decoder.decode(data, limit)
    except content_coding.Malformed:
        raise UpstreamDisconnected("sent a body whose content coding is broken") from None
    except content_coding.OverLimit:
        raise UpstreamDisconnected(f"sent a body of which one read inflates to over {limit >> 20} MiB") from None
