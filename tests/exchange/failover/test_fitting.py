"""Which models a large request is kept away from, and what is asked before it is refused."""

import dataclasses
import re
import time

import pytest
import trio
from trio.testing import MockClock

from router.policy.facts.book import FactBook
from router.policy.facts.listed import Allocated, BackendFacts
from router.upstream.catalogs import ALLOCATED_SECONDS

from ..playbook import play
from ..worlds import CHAT, box, chat, good

LONG = {"messages": [{"role": "user", "content": "All work and no play makes Jack a dull boy. " * 2000}]}


@pytest.fixture
def world(made):
    """A local server that has told in an error that it takes 8,192 tokens."""
    world = made(box("box", "a0"))
    world.learned_limits.learn("box", "m", window=8192, max_input=None)
    return world


def allocate(world, window, at):
    """Have the server say what it has allocated. at: seconds since 1970."""
    said = BackendFacts(allocated={"m": Allocated(window, at, "2026-11-29")}, asks_server=True)
    facts = FactBook(world.snapshot.table.named, {}, {"box": said}, world.learned_limits)
    world.snapshot = dataclasses.replace(world.snapshot, facts=facts)


@pytest.mark.parametrize(("now", "status"), [(131_072, 200), (8192, 400)], ids=["more", "as before"])
def test_a_server_is_asked_again_before_an_error_s_limit_refuses(world, monkeypatch, now, status):
    """One that was started anew with a larger context serves the request; else the request is refused unsent."""
    asked = []

    async def read_again(name, seconds):
        asked.append(name)
        allocate(world, now, time.time())

    monkeypatch.setattr(world.catalogs, "read_again", read_again)
    allocate(world, 8192, time.time() - ALLOCATED_SECONDS - 1)

    async def main():
        played = await play(world, CHAT, chat(**LONG), *([good()] if status == 200 else []))
        assert (played.status, asked) == (status, ["box"])
        assert any("POST" in line for line in played.story) is (status == 200)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_limit_that_was_allocated_since_is_not_asked_for(world, monkeypatch):
    """What the server said a moment ago counts, and replaces the error's smaller limit."""
    allocate(world, 131_072, time.time() + 1)

    async def read_again(name, seconds):
        raise AssertionError(name)

    monkeypatch.setattr(world.catalogs, "read_again", read_again)

    async def main():
        played = await play(world, CHAT, chat(**LONG), good())
        assert played.status == 200

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_the_error_has_the_estimate(world):
    """Not the least that the request can have, by which a client would shorten it too little."""

    async def main():
        played = await play(world, CHAT, chat(**LONG))
        found = re.search(r"maximum context length is 8192 tokens.* (\d+) tokens", played.json()["error"]["message"])
        assert found is not None, played.json()
        bytes_of_text = len(LONG["messages"][0]["content"])
        assert bytes_of_text / 5 < int(found[1]) < bytes_of_text / 4

    trio.run(main, clock=MockClock(autojump_threshold=0))
