"""The answer to a client that asked for a stream while its upstream has not even sent a head.

Clients give up on a silent connection after five to six minutes, and a local model may take longer for its first token:
so the client gets the head of a stream at the commit point, and pings from then on. What fails later is an error event.
"""

import trio

from router.exchange.attempt import Attempt
from router.exchange.client_response.head import JSON, begin_response, own_headers
from router.exchange.client_response.relay import PING_SECONDS
from router.exchange.request.send import COMMIT_SECONDS
from router.wire.tap import Tap

_EVENTS = (b"Content-Type", b"content-type", b"text/event-stream; charset=utf-8")


class EarlyStream:
    """The stream of one attempt, until its upstream sends a head."""

    __slots__ = ("_attempt", "committed", "wakes_at")

    def __init__(self, attempt: Attempt):
        self._attempt = attempt
        #: True once the client was sent a head.
        self.committed = False
        #: When `tell` is due, on trio's clock.
        self.wakes_at = attempt.context.request.arrived + COMMIT_SECONDS

    async def tell(self) -> None:
        """Send the client the head of a stream, and a ping each time after that."""
        attempt = self._attempt
        connection, call = attempt.context.connection, attempt.context.call
        self.wakes_at = trio.current_time() + PING_SECONDS
        if self.committed:
            await connection.write(attempt.context.frames.frame_data(call.dialect.ping(False)))
            return
        self.committed = True
        # No other attempt may follow, and nothing of the answer need be held for one.
        attempt.movable = False
        if attempt.context.filled_fields is not None:
            from router.exchange.client_response.tool_context import declare_stream

            declare_stream(attempt)
        kind = JSON if call.array else _EVENTS
        await connection.write(begin_response(attempt, 200, [kind, *own_headers(attempt.context, attempt)], b"OK"))

    def make_tap(self) -> Tap:
        """What an error event needs to know of a stream of which nothing came."""
        return Tap(self._attempt.context.call.dialect, self._attempt.target.profile)
