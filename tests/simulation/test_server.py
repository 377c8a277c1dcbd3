"""The server of the simulations answers rounds as a real one does."""

import random
import time
from types import SimpleNamespace

import pytest

from router.policy.budget.guard import Halt
from router.policy.budget.reservations import Claim
from router.settings.declaring.shared import parse_address
from router.store.team import round as rounds_module
from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.round import Round, Rounds

from ..store.team.servers import Server
from ..store.team.test_round import ALL_DAY, KEY, TERM
from .server import VirtualServer


class VirtualClient:
    """The calls that rounds make."""

    def __init__(self, server):
        self._server = server

    def execute(self, *words):
        return self._server.execute(*words)

    def run(self, script, keys, values):
        return self._server.run(script.source, keys, values)


@pytest.mark.parametrize("seed", range(6))
def test_rounds_get_the_same_answers(tmp_path, seed, monkeypatch):
    """Claims, spend, halts and lifts of five processes, with flushes, on both servers: every reply is the same."""
    # Both read the parts of all in the same rounds.
    clock = [0.0]
    monkeypatch.setattr(rounds_module, "time", SimpleNamespace(monotonic=lambda: clock[0], time=None))
    with Server(tmp_path) as real:
        client = TeamClient(parse_address(real.url), None, print)
        virtual = VirtualServer(time.time)
        clients, names, dice = (client, VirtualClient(virtual)), KeyNames("team"), random.Random(seed)
        teams = [[Rounds(one, names, f"home{number % 3}") for number in range(5)] for one in clients]
        for pair in zip(*teams, strict=True):
            pair[1].process = pair[0].process
        begun = time.time() - 10
        turns, spent = [0] * 5, [0] * 5
        for _ in range(60):
            number = dice.randrange(5)
            clock[0] += 0.1 * dice.random()
            turns[number] += 1
            spent[number] += dice.choice((0, 0, 7))
            needed = dice.choice((0, 0, 10, 300))
            since = begun - number if dice.random() < 0.8 else 1.0
            claim = Claim(ALL_DAY, TERM, dice.choice((0, 20)), dice.choice((0, 20)), needed, since if needed else 0.0)
            halts = [(turns[number], Halt("all", 1.0, 4e9, "used up", "r", KEY))] if dice.random() < 0.1 else []
            told = Round(
                turns[number],
                {KEY: claim} if dice.random() < 0.9 else {},
                [KEY],
                {KEY: spent[number]},
                {KEY: 40} if dice.random() < 0.2 else {},
                halts,
                turns[number] if dice.random() < 0.05 else 0,
                looks=dice.random() < 0.1,
            )
            replies = [team[number].run(told) for team in teams]
            # Offsets of the clocks differ by a millisecond.
            assert [reply.budgets for reply in replies] == [replies[0].budgets] * 2
            assert [len(reply.halts) for reply in replies] == [len(replies[0].halts)] * 2
            assert [reply.processes for reply in replies] == [replies[0].processes] * 2
            if dice.random() < 0.05:
                real.command("FLUSHALL")
                virtual.flush()
            if dice.random() < 0.1:
                for one in clients:
                    one.execute("HSET", names.name("state"), "at", 1)
        assert [team[0].losses for team in teams] == [teams[0][0].losses] * 2
        client.close()
