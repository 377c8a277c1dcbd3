"""Decodes and encodes JSON of many megabytes in calls of bounded size.

One call of the decoder keeps the interpreter's lock to its end: 8 MiB of small objects take 100 ms, only to find the
290,000 entries of one list 28 ms, in which no other thread runs. So JSON is read window by window: the decoder gets the
entries that are whole in a window, as a list or an object of their own. A list, an object or a text that goes on behind
the window is opened, and what follows is added to it. Each byte reaches the decoder, or is a blank or a sign that is
checked here; where the signs in a window are misread, as in what is no JSON, the decoder refuses what it gets.
"""

import re
from collections.abc import Callable
from io import BytesIO
from typing import Any, cast

import msgspec

from router.wire.raw.json import deallocation

# Bytes that one call decodes, in two milliseconds at most.
_WINDOW = 128 << 10
#: Bytes and characters of a text that are worked on at once: texts are much faster.
LONG_TEXT = 256 << 10
# Lists and objects within each other that are encoded entry by entry.
_LEVELS = 6
# Lists and objects that are open at once; the decoder goes as deep.
_DEPTH_LIMIT = 1000
# The longest escape, and how the first half of a surrogate pair begins as one.
_ESCAPE = len(r"\ud83d")
_FIRST_HALVES = (rb"\ud8", rb"\ud9", rb"\uda", rb"\udb")
_LONGEST_CHARACTER = 4
# Numbers and literals that stand alone behind a name of over a window.
_LONGEST_WORD = 1024
_BLANKS = b" \t\r\n"
# Both kinds of brackets become one.
_KINDS = {"[": "[", "{": "[", "]": "]", "}": "]", ",": ","}
_SIGNS = bytes(ord(_KINDS.get(chr(at), "\0")) for at in range(256))
_SIGN = re.compile(rb"[\[\],]")
_OPENING, _CLOSING = b"[]"
_any = msgspec.json.Decoder()
_raw_entries = msgspec.json.Decoder(list[msgspec.Raw])
_encode = msgspec.json.Encoder().encode
# What an open list or object had last: nothing, a comma, a value.
_NOTHING, _COMMA, _VALUE = range(3)


def _accept(_: int) -> None:
    """Any list will do."""


def decode(
    data: bytes,
    check_length: Callable[[int], None] = _accept,
    decode_part: Callable[[bytes], Any] = _any.decode,
    *,
    raw: str = "",
    cut_texts: bool = False,
) -> object:
    """The value of JSON. check_length: gets the length so far of each list that is longer than a window, and may raise.
    decode_part: decodes what is no longer than a window. raw: the entries of such lists in members of this name are
    not decoded, but given as they stand. cut_texts: of texts that are longer than a window, give the first LONG_TEXT
    bytes; to join all of it takes half a millisecond for each MiB, in one call. Raises DecodeError, and what
    `decode_part` raises."""
    if len(data) <= _WINDOW:
        return decode_part(data)
    return _Reader(data, check_length, decode_part, raw, cut_texts=cut_texts).read()


class _Open:
    """A list or an object whose end has not come."""

    __slots__ = ("_after", "_decode_part", "_frame", "closing", "raw", "value")

    def __init__(self, opening: int, decode_part: Callable[[bytes], Any], *, raw: bool):
        self.value: list[object] | dict[str, object] = [] if opening == _OPENING else {}
        self._frame = b"[%b]" if opening == _OPENING else b"{%b}"
        self.closing = self._frame[-1]
        self._after = _NOTHING
        self.raw = raw
        self._decode_part = _raw_entries.decode if raw and opening == _OPENING else decode_part

    def add(self, text: bytes, *, last: bool) -> None:
        """Add the entries up to a comma or, the last ones, up to the end. Raises DecodeError, and what the decoder
        does; nothing is added then."""
        after = self._after
        if after == _VALUE:
            text = text.lstrip(_BLANKS)
            if not text:
                self._after = _VALUE if last else _COMMA
                return
            if text[:1] != b",":
                raise _malformed()
            text, after = text[1:], _COMMA
        found = cast("list[object] | dict[str, object]", self._decode_part(self._frame % text))
        if not found and (after == _COMMA or not last):
            raise _malformed()
        self._after = _VALUE if last else _COMMA
        if isinstance(self.value, list):
            self.value += found
        else:
            self.value.update(cast("dict[str, object]", found))

    def put(self, name: str, value: object) -> None:
        """Add an entry that is read by itself. name: of a member of an object. Raises DecodeError."""
        if self._after == _VALUE:
            raise _malformed()
        self._after = _VALUE
        if isinstance(self.value, list):
            self.value.append(value)
        else:
            self.value[name] = value


