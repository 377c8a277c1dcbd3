"""Work on large bodies: in one thread, outside the limits of the client."""

import threading

import pytest
import trio

from router.exchange.body.body import THREAD_BYTES, THREAD_OBJECTS, is_much, run_in_thread
from router.net.server.cancel_reason import CancelReason
from router.wire.raw.json.structure import find_marks
from router.wire.raw.json.top_level import Top


class Connection:
    def __init__(self):
        self.deadlines = []

    def set_deadline(self, seconds, why):
        self.deadlines.append((seconds, why))


def test_work_in_the_thread():
    """It runs beside the streams; the wait counts for the limit of the whole request alone."""

    async def main():
        connection = Connection()
        here = threading.get_ident()
        there, total = await run_in_thread(
            connection, 70.0, lambda *numbers: (threading.get_ident(), sum(numbers)), 1, 2
        )
        assert there != here
        assert total == 3
        assert connection.deadlines == [(70.0, CancelReason.TOTAL)]

    trio.run(main)


@pytest.mark.parametrize(
    ("body", "much"),
    [
        (b"{" * THREAD_OBJECTS, False),
        (b"{" * (2 * THREAD_OBJECTS + 1), True),
        (b"{" * THREAD_OBJECTS + b"x" * (THREAD_BYTES // 2), False),
        (b"{" * (THREAD_OBJECTS + 1) + b"x" * (THREAD_BYTES // 2), True),
        (b"x" * THREAD_BYTES, False),
        (b"x" * (THREAD_BYTES + 1), True),
    ],
)
def test_many_objects_are_much_work_too(body, much):
    """Not only bytes take time in a translation: a body of many small turns is translated in the thread."""
    known = Top(body, {}, brackets=len(find_marks(body)))
    assert is_much(body, None) is much
    assert is_much(body, known) is much
