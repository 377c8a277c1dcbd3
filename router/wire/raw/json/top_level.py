"""Reads the top level of a JSON request body without parsing the rest.

A body is decoded to its top-level keys and undecoded values (33 µs for 122 KB). When each key stands where the value
before it ends, there are no duplicate keys and every value's offset is known. Any other body is walked value by value,
which also accepts what msgspec refuses (NaN, lone surrogates) and finds duplicates.
"""

import json
import re
from collections.abc import Iterator

import msgspec

from router.errors import BadRequest
from router.wire.raw.json.depth import DEPTH_LIMIT, too_deep
from router.wire.raw.json.structure import TOP_MEMBERS_LIMIT, check_size, check_walked, find_marks, has_many_members

MODEL_LIMIT = 256

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any = msgspec.json.Decoder()
# strict=False accepts control characters: the upstream decides whether they are valid.
# parse_int=float accepts integers of any length, where int() raises over 4300 digits.
_walker = json.JSONDecoder(strict=False, parse_int=float)
_SPACE = re.compile(r"[ \t\n\r]*+")
# A key without escapes, what stands before it, and the colon; the end of the object behind its last value.
_KEY = re.compile(rb'[ \t\n\r]*+[{,][ \t\n\r]*+"([^"\\]*+)"[ \t\n\r]*+:[ \t\n\r]*+')
_END = re.compile(rb"[ \t\n\r]*+\}[ \t\n\r]*+")
# A model name without escapes, which nearly all names are.
_PLAIN_NAME = re.compile(rb'"[!#-\[\]-~]+"')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Top:
    """The top level of a JSON object: the place of each value in the body."""

    __slots__ = ("_body", "_spans", "brackets", "duplicates")

    def __init__(
        self,
        body: bytes,
        spans: dict[str, tuple[int, int]],
        duplicates: frozenset[str] = frozenset(),
        *,
        brackets: int,
    ):
        self._body = body
        self._spans = spans
        #: Keys that occur more than once; the value of the last one counts.
        self.duplicates = duplicates
        #: Brackets in the body, those in its strings too, or more than that.
        self.brackets = brackets

    def __iter__(self) -> Iterator[str]:
        return iter(self._spans)

    def __contains__(self, name: str) -> bool:
        return name in self._spans

    def raw(self, name: str) -> bytes | None:
        """The undecoded value, None when the key is absent."""
        span = self._spans.get(name)
        return None if span is None else self._body[span[0] : span[1]]

    def value(self, name: str) -> object:
        """The decoded value, None when the key is absent. Bytes that are no UTF-8 become lone surrogates."""
        raw = self.raw(name)
        return None if raw is None else decode_value(raw)

    def tail(self, name: str, size: int) -> bytes:
        """The last bytes of the undecoded value, at most `size`; b"" when the key is absent."""
        start, end = self._spans.get(name, (0, 0))
        return self._body[max(start, end - size) : end]

    def find_span(self, name: str) -> tuple[int, int] | None:
        """Start and end of the value in the body, None when the key is absent."""
        return self._spans.get(name)

    def span(self, name: str) -> tuple[int, int]:
        """Start and end of the value in the body; the key must be present."""
        return self._spans[name]


def decode_value(raw: bytes) -> object:
    """A JSON value. Bytes that are no UTF-8 become lone surrogates."""
    try:
        return _any.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _walker.decode(raw.decode("utf-8", "surrogateescape"))


def peek(body: bytes) -> Top:
    """The top level of a JSON object. Raises BadRequest with the position of what is wrong, or for a body with more
    values than can be worked on, before they are decoded."""
    marks = find_marks(body)
    check_size(body, marks)
    if has_many_members(body, marks):
        raise _members_error()
    try:
        fields = _fields.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        fields = None
    except RecursionError:
        raise _nesting_error() from None
    spans = None
    if fields:
        if len(fields) > TOP_MEMBERS_LIMIT:
            raise _members_error()
        spans = _locate_values(body, fields, b"") or _locate_values(body, fields, b" ") or _locate_spaced(body, fields)
    top = Top(body, spans, brackets=len(marks)) if spans else _walk(body, len(marks))
    if too_deep(body, marks):
        # Refused for a relayed body too, so that a body does not fail only when it is translated, and then parsed.
        raise _nesting_error()
    return top


def _locate_values(body: bytes, fields: dict[str, msgspec.Raw], space: bytes) -> dict[str, tuple[int, int]] | None:
    """Each value's place, if the body is laid out as encoders do it, with `space` behind colons and commas.

    Every key must start where the value before it ends. This also proves that no key occurs twice, which msgspec does
    not report.
    """
    spans: dict[str, tuple[int, int]] = {}
    between = 1 + len(space)
    at = 1
    for name, raw in fields.items():
        key = b'"%b":%b' % (name.encode(), space)
        if not body.startswith(key, at):
            return None
        start = at + len(key)
        end = start + len(raw)
        spans[name] = (start, end)
        at = end + between
    return spans if at - between == len(body) - 1 else None


