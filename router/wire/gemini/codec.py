"""The translation of Google's generateContent to and from the neutral form."""

from router.wire.gemini import errors
from router.wire.gemini.answers.decode_answer import decode_answer
from router.wire.gemini.answers.decode_stream import GeminiDecoder
from router.wire.gemini.answers.encode_answer import encode_answer
from router.wire.gemini.answers.encode_stream import GeminiEncoder
from router.wire.gemini.carriers import MARK
from router.wire.gemini.requests.decode_request import decode_request
from router.wire.gemini.requests.encode_request import encode_request
from router.wire.protocol import Codec

CODEC = Codec(
    decode_request,
    encode_request,
    decode_answer,
    encode_answer,
    GeminiDecoder,
    GeminiEncoder,
    errors.decode_error,
    errors.encode_error,
)
#: Bytes that mark sealed state in a request.
CARRIED = MARK.encode()
