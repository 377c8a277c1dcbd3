"""Reads the top level of a JSON request body without parsing the rest, and splices single values.

A body is decoded to its top-level keys and undecoded values (33 µs for 122 KB). When the lengths of keys and values
add up to the whole body in one of the two forms that encoders write, there are no duplicate keys and every value's
offset is known. Any other layout is walked value by value, which also accepts what msgspec refuses (NaN, lone
surrogates) and finds duplicates.
"""

import json
import re
from collections.abc import Sequence

import msgspec

from router.errors import BadRequest

DEPTH_LIMIT = 200
MODEL_LIMIT = 256

Bytes = bytes | memoryview

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
# strict=False lets control characters pass: whether they are acceptable is for the upstream to say.
_walker = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# A name without escapes, which nearly all are.
_PLAIN_NAME = re.compile(rb'"[!#-\[\]-~]+"')
_WINDOW = 160
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Top:
    """The top level of a JSON object: each value's raw bytes, and where it stands in the body."""

    __slots__ = ("_between", "_body", "_fields", "_spans")

    def __init__(self, body: Bytes, fields: dict[str, msgspec.Raw], between: int):
        self._body = body
        self._fields = fields
        self._between = between
        self._spans: dict[str, tuple[int, int]] | None = None

    @classmethod
    def walked(cls, body: Bytes, spans: dict[str, tuple[int, int]]) -> "Top":
        """From spans already known."""
        top = cls(body, {}, 0)
        top._spans = spans
        return top

    def __contains__(self, name: str) -> bool:
        return name in (self._fields if self._spans is None else self._spans)

    def raw(self, name: str) -> Bytes | None:
        """The undecoded value, None when the key is absent."""
        if self._spans is None:
            return self._fields.get(name)
        span = self._spans.get(name)
        return None if span is None else memoryview(self._body)[span[0] : span[1]]

    def value(self, name: str) -> object:
        """The decoded value, None when the key is absent."""
        raw = self.raw(name)
        if raw is None:
            return None
        try:
            return _any.decode(raw)
        except msgspec.DecodeError:
            return json.loads(bytes(raw).decode("utf-8", "surrogatepass"), strict=False)

    def span(self, name: str) -> tuple[int, int]:
        """Start and end of the value in the body; the key must be present."""
        if self._spans is None:
            self._spans = self._located()
        return self._spans[name]

    def _located(self) -> dict[str, tuple[int, int]]:
        spans: dict[str, tuple[int, int]] = {}
        at = 1
        for name, raw in self._fields.items():
            at += len(name) + 2 + self._between
            spans[name] = (at, at + len(raw))
            at += len(raw) + self._between
        return spans


def peek(body: bytes) -> Top:
    """The top level of a JSON object. Raises BadRequest with the position of what is wrong."""
    try:
        fields = _fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _checked(_walked(body), body)
    except RecursionError:
        raise _too_deep() from None
    size = 0
    for name, raw in fields.items():
        size += len(name) + len(raw)
    count = len(fields)
    # {"k":v,"k":v}: per member two quotes, a colon and a comma, less the last comma, plus the braces.
    compact = size + 4 * count + 1
    if len(body) == compact:
        top = Top(body, fields, 1)
    elif len(body) == compact + 2 * count - 1:
        top = Top(body, fields, 2)
    else:
        top = _walked(body)
    return _checked(top, body)


def _checked(top: Top, body: bytes) -> Top:
    """Refuse deep nesting: what is relayed today is translated, and then parsed, tomorrow."""
    if _may_be_deep(body) and _is_deep(body):
        raise _too_deep()
    return top


def _may_be_deep(body: bytes) -> bool:
    """False when the nesting is within the limit, judged by brackets alone (45 µs for 122 KB).

    Brackets inside strings are counted too; where they add up to something suspicious, `_is_deep` takes them out.
    """
    brackets = body.translate(None, _NOT_BRACKETS)
    depth = 0
    for at in range(0, len(brackets), _WINDOW):
        window = brackets[at : at + _WINDOW]
        opened = window.count(b"{") + window.count(b"[")
        if depth + opened > DEPTH_LIMIT:
            return True
        depth += 2 * opened - len(window)
    return False


