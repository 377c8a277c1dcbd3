"""Request bodies that are read whole: without content coding, and with the top level of their JSON."""

import contextlib
from collections.abc import Generator, Iterator

from router.errors import BadRequest, TooLarge, UnsupportedMedia
from router.exchange.body.body import DECODING_THREAD, LIMIT, THREAD_BYTES, BodySource, run_in_thread
from router.host.access import check_json
from router.net.headers import encode_value
from router.net.server.body_buffer import BodyBuffer
from router.net.server.connection import Request
from router.wire.raw import content_coding
from router.wire.raw.json.top_level import Top, peek

#: A decoded body may be so many times as large as it came, and is at most UNSUSPICIOUS bytes otherwise. Ordinary texts
#: reach 10, one repeated line 300 in gzip and 60,000 in br; those are smaller.
RATIO_LIMIT = 200
UNSUSPICIOUS = 8 << 20
# Bytes that are decoded in one turn.
_STEP = 4 << 20


class BufferedBody:
    """A body that was read whole."""

    __slots__ = ("_source", "data", "replayable", "top")

    def __init__(self, source: BodySource, data: bytes, top: Top | None):
        self._source = source
        self.data = data
        self.top = top
        self.replayable = True

    def release(self) -> None:
        """Free the body, and subtract its bytes from the bound of all buffers."""
        self.data, self.top, self.replayable = b"", None, False
        self._source.release()


async def read_buffered(source: BodySource, *, generates: bool) -> BufferedBody:
    """Read the body, and find the top level of JSON. generates: a model answers, so there must be a body.

    Raises RouterError for a body that is refused.
    """
    request = source.request
    if request.method in ("GET", "HEAD"):
        return BufferedBody(source, await read_decoded(source), None)
    is_json = request.method == "DELETE" or check_json(request, allow_uploads=not generates)
    data = await read_decoded(source)
    if not is_json or (not data and not generates):
        return BufferedBody(source, data, None)
    if not data:
        raise BadRequest("The request has no body.")
    if len(data) > THREAD_BYTES:
        return BufferedBody(source, data, await run_in_thread(source.connection, source.total, peek, data))
    return BufferedBody(source, data, peek(data))


async def read_decoded(source: BodySource) -> bytes:
    """The whole body without content coding. Raises RouterError."""
    data = await source.connection.read_body(LIMIT, source.hold)
    coding = coding_of(source.request)
    if not coding or not data:
        return data
    decoded = _decode_now(data, coding)
    if decoded is None:
        decoded = await _decode_in_steps(source, data, coding)
    else:
        source.hold(len(decoded))
    source.hold(-len(data))
    return decoded


async def _decode_in_steps(source: BodySource, data: bytes, coding: bytes) -> bytes:
    """Decode a body that may be large. Each step counts against the bound of all buffers before it is made, and takes
    its turn with the steps of other bodies."""
    allowed = max(UNSUSPICIOUS, len(data) * RATIO_LIMIT)
    limit = min(LIMIT, allowed)
    with _explain_codings(coding, limit, ratio=limit == allowed):
        decoder = content_coding.Decoder(coding)
        pieces = decoder.pieces(data, limit)
        buffer = BodyBuffer()
        while True:
            source.hold(_STEP)
            step = await run_in_thread(source.connection, source.total, _decode_step, pieces, thread=DECODING_THREAD)
            buffer.append(step)
            source.hold(len(step) - _STEP)
            if len(step) < _STEP - content_coding.STEP:
                break
    _check_whole(decoder)
    return buffer.join()


def _decode_step(pieces: Iterator[bytes]) -> bytes:
    """The next decoded bytes: about _STEP, and fewer only at the end."""
    taken: list[bytes] = []
    size = 0
    for piece in pieces:
        taken.append(piece)
        size += len(piece)
        if size >= _STEP - content_coding.STEP:
            break
    return b"".join(taken)


def coding_of(request: Request) -> bytes:
    """The content codings of a body as its fields list them; b"" when it has none."""
    if b"content-encoding" not in request.fields:
        return b""
    listed = b", ".join(value for _, name, value in request.lines if name == b"content-encoding")
    return listed if content_coding.parse_codings(listed) else b""


def _decode_now(data: bytes, coding: bytes) -> bytes | None:
    """Decode a small body; None when it, or its decoded form, is large enough for the thread."""
    if len(data) > THREAD_BYTES:
        return None
    try:
        return inflate(data, coding, THREAD_BYTES)
    except TooLarge:
        return None


def inflate(data: bytes, coding: bytes, limit: int) -> bytes:
    """A body without its content codings. Raises TooLarge over `limit` bytes, BadRequest and UnsupportedMedia."""
    with _explain_codings(coding, limit):
        decoder = content_coding.Decoder(coding)
        plain = decoder.decode(data, limit)
    _check_whole(decoder)
    return plain


def _check_whole(decoder: content_coding.Decoder) -> None:
    if not decoder.whole:
        raise BadRequest(f"The request body's content coding ({', '.join(decoder.names)}) ends early.")


@contextlib.contextmanager
def _explain_codings(coding: bytes, limit: int, *, ratio: bool = False) -> Generator[None]:
    """Turn what a decoder raises into the error for the client. limit: the decoder's; ratio: it is RATIO_LIMIT."""
    try:
        yield
    except content_coding.UnknownCoding as error:
        accepted = (("accept-encoding", content_coding.KNOWN),)  # RFC 9110, 15.5.16
        coding_text = encode_value(str(error)).decode()
        message = f"The content-encoding {coding_text} is not supported; use {content_coding.KNOWN}, or none."
        raise UnsupportedMedia(message, headers=accepted) from None
    except content_coding.Malformed as error:
        raise BadRequest(
            f"The request body is not valid {encode_value(coding.decode('latin-1')).decode()}: {error}."
        ) from None
    except content_coding.OverLimit:
        if ratio:
            raise TooLarge(
                f"The request body decodes to over {RATIO_LIMIT} times its size, and to over "
                f"{UNSUSPICIOUS >> 20} MiB: send it without content-encoding."
            ) from None
        raise TooLarge(f"The request body is over {limit >> 20} MiB when decoded.") from None
