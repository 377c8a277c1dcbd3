"""A second look at JSON that the fast decoder refuses and the JSON readers of the vendors' SDKs take.

What is taken: NaN and the infinities (Python's json reads them), which become null; escapes of half a surrogate pair
(Python's json and JavaScript's JSON.parse read them), which become U+FFFD unless the other half is to come; control
characters inside strings, and bytes that are no UTF-8. Everything else stays an error: text behind the value, missing
quotes, single quotes, trailing commas. Only input that was refused comes here, so its speed does not matter.
"""

import codecs
import json
import math
import re
from typing import Any, NamedTuple, cast

import msgspec

from router.wire.raw.json import large_json

#: The name of the loss, in text of a stream.
HALF = "half a character"
#: Most places that are named.
_PLACES = 8
_PATH_LIMIT = 200
_HALF = re.compile("[\ud800-\udfff]")
# The names under which protocols send text in pieces.
_PIECES = frozenset(
    {
        "content",
        "text",
        "delta",
        "thinking",
        "partial_json",
        "arguments",
        "reasoning_content",
        "reasoning",
        "summary",
        "refusal",
    }
)
# The names of arguments that are objects: they are whole.
_WHOLE = ("arguments", "input")
_taking = json.JSONDecoder(strict=False)


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


_strict = json.JSONDecoder(parse_constant=_refuse_constant)


class Mended(NamedTuple):
    """A value that was read at the second look."""

    value: object
    #: Paths of what was replaced, as `messages[0].content`; the first ones.
    replaced: list[str]
    #: Texts end or begin with half a character, whose other half may be in another piece.
    cut: bool = False


class _Walk:
    """Replaces what JSON cannot hold, in place."""

    def __init__(self, *, pieces: bool):
        self._pieces = pieces
        self.replaced: list[str] = []
        self.cut = False

    def mend(self, value: object, path: str, name: str = "") -> object:
        if isinstance(value, str):
            return self._mend_text(value, path, name)
        if isinstance(value, dict):
            found = cast("dict[str, object]", value)
            pieces, self._pieces = self._pieces, self._pieces and name not in _WHOLE
            mended = {
                self._mend_text(key, path): self.mend(inner, _extend(path, f".{key[:_PATH_LIMIT]}"), key)
                for key, inner in found.items()
            }
            self._pieces = pieces
            return mended
        if isinstance(value, list):
            entries = cast("list[object]", value)
            return [self.mend(inner, _extend(path, f"[{at}]")) for at, inner in enumerate(entries)]
        if isinstance(value, float) and not math.isfinite(value):
            self._note(path)
            return None
        return value

    def _mend_text(self, text: str, path: str, name: str = "") -> str:
        if not _has_half(text):
            return text
        if not self._pieces or name not in _PIECES:
            self._note(path)
            return mend_text(text)
        first = text[:1] if is_second_half(text[:1]) else ""
        last = text[-1:] if is_first_half(text[-1:]) else ""
        inside = text[len(first) : len(text) - len(last)]
        self.cut = self.cut or bool(first or last)
        if _has_half(inside):
            self._note(HALF)
        return first + mend_text(inside) + last

    def _note(self, path: str) -> None:
        if len(self.replaced) < _PLACES:
            self.replaced.append(mend_text(path[:_PATH_LIMIT]).removeprefix("."))


def _extend(path: str, part: str) -> str:
    """The path of a value inside; a long one stays as it is, since deep values with long names would be quadratic."""
    return path if len(path) > _PATH_LIMIT else path + part


def decode(data: str | bytes, *, pieces: bool = False) -> Mended:
    """The value. pieces: the data is an event of a stream, in which text may be cut within a character: halves at the
    beginning and end of such text are kept. Raises ValueError, RecursionError."""
    # Of a stream, bytes that are no UTF-8 are not noted: they are no halves that could be joined.
    if isinstance(data, str):
        data, errors = data.encode("utf-8", "surrogatepass"), "surrogatepass"
    else:
        errors = "replace" if pieces else "surrogateescape"
    try:
        value: Any = large_json.decode(
            data.removeprefix(codecs.BOM_UTF8), decode_part=lambda part: _taking.decode(str(part, "utf-8", errors))
        )
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    walk = _Walk(pieces=pieces)
    mended = walk.mend(value, "")
    return Mended(mended, walk.replaced, walk.cut)


def decode_halves(text: str) -> object:
    """The value of JSON whose only fault is half a surrogate pair. Raises ValueError, RecursionError."""
    return _Walk(pieces=False).mend(_strict.decode(text), "")


def mend_value(value: object) -> object:
    """The value with the texts in it mended as by `mend_text`. Raises RecursionError."""
    return _Walk(pieces=False).mend(value, "")


def mend_text(text: str) -> str:
    """The text with halves that stand together joined, and each other half as U+FFFD."""
    if not _has_half(text):
        return text
    mended = ""
    at = 0
    while at < len(text):
        end = at + large_json.LONG_TEXT
        end -= is_first_half(text[end - 1 : end])  # not between the halves of a pair
        mended += text[at:end].encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        at = end
    return mended


def _has_half(text: str) -> bool:
    """True for a text with half a surrogate pair. It is looked through in calls of bounded size."""
    size = large_json.LONG_TEXT
    return any(_HALF.search(text, at, at + size) for at in range(0, len(text), size))


def is_first_half(char: str) -> bool:
    """True for the first half of a surrogate pair."""
    return "\ud800" <= char <= "\udbff"


def is_second_half(char: str) -> bool:
    """True for the second half of a surrogate pair."""
    return "\udc00" <= char <= "\udfff"