class _Reader:
    """Reads a value that is longer than a window."""

    __slots__ = ("_at", "_check_length", "_cut_texts", "_data", "_decode_part", "_open", "_raw")

    def __init__(
        self,
        data: bytes,
        check_length: Callable[[int], None],
        decode_part: Callable[[bytes], Any],
        raw: str,
        *,
        cut_texts: bool,
    ):
        self._data = data
        self._check_length = check_length
        self._decode_part = decode_part
        self._raw = raw
        self._cut_texts = cut_texts
        self._at = 0
        self._open: list[_Open] = []

    def read(self) -> object:
        """The value. Raises DecodeError, RecursionError, and what the decoder of parts does."""
        self._skip_blanks()
        first = self._data[self._at : self._at + 1]
        if first in (b"[", b"{"):
            found = self._push(first[0]).value
            self._at += 1
            while self._open:
                self._read_window()
        else:
            found = self._read_scalar()
        self._skip_blanks()
        if self._at < len(self._data):
            raise _malformed()
        return found

    def _read_window(self) -> None:
        piece = self._data[self._at : self._at + _WINDOW]
        signs = _find_signs(piece)
        read = self._add_run(piece, signs) or self._follow_signs(piece, signs)
        self._at += read
        if not read:
            self._read_entry()

    def _add_run(self, piece: bytes, signs: bytes) -> int:
        """Add entries that fill most of a window, and return how much of it they are. 0, with nothing done, where there
        are none, and where the list or object ends: that is what the decoder refuses."""
        cut = _find_last_comma(signs)
        if cut < 0:
            return 0
        try:
            self._add(piece[:cut], last=False)
        except (msgspec.DecodeError, ValueError):
            return 0
        return cut + 1

    def _follow_signs(self, piece: bytes, signs: bytes) -> int:
        """Add what is whole in a window, close what ends in it, and open what goes on behind it unless most of the
        window is read without. Returns how much of it was read."""
        read = 0
        # Lists and objects that begin here and go on behind the window, and the last comma in each; first comes the one
        # that was open before.
        nested, commas = [-1], [-1]
        for match in _SIGN.finditer(signs):
            at = match.start()
            sign = signs[at]
            if sign == _OPENING:
                nested.append(at)
                commas.append(-1)
            elif sign != _CLOSING:
                commas[-1] = at
            elif len(nested) > 1:
                nested.pop()
                commas.pop()
            else:
                self._close(piece[read:at], piece[at])
                read, commas[0] = at + 1, -1
                if not self._open:
                    return read
        for opening, comma in zip(nested, commas, strict=True):
            if opening >= 0:
                if read > _WINDOW // 2:
                    break
                self._open_nested(piece[read:opening], piece[opening])
                read = opening + 1
            if comma >= 0:
                self._add(piece[read:comma], last=False)
                read = comma + 1
        return read

    def _add(self, text: bytes, *, last: bool) -> None:
        top = self._open[-1]
        top.add(text, last=last)
        if isinstance(top.value, list):
            self._check_length(len(top.value))

    def _close(self, text: bytes, closing: int) -> None:
        if closing != self._open[-1].closing:
            raise _malformed()
        self._add(text, last=True)
        self._open.pop()

    def _open_nested(self, before: bytes, opening: int) -> None:
        """Open an entry. before: its name and colon, in an object."""
        top = self._open[-1]
        name = ""
        if isinstance(top.value, dict):
            names = list(self._decode_part(b"{%bnull}" % before))
            if len(names) != 1:
                raise _malformed()
            name = names[0]
        elif before.strip(_BLANKS):
            raise _malformed()
        top.put(name, self._push(opening, name).value)

    def _push(self, opening: int, name: str = "") -> _Open:
        if len(self._open) >= _DEPTH_LIMIT:
            raise RecursionError
        raw = bool(self._raw) and (name == self._raw or (bool(self._open) and self._open[-1].raw))
        found = _Open(opening, self._decode_part, raw=raw)
        self._open.append(found)
        deallocation.note(found.value)
        return found

    def _read_entry(self) -> None:
        """Read an entry whose name or text is longer than a window, or which is the last of what is cut off."""
        self._skip_blanks()
        top = self._open[-1]
        name = ""
        if isinstance(top.value, dict):
            name = self._read_text(cut=False)
            self._skip_blanks()
            if self._data[self._at : self._at + 1] != b":":
                raise _malformed()
            self._at += 1
            self._skip_blanks()
        first = self._data[self._at : self._at + 1]
        if first in (b"[", b"{"):
            self._at += 1
            top.put(name, self._push(first[0], name).value)
        else:
            top.put(name, self._read_scalar())

    def _read_scalar(self) -> object:
        if self._data[self._at : self._at + 1] == b'"':
            return self._read_text(cut=self._cut_texts)
        word = self._data[self._at : self._at + _LONGEST_WORD]
        for sign in (b",", b"]", b"}"):
            word = word.partition(sign)[0]
        word = word.rstrip(_BLANKS)
        self._at += len(word)
        return self._decode_part(word)

    def _read_text(self, *, cut: bool) -> str:
        begin = self._at
        if self._data[begin : begin + 1] != b'"':
            raise _malformed()
        at = begin + 1
        while piece := _hide_escapes(self._data[at : at + _WINDOW]):
            end = piece.find(b'"')
            if end >= 0:
                self._at = at + end + 1
                return self._decode_text(memoryview(self._data)[begin : self._at], first=cut)
            at += len(piece)
        raise _malformed()

    def _decode_text(self, data: memoryview, *, first: bool) -> str:
        """The text of JSON between two quotation marks. first: the first part of it alone; the others are checked."""
        parts: list[str] = []
        at, end = 1, len(data) - 1
        while at < end:
            cut = _find_cut(data, at, end)
            part = self._decode_part(b'"%b"' % data[at:cut])
            if not (parts and first):
                parts.append(part)
            at = cut
        return "".join(parts)

    def _skip_blanks(self) -> None:
        while piece := self._data[self._at : self._at + _WINDOW]:
            rest = len(piece.lstrip(_BLANKS))
            self._at += len(piece) - rest
            if rest:
                break


