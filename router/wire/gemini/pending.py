"""Stands in for the parts of the codec that are not there yet."""

from router.errors import BadRequest
from router.wire.gemini import errors
from router.wire.protocol import Codec


def _refuse(*_: object) -> object:
    raise BadRequest("This request cannot be translated to or from Google's API yet.")


PENDING = Codec(_refuse, _refuse, _refuse, _refuse, _refuse, _refuse, errors.decode_error, errors.encode_error)  # pyright: ignore[reportArgumentType]
