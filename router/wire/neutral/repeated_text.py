"""Reads pieces of a streamed text that differ from the one before in their text alone, without decoding the rest again.

Pieces mostly repeat all that stands beside the text. Where it stands is told by a piece that was decoded, and counts
once a second one was decoded that has another text there, and is the same before and behind it.
"""

from collections.abc import Sequence

import msgspec

from router.ir import Event, TextDelta

_decode = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode
_UNREADABLE = (msgspec.DecodeError, UnicodeError)
# Pieces in a row that had the text elsewhere, after which none is looked at: their other members change too.
_TRIES = 8
# Bytes of the largest piece that is read here.
_SIZE_LIMIT = 64 << 10
# No JSON begins or ends so.
_NEVER = b"\0"


class RepeatedText:
    """What stands beside the text of one stream's pieces."""

    __slots__ = ("_head", "_name", "_tail", "_text", "looks", "sure")

    def __init__(self, *, usable: bool):
        """usable: a further piece of an open text changes nothing that the meaning of later events depends on."""
        #: How many more pieces are looked at: while there are any, each event that was decoded is to be learned.
        self.looks = _TRIES if usable else 0
        #: It is known where the text stands.
        self.sure = False
        self._name = self._text = ""
        self._head = self._tail = _NEVER

    def learn(self, name: str, payload: bytes, found: Sequence[Event]) -> None:
        """Take note of an event that was decoded, and what it brought. Anything but a text may change what follows."""
        only = found[0] if len(found) == 1 else None
        if type(only) is not TextDelta or only.logprobs:
            self.sure, self._head = False, _NEVER
            return
        text = only.text
        if self.read(name, payload) == text:
            self.sure = text != self._text
            self.looks = _TRIES
            return
        self.looks -= 1
        self.sure = False
        literal = _encode(text)
        head, _, tail = payload.partition(literal)
        self._name, self._text, self._tail = name, text, tail
        self._head = head if tail and literal not in tail else _NEVER

    def read(self, name: str, payload: bytes) -> str:
        """The text of a piece whose event is named so; "" where it must be decoded."""
        head, tail = self._head, self._tail
        size = len(payload)
        if size > _SIZE_LIMIT or name != self._name or not payload.startswith(head) or not payload.endswith(tail):
            return ""
        try:
            return _decode(payload[len(head) : size - len(tail)])
        except _UNREADABLE:
            return ""
