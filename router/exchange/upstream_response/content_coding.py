"""Answers that have a content coding though none was asked for, taken off piece by piece."""

from router.net.client.exchange import Exchange as Upstream
from router.net.client.exchange import UpstreamDisconnected
from router.wire.raw import content_coding


def decoder_of(upstream: Upstream) -> content_coding.Decoder | None:
    """What takes the codings off an answer, None for one that has none. Raises UnknownCoding, Malformed."""
    coding = upstream.fields.get(b"content-encoding", b"")
    return content_coding.Decoder(coding) if content_coding.names_in(coding) else None


def decoded(decoder: content_coding.Decoder, data: bytes, limit: int) -> bytes:
    """What one read gives, at most `limit` bytes. Raises UpstreamDisconnected."""
    try:
        return decoder.decode(data, limit)
    except content_coding.Malformed:
        raise UpstreamDisconnected("its content coding is broken") from None
    except content_coding.OverLimit:
        raise UpstreamDisconnected(f"one read inflated to over {limit >> 20} MiB") from None
