"""What a round costs a real server, by how many processes there are and how many budgets it tells of."""

import time
from types import SimpleNamespace

from router.policy.budget.budgets import ALL, Budget, budget_key, find_budget_term
from router.policy.budget.reservations import Claim
from router.settings.declaring.shared import find_zone, parse_address
from router.store.team import round as rounds_module
from router.store.team.client import TeamClient
from router.store.team.keys import KeyNames
from router.store.team.round import Round, Rounds

#: A book of a key is shared by so many processes.
SHARERS = 3
#: Rounds of each process: five seconds.
_PASSES = 13


def measure(server, processes, shared, own):
    """Microseconds of the server for one round, and the bytes of its reply, on average over five seconds in which each
    has one every 0.4 s. shared: budgets that all processes use; own: those of keys, each of which a few use."""
    server.command("FLUSHALL")
    client = TeamClient(parse_address(server.url), None, print, deadline=5.0)
    team = [Rounds(client, KeyNames("load"), f"home{number}") for number in range(processes)]
    claims = [_claim(number, shared, own) for number in range(processes)]
    clock = [0.0]
    rounds_module.time = SimpleNamespace(monotonic=lambda: clock[0], time=None)
    before = (0, 0)
    try:
        # In the first pass they come one after the other; its rounds are not counted.
        for turn in range(1, _PASSES + 2):
            if turn == 2:
                before = _read(client)
            for number, rounds in enumerate(team):
                clock[0] += 0.4 / processes
                spent = dict.fromkeys(claims[number], 10 * turn)
                rounds.run(Round(turn, claims[number], list(spent), spent, {}, [], 0, looks=False))
    finally:
        rounds_module.time = time
    after = _read(client)
    client.close()
    count = processes * _PASSES
    return (after[0] - before[0]) / count, (after[1] - before[1]) / count


def _claim(number, shared, own):
    scopes = [f"tag t{one}" if one else ALL for one in range(shared)]
    scopes += [f"key k{number // SHARERS}-{one}" for one in range(own)]
    found = {}
    for scope in scopes:
        budget = Budget(scope, "day", "tokens", 10**9, zone=find_zone("UTC"))
        term = find_budget_term(budget, time.time())
        found[budget_key(budget, term)] = Claim(budget, term, 100, 100, 50, time.time())
    return found


def _read(client):
    """Microseconds in scripts, and bytes that were sent."""
    micros = client.execute("INFO", "commandstats")["cmdstat_evalsha"]["usec"]
    return micros, client.execute("INFO", "stats")["total_net_output_bytes"]
