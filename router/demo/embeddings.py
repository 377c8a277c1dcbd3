"""OpenAI embeddings: unit vectors made from a hash of the input."""

import base64
import hashlib
import struct
from collections.abc import Iterator

import msgspec

from router.demo.body import Json, Object, tokens
from router.demo.reply import Event, Reply
from router.demo.script import Ask
from router.errors import BadRequest

# OpenAI's own bounds on an embeddings request.
_INPUTS = 2048
_DIMENSIONS = 3072

#: The length of a vector where none is asked for.
DEFAULT_DIMENSIONS = 256


class Embeddings:
    """One POST /v1/embeddings; never a stream. Raises BadRequest for a wrong input, dimensions or encoding_format."""

    def __init__(self, body: Object, model: str, key: str):
        self._inputs = _read_inputs(body.get("input"))
        self._dimensions = read_dimensions(body.get("dimensions"))
        encoding = body.get("encoding_format")
        if encoding not in (None, "float", "base64"):
            raise BadRequest("encoding_format: must be float or base64.")
        self._base64 = encoding == "base64"
        self.ask = Ask(model=model, stream=False, text="", size=0)

    def whole(self, reply: Reply) -> object:
        """The list of embeddings, in the order of the inputs."""
        data = [
            {"object": "embedding", "index": index, "embedding": self._encode_embedding(each)}
            for index, each in enumerate(self._inputs)
        ]
        count = sum(tokens(len(each.encode())) if isinstance(each, str) else len(each) for each in self._inputs)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return {"object": "list", "data": data, "model": self.ask.model, "usage": usage}

    def events(self, reply: Reply) -> Iterator[Event]:
        """No events: embeddings are not streamed."""
        return iter(())

    def _encode_embedding(self, value: "str | list[Json]") -> object:
        packed = make_vector(msgspec.json.encode(value), self._dimensions)
        return base64.b64encode(packed).decode() if self._base64 else struct.unpack(f"<{self._dimensions}f", packed)


def make_vector(seed: bytes, dimensions: int) -> bytes:
    """A vector of length 1, as little-endian float32, so that both encodings carry the same numbers."""
    raw = hashlib.shake_256(seed).digest(2 * dimensions)
    values = [(number - 32767.5) / 32768 for number in struct.unpack(f"<{dimensions}H", raw)]
    length = sum(value * value for value in values) ** 0.5
    return struct.pack(f"<{dimensions}f", *(value / length for value in values))


def _read_inputs(value: Json) -> "list[str | list[Json]]":
    """The inputs in a string, a token array, or a list of either."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        raise BadRequest("input: a string or a list is required.")
    if all(isinstance(token, int) for token in value):
        return [value]
    if len(value) > _INPUTS:
        raise BadRequest(f"input: at most {_INPUTS} inputs.")
    inputs = [each for each in value if isinstance(each, str | list)]
    if len(inputs) != len(value):
        raise BadRequest("input: each item must be a string or a token array.")
    return inputs


def read_dimensions(value: Json) -> int:
    """The length of a vector that a request asks for. Raises BadRequest."""
    if value is None:
        return DEFAULT_DIMENSIONS
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _DIMENSIONS:
        raise BadRequest(f"dimensions: must be a whole number from 1 to {_DIMENSIONS}.")
    return value
