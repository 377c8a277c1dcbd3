"""Limits a minute over a team, on a real server: what others count, and what workers of one port leave to portions."""

import pytest

from router.policy.accounts.rate_limit import RateLimit, RateSettings
from router.store.team.state.rates import SharedRates

from .servers import Server
from .teams import connect, tables_of

NOW = 1000.0


class Process:
    """The limit of one process; the test runs what its thread would."""

    def __init__(self, server, port=""):
        self.team = connect(server)
        self.team.thread.submit = lambda job: None
        self.tables = tables_of(self.team)
        self.rates = SharedRates(self.tables)
        if port:
            self.rates.join_port(port)
        self.limit = RateLimit(RateSettings(rpm=12))
        self.rates.add(lambda: {"account box/main": self.limit})
        self.turn()

    def turn(self):
        """One step, with an exchange before and after it."""
        self.tables.exchange()
        self.rates.step(NOW)
        self.tables.exchange()

    @property
    def used(self):
        """What counts in the limit."""
        return self.limit.used(NOW)["rpm"][0]


@pytest.fixture
def server(tmp_path):
    """A server."""
    with Server(tmp_path) as server:
        yield server


def test_workers_of_one_port_count_what_other_ports_sent(server):
    """What a worker sends is counted by the workers of another port, and not by the one that has portions with it; the
    port's name is whole."""
    ports = ("aa", "aa", "aab", "")
    processes = [Process(server, port) for port in ports]
    try:
        for _ in range(5):
            processes[0].limit.count_request(NOW, 0)
        for one in processes:
            one.turn()
        assert [one.used for one in processes] == [5, 0, 5, 5]
        processes[3].limit.count_request(NOW, 0)
        for one in reversed(processes):
            one.turn()
        assert [one.used for one in processes] == [6, 1, 6, 6]
        assert [one.limit.used_elsewhere(NOW).get("rpm", 0) for one in processes] == [1, 1, 6, 5]
    finally:
        for one in processes:
            one.team.client.close()
