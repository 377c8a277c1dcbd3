"""One of several equal requests leads, and what follows for the others when it ends."""

from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from router.exchange.answer_cache.flights import Flights
from router.exchange.answer_cache.request import CachedRequest
from router.net.server.cancel_reason import CancelReason
from router.telemetry.accesslog import EQUAL, RequestRecord


def test_one_leads():
    """The first; once it has ended, the next; other keys are no matter of theirs."""
    flights = Flights()
    assert flights.join(b"1") is None
    assert flights.join(b"2") is None
    flight = flights.join(b"1")
    assert flight is flights.join(b"1") is not None
    flights.end(b"1", "kept")
    assert (flight.ended.is_set(), flight.ending) == (True, "kept")
    flights.end(b"1", "failed")  # without effect
    assert flight.ending == "kept"
    assert flights.join(b"1") is None


class Connection:
    """Notes the deadline that it is given."""

    observer = None
    deadline = None

    def set_deadline(self, seconds, reason):
        self.deadline = seconds, reason


def waiting_request(flights, *, total=600.0, arrived=0.0):
    """A request that is about to wait for another one, as far as waiting needs it."""
    context = SimpleNamespace(
        record=RequestRecord("req_1", 0.0, "POST", "/"),
        connection=Connection(),
        request=SimpleNamespace(arrived=arrived),
        snapshot=SimpleNamespace(settings=SimpleNamespace(timeouts_total=total)),
        elapsed=lambda: trio.current_time() - arrived,
    )
    found = object.__new__(CachedRequest)
    found._context = context
    return found


@pytest.mark.parametrize(("total", "waits"), [(600.0, 120.0), (100.0, 50.0)])
def test_a_wait_ends(total, waits):
    """After two minutes, or half of the time that the request has; its own deadline runs on meanwhile."""

    async def main():
        flights = Flights()
        flights.join(b"1")
        request = waiting_request(flights, total=total, arrived=trio.current_time())
        begun = trio.current_time()
        assert await request._wait(flights.join(b"1")) is False
        assert trio.current_time() - begun == waits
        assert request._context.connection.deadline == (total, CancelReason.TOTAL)
        assert (request._context.record.waits, request._context.record.queued) == ("", waits)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_wait_is_told_and_cut():
    """While it waits the record says for what; cancelled by its own connection it waits no more."""

    async def main():
        flights = Flights()
        flights.join(b"1")
        request = waiting_request(flights, arrived=trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request._wait, flights.join(b"1"))
            await wait_all_tasks_blocked()
            assert request._context.record.waits == EQUAL
            nursery.cancel_scope.cancel()
        assert request._context.record.waits == ""

    trio.run(main)


def test_a_wait_that_is_over():
    """It goes on as soon as the other one has ended."""

    async def main():
        flights = Flights()
        flights.join(b"1")
        request, flight = waiting_request(flights, arrived=trio.current_time()), flights.join(b"1")
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def wait():
                assert await request._wait(flight) is True

            await trio.sleep(3)
            flights.end(b"1", "failed")
        assert request._context.record.queued == 3

    trio.run(main, clock=MockClock(autojump_threshold=0))
