"""Work on large bodies: in one thread, outside the limits of the client."""

import threading

import trio

from router.exchange.body.body import THREAD, run_in_thread
from router.net.server.cancel_reason import CancelReason


class Connection:
    def __init__(self):
        self.deadlines = []

    def set_deadline(self, seconds, why):
        self.deadlines.append((seconds, why))


def test_work_in_the_thread():
    """One body at a time, while streams go on; the wait counts for the limit of the whole request alone."""

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
    assert THREAD.total_tokens == 1