def _is_deep(body: bytes) -> bool:
    depth = 0
    for bracket in _STRING.sub(b"", body).translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"{[" else -1
        if depth > DEPTH_LIMIT:
            return True
    return False


def _too_deep() -> BadRequest:
    return BadRequest(f"The JSON body is nested over {DEPTH_LIMIT} levels deep.")


def _walked(body: Bytes) -> Top:
    # Latin-1 keeps one character a byte, so that offsets in the text are offsets in the body.
    text = bytes(body).decode("latin-1")
    try:
        return Top.walked(body, _spans(text))
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno} (byte {error.pos})."
        ) from None
    except RecursionError:
        raise _too_deep() from None


def _spans(text: str) -> dict[str, tuple[int, int]]:
    at = _skip(text, 3 if text.startswith("\xef\xbb\xbf") else 0)
    if text[at : at + 1] != "{":
        _walker.raw_decode(text, at)
        raise BadRequest("The body must be a JSON object.")
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting a property name in double quotes", text, at)
        name, at = _walker.raw_decode(text, at)
        name = str(name).encode("latin-1", "replace").decode("utf-8", "replace")
        at = _skip(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", text, at)
        start = _skip(text, at + 1)
        _, at = _walker.raw_decode(text, start)
        if name in spans and name in ("model", "stream"):
            raise BadRequest(f'The body has the key "{name}" twice.')
        spans[name] = (start, at)
        at = _skip(text, at)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
            if text[at : at + 1] == "}":
                raise json.JSONDecodeError("Expecting a property name in double quotes", text, at)
        elif text[at : at + 1] != "}":
            raise json.JSONDecodeError("Expecting ',' or '}'", text, at)
    end = _skip(text, at + 1)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return spans


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def model_name(top: Top) -> str | None:
    """The request's model, None when it names none. Raises BadRequest for a name that is no sensible text."""
    raw = top.raw("model")
    if raw is None:
        return None
    text = bytes(raw)
    if len(text) <= MODEL_LIMIT and _PLAIN_NAME.fullmatch(text):
        return text[1:-1].decode("ascii")
    name = top.value("model")
    if name is None:
        return None
    if not isinstance(name, str):
        raise BadRequest('"model" must be a string.')
    if len(raw) > MODEL_LIMIT * 6 or len(name.encode("utf-8", "surrogatepass")) > MODEL_LIMIT:
        raise BadRequest(f'"model" is over {MODEL_LIMIT} bytes long.')
    if not name.strip() or _CONTROL.search(name):
        raise BadRequest('"model" is empty or has control characters.')
    return name


def wants_stream(top: Top) -> bool:
    """True when the request asks for server-sent events. Raises BadRequest when "stream" is no truth value."""
    raw = top.raw("stream")
    if raw is None:
        return False
    text = bytes(raw)
    if text in (b"true", b"false", b"null"):
        return text == b"true"
    raise BadRequest('"stream" must be true or false.')


class Edits:
    """Values to replace or insert in a body; all other bytes stay as they are, and are not copied."""

    __slots__ = ("_body", "_edits", "_top")

    def __init__(self, body: Bytes, top: Top):
        self._body = body
        self._top = top
        self._edits: list[tuple[int, int, bytes]] = []

    def replace(self, name: str, value: bytes) -> None:
        """Put the JSON text `value` in the place of a present key's value."""
        start, end = self._top.span(name)
        self._edits.append((start, end, value))

    def insert(self, name: str, value: bytes) -> None:
        """Add a member in front of all others; the object must not be empty."""
        at = bytes(self._body[:64]).find(b"{") + 1
        if at == 0:
            at = bytes(self._body).find(b"{") + 1
        self._edits.append((at, at, b'"' + name.encode() + b'":' + value + b","))

    def parts(self) -> Sequence[Bytes]:
        """The body as pieces to be sent one after the other."""
        if not self._edits:
            return (self._body,)
        view = memoryview(self._body)
        pieces: list[Bytes] = []
        at = 0
        for start, end, value in sorted(self._edits):
            pieces += (view[at:start], value)
            at = end
        pieces.append(view[at:])
        return pieces
