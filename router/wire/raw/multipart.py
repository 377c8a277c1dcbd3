"""Finds the `model` field of a multipart/form-data body while it passes. Sources: RFC 7578, RFC 2046 (5.1).

Rules of this file: only the content of the model's part is buffered; the buffer is bounded; the result does not depend
on how the body was cut into pieces. A part that is itself multipart is opaque.
"""

import enum
import re

from router.errors import BadRequest
from router.wire.raw.json.top_level import MODEL_LIMIT

BOUNDARY_LIMIT = 70
HEADERS_LIMIT = 16_384
PREAMBLE_LIMIT = 16_384
# Spaces and tabs that a sender may put behind a boundary (RFC 2046, "transport padding").
PADDING_LIMIT = 256
PARTS_LIMIT = 10_000

_PARAMETER = re.compile(rb";\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s\"]*))", re.ASCII)
_DISPOSITION = re.compile(rb"^content-disposition[ \t]*:(.*)", re.IGNORECASE | re.MULTILINE)
_FOLDED = re.compile(rb"\r\n[ \t]+")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_AFTER = re.compile(rb"(--)|[ \t]*\r\n")
_UNSURE = re.compile(rb"-|[ \t]*\r?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _State(enum.Enum):
    CONTENT = 0
    HEADERS = 1
    EPILOGUE = 2


def parse_boundary(content_type: bytes) -> bytes:
    """The boundary that a Content-Type of multipart/form-data names. Raises BadRequest."""
    found = [value for name, value in _parse_parameters(content_type) if name == b"boundary"]
    if len(found) != 1 or not 0 < len(found[0]) <= BOUNDARY_LIMIT or found[0].endswith(b" "):
        raise BadRequest(
            "The content-type multipart/form-data must name one boundary of 1 to 70 characters "
            "(multipart/form-data; boundary=…)."
        )
    return found[0]


class ModelReader:
    """Reads a body piece by piece."""

    __slots__ = ("_data", "_dropped", "_mark", "_parts", "_searched", "_state", "_value_at", "in_file", "model", "span")

    def __init__(self, boundary: bytes):
        self._mark = b"\r\n--" + boundary
        # A body begins with its boundary; the line end in front of a boundary is added here.
        self._data = b"\r\n"
        self._dropped = -2
        self._searched = 0
        self._state = _State.CONTENT
        self._parts = 0
        self._value_at = -1
        #: A part with a file name has begun.
        self.in_file = False
        #: The field's value once it was read whole.
        self.model: str | None = None
        #: Start and end of that value in the body.
        self.span = (0, 0)

    @property
    def complete(self) -> bool:
        """True once the last boundary was seen; bytes behind it belong to no part."""
        return self._state is _State.EPILOGUE

    def feed(self, data: bytes) -> None:
        """Read the next piece. Raises BadRequest for a body that breaks a rule or names its model twice."""
        if self._state is _State.EPILOGUE:
            return
        self._data += data
        while self._read_headers() if self._state is _State.HEADERS else self._read_content():
            pass

    def _read_content(self) -> bool:
        """Look for the boundary that ends a part or the preamble; False when more data is needed."""
        at = self._data.find(self._mark, self._searched)
        if at < 0:
            self._pass_over(len(self._data) - len(self._mark) + 1)
            return False
        rest = self._data[at + len(self._mark) : at + len(self._mark) + PADDING_LIMIT + 2]
        after = _AFTER.match(rest)
        if after is None:
            if _UNSURE.fullmatch(rest) and len(rest) < PADDING_LIMIT + 2:
                self._pass_over(at)
                return False
            self._searched = at + 1  # content that only begins like the boundary
            return True
        self._end_part(at)
        if after[1]:
            self._state = _State.EPILOGUE
            self._data = b""
            return False
        # The line end stays in the buffer: without headers it is the first half of the blank line.
        self._drop(at + len(self._mark) + after.end() - 2)
        self._state = _State.HEADERS
        return True

    def _pass_over(self, end: int) -> None:
        """Skip content up to `end`, or keep it where it is the model's."""
        if self._value_at >= 0:
            if end - self._value_at > MODEL_LIMIT:
                raise BadRequest(f'The field "model" is over {MODEL_LIMIT} bytes long.')
            self._searched = max(end, self._searched)
            return
        if end > 0:
            self._drop(end)
        if not self._parts and self._dropped > PREAMBLE_LIMIT:
            raise BadRequest("The multipart body does not begin with the boundary its content-type names.")

    def _end_part(self, at: int) -> None:
        if self._value_at < 0:
            return
        if self.model is not None:
            raise BadRequest('The multipart body has the field "model" twice.')
        self.model = _decode_model(self._data[self._value_at : at])
        self.span = (self._dropped + self._value_at, self._dropped + at)
        self._value_at = -1

    def _read_headers(self) -> bool:
        end = self._data.find(b"\r\n\r\n", self._searched)
        if (end if end >= 0 else len(self._data)) > HEADERS_LIMIT:
            raise BadRequest(f"A part of the multipart body has headers over {HEADERS_LIMIT >> 10} KiB.")
        if end < 0:
            self._searched = max(len(self._data) - 3, 0)
            return False
        self._parts += 1
        if self._parts > PARTS_LIMIT:
            raise BadRequest(f"The multipart body has over {PARTS_LIMIT} parts.")
        is_model, is_file = _parse_disposition(self._data[2 : end + 2])
        self.in_file = self.in_file or is_file
        # The end of the blank line stays in the buffer: with empty content the boundary follows it directly.
        self._drop(end + 2)
        self._state = _State.CONTENT
        self._value_at = 2 if is_model else -1
        return True

    def _drop(self, end: int) -> None:
        self._data = self._data[end:]
        self._dropped += end
        self._searched = 0


def _parse_disposition(headers: bytes) -> tuple[bool, bool]:
    """Whether a part is the field `model`, and whether it is a file."""
    found = _DISPOSITION.findall(_FOLDED.sub(b" ", headers))
    if len(found) != 1:
        raise BadRequest("A part of the multipart body needs one Content-Disposition header.")
    pairs = _parse_parameters(found[0])
    is_file = any(name in (b"filename", b"filename*") for name, _ in pairs)
    names = {value for name, value in pairs if name == b"name"}
    if b"model" in names and len(names) > 1:
        raise BadRequest("A part of the multipart body has two names.")
    return b"model" in names and not is_file, is_file


def _parse_parameters(value: bytes) -> list[tuple[bytes, bytes]]:
    return [
        (match[1].lower(), _ESCAPED.sub(rb"\1", match[2]) if match[2] is not None else match[3])
        for match in _PARAMETER.finditer(value)
    ]


def _decode_model(value: bytes) -> str:
    if len(value) > MODEL_LIMIT:
        raise BadRequest(f'The field "model" is over {MODEL_LIMIT} bytes long.')
    try:
        name = value.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest('The field "model" is not UTF-8.') from None
    if not name.strip() or _CONTROL.search(name):
        raise BadRequest('The field "model" is empty or has control characters.')
    return name