def _malformed() -> msgspec.DecodeError:
    return msgspec.DecodeError("JSON is malformed")


def _hide_escapes(piece: bytes) -> bytes:
    """Bytes of JSON with letters in the place of escaped quotation marks and backslashes; without the last byte where
    that begins an escape."""
    if b"\\" not in piece:
        return piece
    piece = piece.replace(b"\\\\", b"aa").replace(b'\\"', b"aa")
    return piece[:-1] if piece[-1:] == b"\\" else piece


def _find_signs(piece: bytes) -> bytes:
    """The brackets, all as one kind, and the commas of JSON in their places, with zeros between them. What stands in
    texts is none. piece: begins between two texts."""
    parts = _hide_escapes(piece).split(b'"')
    parts[1::2] = [bytes(len(text)) for text in parts[1::2]]
    return b"\0".join(parts).translate(_SIGNS)


def _find_last_comma(signs: bytes) -> int:
    """The last comma in the second half of a window that has as many brackets opened as closed before it, -1 for none.
    When more are closed than opened at some place before, it is another list's."""
    depth = signs.count(b"[") - signs.count(b"]")
    end = len(signs)
    while (comma := signs.rfind(b",", len(signs) // 2, end)) >= 0:
        depth += signs.count(b"]", comma, end) - signs.count(b"[", comma, end)
        if not depth:
            break
        end = comma
    return comma


def _find_cut(data: memoryview, begin: int, end: int) -> int:
    """Where a part of a text that begins at `begin` ends: between two characters, not within an escape, and not between
    the two of a surrogate pair."""
    if end - begin <= LONG_TEXT:
        return end
    hidden = _hide_escapes(bytes(data[begin : begin + LONG_TEXT]))
    size = len(hidden)
    last = hidden.rfind(b"\\", size - 2 * _ESCAPE)
    if last >= 0:
        size = last
    before = hidden[size - _ESCAPE : size - _ESCAPE + 4].lower()
    if before in _FIRST_HALVES:
        size -= _ESCAPE
    for _ in range(_LONGEST_CHARACTER - 1):
        if data[begin + size] & 0xC0 == 0x80:
            size -= 1
    return begin + size


def encode(value: object) -> bytes:
    """The same JSON as msgspec's encoder gives. Raises what it does."""
    out = BytesIO()
    _write(out, value, _LEVELS)
    return out.getvalue()


def _write(out: BytesIO, value: object, levels: int) -> None:
    if isinstance(value, str) and len(value) > LONG_TEXT:
        write_text(out, value)
    elif isinstance(value, msgspec.Raw):
        for at in range(0, len(value), LONG_TEXT):
            out.write(memoryview(value)[at : at + LONG_TEXT])
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


def frame(before: bytes, value: object, behind: bytes) -> bytes:
    """A value as JSON between other bytes: no part of it is copied twice."""
    out = BytesIO()
    out.write(before)
    _write(out, value, _LEVELS)
    out.write(behind)
    return out.getvalue()
