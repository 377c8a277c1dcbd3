"""Encodes the summary of a conversation as one sealed item.

The events are those of neutral/summary.py: one text, in front of the end, and reasoning without words in front of that.
"""

import msgspec

from router.ir import BlockEnded, Ended, Event, Pinged, TextDelta, ThinkingDelta
from router.wire.neutral.context import Context
from router.wire.responses import usage as responses_usage
from router.wire.responses.encode_stream import ResponsesEncoder
from router.wire.responses.input import compaction


def make_encoder(ctx: Context, *, silent: bool = False) -> ResponsesEncoder:
    """The encoder for the answer to a request. silent: the events are not asked for, only `response` is."""
    return CompactionEncoder(ctx, silent=silent) if ctx.compaction else ResponsesEncoder(ctx, silent=silent)


class CompactionEncoder(ResponsesEncoder):
    """The state of one stream, or of the one answer of the endpoint for compactions."""

    def encode(self, event: Event) -> bytes:
        """The bytes that one event adds."""
        if type(event) is TextDelta:
            return self._write_summary(event.text)
        if type(event) is ThinkingDelta:
            return super().encode(Pinged())
        if type(event) is BlockEnded:
            return b""
        out = super().encode(event)
        if type(event) is Ended and self._ctx.compaction == "object":
            self.response = self._encode_object(event)
        return out

    def _write_summary(self, text: str) -> bytes:
        begun = self._begin()
        item = compaction.make_item(text, self._ctx)
        at = len(self._output)
        self._output.append(item)
        added = self._events.event("response.output_item.added", output_index=at, item=item)
        return begun + added + self._events.event("response.output_item.done", output_index=at, item=item)

    def _encode_object(self, event: Ended) -> bytes:
        """The answer of the endpoint: the user's messages, and the item behind them."""
        return msgspec.json.encode(
            {
                "id": self._response_object.id,
                "object": "response.compaction",
                "created_at": self._ctx.now,
                "output": [*self._ctx.user_messages, *self._output],
                "usage": responses_usage.encode_usage(event.usage),
            }
        )
