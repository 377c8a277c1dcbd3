"""Decodes JSON of many megabytes in calls of bounded size.

One call of the decoder keeps the interpreter's lock to its end: 8 MiB of small objects take 100 ms, a text of 60 MiB
50 ms, in which no other thread runs. Here lists and objects are decoded entry by entry, and long texts in parts.
"""

from collections.abc import Callable

import msgspec

# Bytes that one call decodes, in five milliseconds at most.
_AT_ONCE = 256 << 10
# Of a text, which is decoded much faster.
_TEXT_STEP = 1 << 20
# Lists and objects within each other that are decoded entry by entry: each looks through the bytes of those within it.
_LEVELS = 6
# No escape is longer: both halves of a surrogate pair.
_ESCAPE = len(r"\ud83d\ude00")
_TRIES = 64
_any = msgspec.json.Decoder()
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])


def decode(data: bytes, check_list: Callable[[list[msgspec.Raw]], None]) -> object:
    """The value of JSON. check_list: gets each long list before its entries are decoded, and may raise. Raises what
    msgspec's decoder does."""
    return _decode(data, _LEVELS, check_list)


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
        cut = _find_cut(data, at + _TEXT_STEP, end)
        parts.append(_any.decode(b'"%b"' % data[at:cut]))
        at = cut
    return "".join(parts)


def _find_cut(data: memoryview, cut: int, end: int) -> int:
    """Where a text can be cut, not far before a place: between two characters, and not within an escape. The end where
    that is nowhere."""
    for _ in range(_TRIES):
        if cut >= end:
            break
        while data[cut] & 0xC0 == 0x80:
            cut -= 1
        if b"\\" not in bytes(data[cut - _ESCAPE : cut]):
            return cut
        cut -= _ESCAPE
    return end
