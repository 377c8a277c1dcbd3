"""An upstream that answers as another one did: with the bytes of recorded answers, as they came, and cut where they
were."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import trio

from router.demo.listening import serve_on_loopback
from router.demo.refusals import openai_shape
from router.errors import NotFound, RouterError
from router.net.headers import RawHeaders
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request

_BODY_LIMIT = 64 << 20
# Seconds. Some systems discard unread data when a reset arrives; the wait lets the peer read the events before it.
_BEFORE_CUT = 0.02

_log = logging.getLogger(__name__)


class RecordedAnswer(NamedTuple):
    """An answer as it came. Times are seconds."""

    #: 0 where no head came.
    status: int
    headers: RawHeaders
    #: From the request to the head.
    delay: float
    #: Each with the time since the one before, the head for the first.
    pieces: Sequence[tuple[float, bytes]]
    #: The connection was closed in place of the end.
    cut: bool = False
    #: Nothing more came while the exchange lasted.
    hangs: bool = False


class Recording(NamedTuple):
    """The answers of one upstream, in their order; after the last they begin anew."""

    models: Sequence[str]
    answers: Sequence[RecordedAnswer]


class RecordedUpstream:
    """Serves recordings, each under its name: that of `a` has the base URL `…/a/v1`. pace: what waits are multiplied
    with; 0 sends as fast as it is read."""

    def __init__(self, recordings: Mapping[str, Recording], *, pace: float = 1.0):
        self._recordings = recordings
        #: As above; it may change.
        self.pace = pace
        self._next = dict.fromkeys(recordings, 0)

    async def serve(self, *, task_status: trio.TaskStatus[str]) -> None:
        """As `serve_on_loopback`."""
        await serve_on_loopback(self, task_status=task_status)

    async def __call__(self, connection: Connection, request: Request) -> None:
        """Answer one request."""
        name, _, path = request.path.removeprefix("/").partition("/")
        recording = self._recordings.get(name)
        if recording is None or (request.method == "GET" and path != "v1/models"):
            await _refuse(connection, NotFound("The recordings have no such path."))
        elif request.method == "GET":
            await _respond_with_models(connection, recording.models)
        elif not recording.answers:
            await _refuse(connection, NotFound("No answer of an upstream was recorded for this request."))
        else:
            await connection.read_body(_BODY_LIMIT, _hold_nothing)
            connection.set_deadline(math.inf, CancelReason.TOTAL)
            number = self._next[name]
            self._next[name] = (number + 1) % len(recording.answers)
            await self._answer(connection, recording.answers[number])

    async def _answer(self, connection: Connection, answer: RecordedAnswer) -> None:
        await trio.sleep(answer.delay * self.pace)
        if answer.status:
            await connection.write(connection.frame_head(answer.status, answer.headers))
            for wait, piece in answer.pieces:
                # Also without a wait, so that a peer reads the pieces one by one.
                await trio.sleep(wait * self.pace)
                await connection.write(connection.frame_data(piece))
        if answer.hangs and not connection.client_gone:
            await trio.sleep_forever()
        if answer.cut or answer.hangs or not answer.status:
            await trio.sleep(_BEFORE_CUT)
            connection.abort()
        else:
            await connection.write(connection.frame_end())

    def format_refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """The answer to a request that could not be read."""
        return [(b"content-type", b"application/json")], openai_shape(error)[1]

    def report_crash(self, error: Exception) -> None:
        """Log a defect of the upstream."""
        _log.error("The recorded upstream failed.", exc_info=error)


async def _respond_with_models(connection: Connection, models: Sequence[str]) -> None:
    data = [{"id": name, "object": "model", "type": "model"} for name in models]
    body = msgspec.json.encode({"object": "list", "data": data, "has_more": False})
    await connection.respond(200, [(b"content-type", b"application/json")], body)


async def _refuse(connection: Connection, error: RouterError) -> None:
    status, body = openai_shape(error)
    await connection.respond(status, [(b"content-type", b"application/json")], body)


def _hold_nothing(_: int) -> None:
    """Reserve nothing: the upstream has no memory bound."""