def _locate_spaced(body: bytes, fields: dict[str, msgspec.Raw]) -> dict[str, tuple[int, int]] | None:
    """Each value's place, if there is any white space between the keys and values, and no key occurs twice or has
    escapes."""
    spans: dict[str, tuple[int, int]] = {}
    at = 0
    for name, raw in fields.items():
        key = _KEY.match(body, at)
        if key is None or key[1] != name.encode() or not body.startswith(bytes(raw), key.end()):
            return None
        at = key.end() + len(raw)
        spans[name] = (key.end(), at)
    return spans if _END.fullmatch(body, at) else None


def _members_error() -> BadRequest:
    return BadRequest(f"The JSON body has over {TOP_MEMBERS_LIMIT:,} members at its top level.")


def _nesting_error() -> BadRequest:
    return BadRequest(f"The JSON body is nested over {DEPTH_LIMIT} levels deep.")


def _walk(body: bytes, brackets: int) -> Top:
    check_walked(body)
    # Latin-1 decodes each byte to one character, so that offsets in the text are offsets in the body.
    text = body.decode("latin-1")
    try:
        return Top(body, *_find_spans(text), brackets=brackets)
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno} (byte {error.pos})."
        ) from None
    except RecursionError:
        raise _nesting_error() from None


def _find_spans(text: str) -> tuple[dict[str, tuple[int, int]], frozenset[str]]:
    at = _skip_space(text, 3 if text.startswith("\xef\xbb\xbf") else 0)
    if text[at : at + 1] != "{":
        _walker.raw_decode(text, at)
        raise BadRequest("The body must be a JSON object.")
    spans: dict[str, tuple[int, int]] = {}
    duplicates: set[str] = set()
    members = 0
    at = _skip_space(text, at + 1)
    while text[at : at + 1] != "}":
        members += 1
        if members > TOP_MEMBERS_LIMIT:
            raise _members_error()
        if text[at : at + 1] != '"':
            raise json.JSONDecodeError("Expecting a property name in double quotes", text, at)
        start = at
        _, at = _walker.raw_decode(text, at)
        name = str(_walker.decode(text[start:at].encode("latin-1").decode("utf-8", "surrogateescape")))
        at = _skip_space(text, at)
        if text[at : at + 1] != ":":
            raise json.JSONDecodeError("Expecting ':'", text, at)
        start = _skip_space(text, at + 1)
        _, at = _walker.raw_decode(text, start)
        if name in spans:
            if name in ("model", "stream"):
                raise BadRequest(f'The body has the key "{name}" twice.')
            duplicates.add(name)
        spans[name] = (start, at)
        at = _skip_space(text, at)
        if text[at : at + 1] == ",":
            at = _skip_space(text, at + 1)
            if text[at : at + 1] == "}":
                raise json.JSONDecodeError("Expecting a property name in double quotes", text, at)
        elif text[at : at + 1] != "}":
            raise json.JSONDecodeError("Expecting ',' or '}'", text, at)
    end = _skip_space(text, at + 1)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return spans, frozenset(duplicates)


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def read_model(top: Top) -> str | None:
    """The request's model, None when it names none. Raises BadRequest for an empty, too long or non-text name."""
    raw = top.raw("model")
    if raw is None:
        return None
    if len(raw) <= MODEL_LIMIT and _PLAIN_NAME.fullmatch(raw):
        return raw[1:-1].decode("ascii")
    name = top.value("model")
    if name is None:
        return None
    if not isinstance(name, str):
        raise BadRequest('"model" must be a string.')
    if len(raw) > MODEL_LIMIT * 6:
        raise _refuse_length()
    check_model(name)
    return name


def check_model(name: str) -> None:
    """Raise BadRequest for a name that no model can have: an empty or too long one, or one with control characters."""
    if len(name.encode("utf-8", "surrogatepass")) > MODEL_LIMIT:
        raise _refuse_length()
    if not name.strip():
        raise BadRequest('"model" is empty: name a model. `fairlead models` lists those available.')
    if _CONTROL.search(name):
        raise BadRequest('"model" has control characters.')


def _refuse_length() -> BadRequest:
    return BadRequest(f'"model" is over {MODEL_LIMIT} bytes long.')


def wants_stream(top: Top) -> bool:
    """True when the request asks for server-sent events. Raises BadRequest when "stream" is no truth value."""
    raw = top.raw("stream")
    if raw is None:
        return False
    if raw in (b"true", b"false", b"null"):
        return raw == b"true"
    raise BadRequest('"stream" must be true or false.')
