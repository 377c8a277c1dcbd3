"""Joins characters that an upstream cut into two pieces of a stream.

Servers that cut text by UTF-16 units send an emoji as `\\ud83d` at the end of one piece and `\\ude00` at the beginning
of the next. Neither can be written as UTF-8. A first half is held until the next piece of the same text; a half that
stays alone becomes U+FFFD, which is noted as a loss.
"""

from collections.abc import Iterable, Iterator

import msgspec

from router.ir import CallDelta, Ended, Event, Pinged, RefusalDelta, TextDelta, ThinkingDelta
from router.wire.neutral.context import Context
from router.wire.raw.json.lenient_json import HALF, is_first_half, mend_text

_TEXT, _THINKING, _REFUSAL = -1, -2, -3
_KEYS: dict[type, int] = {TextDelta: _TEXT, ThinkingDelta: _THINKING, RefusalDelta: _REFUSAL}


class CharacterJoiner:
    """The halves held of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        # By the text they belong to: the number of a call, or one of _KEYS.
        self._held: dict[int, str] = {}

    def apply(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events with whole characters."""
        for event in events:
            if isinstance(event, TextDelta | ThinkingDelta | RefusalDelta):
                text = self._join(_KEYS[type(event)], event.text)
                if text:
                    yield msgspec.structs.replace(event, text=text)
            elif type(event) is CallDelta:
                fragment = self._join(event.index, event.fragment)
                if fragment:
                    yield CallDelta(event.index, fragment)
            elif type(event) is Pinged:
                yield event
            else:
                # Calls stay open until the end, while other blocks end with whatever follows them.
                yield from self._release(calls=type(event) is Ended)
                yield event

    def _join(self, key: int, text: str) -> str:
        text = self._held.pop(key, "") + text
        if is_first_half(text[-1:]):
            self._held[key] = text[-1]
            text = text[:-1]
        return self._mend(text)

    def _mend(self, text: str) -> str:
        mended = mend_text(text)
        if mended.count("\ufffd") > text.count("\ufffd"):
            self._ctx.note_weakened(HALF)
        return mended

    def _release(self, *, calls: bool) -> Iterator[Event]:
        """The halves that no other half can follow any more."""
        for key in [one for one in self._held if one < 0 or calls]:
            text = self._mend(self._held.pop(key))
            if key >= 0:
                yield CallDelta(key, text)
            elif key == _REFUSAL:
                yield RefusalDelta(text)
            else:
                yield TextDelta(text) if key == _TEXT else ThinkingDelta(text)
