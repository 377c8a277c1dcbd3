"""Decodes and encodes JSON of many megabytes in calls of bounded size.

One call of the decoder keeps the interpreter's lock to its end: 8 MiB of small objects take 100 ms, a text of 60 MiB
50 ms, in which no other thread runs. Here lists and objects are decoded entry by entry, and long texts in parts; texts
are encoded in parts too.
"""

from collections.abc import Callable
from io import BytesIO
from typing import cast

import msgspec

from router.wire.raw import scan

# Bytes that one call decodes, in five milliseconds at most.
_AT_ONCE = 256 << 10
#: Bytes and characters of a text that are worked on at once: texts are much faster.
LONG_TEXT = 1 << 20
# Lists and objects within each other that are decoded entry by entry: each looks through the bytes of those within it.
_LEVELS = 6
# No escape is longer: both halves of a surrogate pair.
_ESCAPE = len(r"\ud83d\ude00")
_TRIES = 64
# Of JSON whose long texts are taken out first.
_MOST_QUOTES = 20_000
_MARK = "\0long text "
_NUL = b"\\u0000"
_MARK_ESCAPED = _NUL + b"long text "
_BACKSLASH = ord("\\")
_any = msgspec.json.Decoder()
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def _accept(_: list[msgspec.Raw]) -> None:
    """Any list will do."""


def decode(data: bytes, check_list: Callable[[list[msgspec.Raw]], None] = _accept) -> object:
    """The value of JSON. check_list: gets each long list before its entries are decoded, and may raise. Raises what
    msgspec's decoder does, but for a value that another of the same name follows: such a one is not looked at."""
    rest, texts = _take_texts(data)
    found = _decode(rest, _LEVELS, check_list)
    return _put_texts(found, [memoryview(data)[begin:end] for begin, end in texts]) if texts else found


def _take_texts(data: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """JSON with a mark in the place of each long text, and where these begin and end with their quotation marks. None
    are taken from JSON with many texts, or with a NUL, as the mark has."""
    texts: list[tuple[int, int]] = []
    parts: list[bytes] = []
    if _has_many_quotes(data):
        return data, []
    at = taken = 0
    while (begin := scan.find(data, b'"', at)) >= 0:
        end = scan.find(data, b'"', begin + 1)
        while end > 0 and _is_escaped(data, end):
            end = scan.find(data, b'"', end + 1)
        if end < 0:
            return data, []
        at = end + 1
        if end - begin > LONG_TEXT:
            parts += (data[taken:begin], b'"%b%d"' % (_MARK_ESCAPED, len(texts)))
            texts.append((begin, at))
            taken = at
    parts.append(data[taken:])
    if not texts or any(_NUL in part for part in parts[::2]):
        return data, []
    return b"".join(parts), texts


def _has_many_quotes(data: bytes) -> bool:
    count = 0
    for at in range(0, len(data), scan.STEP):
        count += data.count(b'"', at, at + scan.STEP)
        if count > _MOST_QUOTES:
            return True
    return False


def _is_escaped(data: bytes, at: int) -> bool:
    """True for a quotation mark behind an odd number of backslashes."""
    before = at
    while data[before - 1] == _BACKSLASH:
        before -= 1
    return bool((at - before) % 2)


def _put_texts(value: object, texts: list[memoryview]) -> object:
    """A value with its long texts in the place of the marks."""
    if isinstance(value, str):
        return decode_text(texts[int(value[len(_MARK) :])]) if value.startswith(_MARK) else value
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {str(_put_texts(name, texts)): _put_texts(entry, texts) for name, entry in members.items()}
    if isinstance(value, list):
        return [_put_texts(entry, texts) for entry in cast("list[object]", value)]
    return value


def _decode(data: bytes | msgspec.Raw, levels: int, check_list: Callable[[list[msgspec.Raw]], None]) -> object:
    if len(data) <= _AT_ONCE or not levels:
        return _any.decode(data)
    view = memoryview(data)
    opened = bytes(view[:64]).lstrip(b" \t\r\n")[:1]
    if opened == b"{":
        members = _object.decode(data)
        return {name: _decode(value, levels - 1, check_list) for name, value in members.items()}
    if opened == b"[":
        entries = _list.decode(data)
        check_list(entries)
        return [_decode(entry, levels - 1, check_list) for entry in entries]
    if view[0] == view[-1] == 0x22:
        return decode_text(view)
    return _any.decode(data)


def decode_text(data: memoryview) -> str:
    """The text of JSON between two quotation marks. Raises as `decode`."""
    parts: list[str] = []
    at, end = 1, len(data) - 1
    while at < end:
        cut = _find_cut(data, at, end)
        parts.append(_any.decode(b'"%b"' % data[at:cut]))
        at = cut
    return "".join(parts)


def _find_cut(data: memoryview, begin: int, end: int) -> int:
    """Where a part of a text that begins at `begin` can end: between two characters, and not within an escape. The
    text's own end where there is no such place near the end of the step."""
    cut = begin + LONG_TEXT
    for _ in range(_TRIES):
        if cut >= end:
            break
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        if cut - _ESCAPE <= begin:
            break
        if b"\\" not in bytes(data[cut - _ESCAPE : cut]):
            return cut
        cut -= _ESCAPE
    return end


def encode(value: object) -> bytes:
    """The same JSON as msgspec's encoder gives. Raises what it does."""
    out = BytesIO()
    _write(out, value, _LEVELS)
    return out.getvalue()


def _write(out: BytesIO, value: object, levels: int) -> None:
    if isinstance(value, str) and len(value) > LONG_TEXT:
        write_text(out, value)
    elif isinstance(value, dict) and value and levels:
        mark = b"{"
        for name, entry in cast("dict[object, object]", value).items():
            out.write(mark + _encode(str(name)) + b":")
            _write(out, entry, levels - 1)
            mark = b","
        out.write(b"}")
    elif isinstance(value, list | tuple) and value and levels:
        mark = b"["
        for entry in cast("list[object]", value):
            out.write(mark)
            _write(out, entry, levels - 1)
            mark = b","
        out.write(b"]")
    else:
        out.write(_encode(value))


def write_text(out: BytesIO, text: str) -> None:
    """Write a text as JSON."""
    out.write(b'"')
    for at in range(0, len(text), LONG_TEXT):
        out.write(memoryview(_encode(text[at : at + LONG_TEXT]))[1:-1])
    out.write(b'"')


def frame_text(before: bytes, text: str, behind: bytes) -> bytes:
    """A text as JSON between other bytes: no part of it is copied twice."""
    out = BytesIO()
    out.write(before)
    write_text(out, text)
    out.write(behind)
    return out.getvalue()
