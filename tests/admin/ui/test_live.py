"""The stream to the tabs that watch: one look at the history for all, and an end for who reads nothing."""

from types import SimpleNamespace

import pytest
import trio
from trio.testing import MockClock

from router.admin.ui import live
from router.admin.ui.live import HELD, STALL_SECONDS, TICK_SECONDS, Feed, send_or_close
from router.net.server.cancel_reason import CancelReason

from ...watch.test_request_filter import recorded


class Reader:
    """A connection whose client takes a piece after so many seconds."""

    def __init__(self, seconds):
        self.seconds, self.reasons, self.written = seconds, [], []

    def frame_data(self, data):
        return [data]

    async def write(self, parts):
        await trio.sleep(self.seconds)
        self.written += parts

    def cancel(self, reason):
        self.reasons.append(reason)


def run(function, *arguments):
    return trio.run(function, *arguments, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("seconds", [0, STALL_SECONDS - 1, STALL_SECONDS + 1, 1e6])
def test_who_takes_nothing_is_closed(seconds):
    """A slow reader gets its piece; one that takes nothing for a while loses its connection, at that moment."""
    reader = Reader(seconds)

    async def send():
        began = trio.current_time()
        await send_or_close(reader, b"x")
        return trio.current_time() - began

    passed = run(send)
    assert passed == pytest.approx(min(seconds, STALL_SECONDS))
    assert (reader.written, reader.reasons) == (
        ([b"x"], []) if seconds < STALL_SECONDS else ([], [CancelReason.STALLED])
    )


class Script:
    """In the place of a follower of the history: what each look finds."""

    def __init__(self, *finds):
        self.finds, self.looks, self.begun = [*finds], 0, 0

    def __call__(self, home):
        return self

    def begin(self, count):
        self.begun += 1
        assert count == 0
        return []

    def look(self):
        self.looks += 1
        return [recorded(id=f"req_{self.looks}_{number}") for number in range(self.finds.pop(0) if self.finds else 0)]


@pytest.fixture
def following(monkeypatch):
    def follow(*finds):
        script = Script(*finds)
        monkeypatch.setattr(live, "Follower", script)
        return script

    return follow


def test_one_look_serves_all(following):
    """However many watch, the history is read once in a while, and each gets what it has not seen."""
    script = following(2, 1)

    async def watch():
        feed = Feed(SimpleNamespace(home=None), trio.CapacityLimiter(1))
        await feed.look()
        begun = feed.count
        for _ in range(2):
            await trio.sleep(TICK_SECONDS)
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(feed.look)
        return feed.read_after(begun), feed.read_after(feed.count - 1), feed.read_after(feed.count)

    everything, last, none = run(watch)
    assert [one.request.id for one in everything] == ["req_1_0", "req_1_1", "req_2_0"]
    assert ([one.request.id for one in last], none) == (["req_2_0"], [])
    assert (script.begun, script.looks) == (1, 2)


def test_what_is_not_held_is_said(following):
    """Who has missed more than is held is told to read the list again; memory stays bounded."""
    following(HELD, HELD)

    async def watch():
        feed = Feed(SimpleNamespace(home=None), trio.CapacityLimiter(1))
        await feed.look()
        begun = feed.count
        for _ in range(2):
            await trio.sleep(TICK_SECONDS)
            await feed.look()
        return feed.read_after(begun), feed.read_after(feed.count - HELD), len(feed._held)

    missed, all_held, size = run(watch)
    assert missed is None
    assert len(all_held) == size == HELD


def test_nobody_watched_for_a_while(following):
    """The history is not read on from where it was left, which may be long ago: it is followed anew."""
    script = following(1, 1)

    async def watch():
        feed = Feed(SimpleNamespace(home=None), trio.CapacityLimiter(1))
        await feed.look()
        before = feed.count
        await trio.sleep(3600)
        await feed.look()
        return feed.read_after(before)

    assert run(watch) is None
    assert (script.begun, script.looks) == (2, 0)
