"""The table of client connections: who gets a place, who gives one up, and what choosing costs."""

import gc
import random
import time

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from router.errors import Unavailable
from router.net.server.connection_table import ConnectionTable, Place

from ...growth import seconds_grow_evenly


class Crowd:
    """Connections of one table; an evicted one ends at once."""

    def __init__(self, limit=10, **options):
        self.table = ConnectionTable(limit, **options)
        self.evicted = []

    async def come(self, name):
        """A connection that is accepted."""
        await self.table.acquire()
        place = Place(self.table, lambda: self.leave(name, place, evicted=True))
        return place

    def leave(self, name, place, *, evicted=False):
        """It ends."""
        if evicted:
            self.evicted.append(name)
        place.leave()
        self.table.release()


def test_the_oldest_weak_connection_goes_first(net):
    """Never one with an authenticated request; one whose request has ended is as new as its end."""

    async def main():
        crowd = Crowd(6, strong=2, door=1)
        first = await crowd.come("first")
        second = await crowd.come("second")
        second.authenticate()
        first.authenticate()
        first.end_request()
        for number in range(4):
            await crowd.come(number)
        assert crowd.evicted == ["first"]
        for number in range(4, 8):
            await crowd.come(number)
        assert crowd.evicted == ["first", 0, 1, 2, 3]
        second.end_request()
        for number in range(8, 13):
            await crowd.come(number)
        assert "second" in crowd.evicted

    net.run(main)


def test_some_places_are_for_authenticated_requests(net):
    """Weak connections never fill the table: an authenticated one beside them keeps its place."""

    async def main():
        crowd = Crowd(10, strong=4, door=1)
        for number in range(100):
            await crowd.come(number)
        assert len(crowd.evicted) == 100 - 6
        for number in range(100, 104):
            (await crowd.come(number)).authenticate()
        assert not {*range(100, 104)} & {*crowd.evicted}

    net.run(main)


def test_an_operator_always_gets_a_place(net):
    """Clients' requests leave places for those who say who they are: one too many is told so, an operator is served."""

    async def main():
        crowd = Crowd(10, strong=4, door=2)
        for number in range(8):
            (await crowd.come(number)).authenticate()
        client, operator = await crowd.come("client"), await crowd.come("operator")
        with pytest.raises(Unavailable) as caught:
            client.authenticate()
        assert caught.value.retry_after == 1
        operator.authenticate(operator=True)
        last = await crowd.come("last")
        assert crowd.evicted == ["client"]
        last.authenticate(operator=True)

    net.run(main)


def test_who_finds_only_strong_connections_waits(net):
    """Until one ends or becomes weak; a wait that is cancelled leaves nothing behind."""

    async def main():
        crowd = Crowd(2, strong=0, door=0)
        places = [await crowd.come(number) for number in range(2)]
        for place in places:
            place.authenticate()
        with trio.move_on_after(5):
            await crowd.come("late")
            raise AssertionError("got a place")
        came = []
        async with trio.open_nursery() as nursery:

            async def come():
                came.append(await crowd.come("next"))

            nursery.start_soon(come)
            await wait_all_tasks_blocked()
            assert came == []
            places[0].end_request()
            await wait_all_tasks_blocked()
            assert crowd.evicted == [0]
            assert len(came) == 1

    net.run(main)


def test_the_table_counts_right_whatever_happens(net):
    """Random comings, requests and ends: no more places than there are, kept ones kept, and all free at the end."""

    async def main():
        for seed in range(60):
            chance = random.Random(seed)
            crowd = Crowd(8, strong=3, door=2)
            here, strong = {}, set()
            for number in range(200):
                step = chance.randrange(4)
                gone = {*crowd.evicted}
                assert not gone & strong
                here = {name: place for name, place in here.items() if name not in gone}
                if step == 0 or not here:
                    with trio.move_on_after(0):
                        here[number] = await crowd.come(number)
                    continue
                name = chance.choice([*here])
                if step == 1:
                    try:
                        here[name].authenticate(operator=chance.random() < 0.2)
                        strong.add(name)
                    except Unavailable:
                        assert name not in strong
                elif step == 2:
                    here[name].end_request()
                    strong.discard(name)
                else:
                    crowd.leave(name, here.pop(name))
                    strong.discard(name)
                assert len({*here} - {*crowd.evicted}) <= 8
                assert len({*here} - {*crowd.evicted} - strong) <= 8
            for name, place in here.items():
                if name not in crowd.evicted:
                    crowd.leave(name, place)
            assert (crowd.table._taken, crowd.table._strong, len(crowd.table._weak)) == (0, 0, 0)

    net.run(main)


def test_choosing_costs_the_same_in_a_crowd(net):
    """Twice the connections that come and are evicted take less than three times the time."""

    def measure(count):
        async def main():
            crowd = Crowd(count, strong=0, door=0)
            begun = time.thread_time()
            for number in range(3 * count):
                place = await crowd.come(number)
                place.authenticate()
                place.end_request()
            return time.thread_time() - begun

        gc.disable()  # what a collection costs is not the table's
        try:
            return net.run(main)
        finally:
            gc.enable()

    seconds_grow_evenly(measure, 2000)
