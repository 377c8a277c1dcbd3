"""Stored answers over a team: sealed, bounded, and deleted for all."""

import time

import pytest

from router.store.home.home import open_home
from router.store.shared.sqlite import open_sqlite
from router.store.team.state import responses as module
from router.store.team.state.responses import TeamStoredEntries

from ...patience import PATIENCE
from .servers import Server
from .teams import connect, tables_of


class Process:
    """The stored answers of one process, with a home of its own."""

    def __init__(self, folder, server):
        self.team = connect(server)
        self.tables = tables_of(self.team)
        self.entries = TeamStoredEntries(
            self.team.client, self.team.names, self.team.secret, self.team.thread, self.tables
        )
        home = open_home({"FAIRLEAD_HOME": str(folder)})
        store = open_sqlite(
            home, lambda text: None, price=lambda entry: (None, ""), settings=None, entries=self.entries
        )
        self.ledger, self.answers = store.ledger, store.stored_responses
        self.ledger.start()

    def written(self):
        """Wait until nothing waits for the server."""
        wait(lambda: not self.entries._waiting)

    def close(self):
        self.team.thread.close()
        self.team.client.close()
        self.ledger.close()


def wait(condition):
    """Wait until the condition holds: the thread tells nobody when it has done its work."""
    ends = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < ends:
        time.sleep(0.005)
    assert condition()


@pytest.fixture
def pair(tmp_path):
    """A server and two processes."""
    with Server(tmp_path) as server:
        found = [Process(tmp_path / name, server) for name in ("one", "two")]
        yield server, *found
        for one in found:
            one.close()


def test_an_answer_is_continued_and_deleted_elsewhere(pair):
    """Chains and items are found at the other; a deletion there is one here, in memory and on disk; a key's answers
    stay its own."""
    _, one, two = pair
    one.answers.store("resp_1", "", [{"id": "item_1", "text": "first"}], 50, {"key": "laptop"})
    one.answers.store("resp_2", "resp_1", [{"id": "item_2", "text": "second"}], 50, {"key": "laptop"})
    one.written()
    assert two.answers.find(["resp_2"]) == {}
    found = two.answers.find(["resp_2", "item_1"], "laptop")
    assert [found[name]["items"][0]["text"] for name in ("resp_1", "resp_2")] == ["first", "second"]
    assert found["item_1"]["text"] == "first"
    two.answers.delete("resp_1")
    two.written()
    wait(lambda: one.answers.read("resp_1") == {})
    assert one.answers.find(["resp_2"], "laptop").keys() == {"resp_2"}
    assert two.answers.read("resp_3") is None


def test_the_server_has_a_bounded_number_of_sealed_values(pair, monkeypatch):
    """The oldest go once there are too many bytes or rows; names and texts are not to be read."""
    server, one, two = pair
    monkeypatch.setattr(module, "MAX_BYTES", 3000)
    for at in range(40):
        one.answers.store(f"resp_{at}", "", [{"text": f"canary {at}"}], 50)
        one.written()
    kept = one.team.client.execute("HGETALL", "fl:{team}:keep")
    sizes = sum(len(value) for value in kept.values())
    assert 2000 < sizes <= 3000
    assert int(one.team.client.execute("GET", "fl:{team}:keep:size")) == sizes
    assert server.command("ZCARD", "fl:{team}:keep:order") == f":{len(kept)}"
    assert b"canary" not in b"".join([*kept, *kept.values()])
    assert two.answers.read("resp_39")["items"] == [{"text": "canary 39"}]
    assert two.answers.read("resp_0") is None
    monkeypatch.setattr(module, "MAX_ROWS", 4)
    one.answers.store("resp_x", "", [], 50)
    one.written()
    assert server.command("HLEN", "fl:{team}:keep") == ":4"


def test_a_server_that_is_away_loses_the_oldest(pair, monkeypatch):
    """What waits is bounded; what this process gave itself is found as before."""
    server, one, _ = pair
    server.kill()
    monkeypatch.setattr(module, "_WAITING_BYTES", 5000)
    for at in range(100):
        one.answers.store(f"resp_{at}", "", [{"text": "x"}], 300)
    assert len(one.entries._waiting) <= 10
    assert one.answers.find(["resp_0"])["resp_0"]["items"] == [{"text": "x"}]
    assert one.answers.find(["resp_unknown"]) == {}
    server.start()
    one.written()
    assert int(server.command("HLEN", "fl:{team}:keep").lstrip(":")) >= 1


def test_a_value_of_a_stranger_is_none(pair):
    """What was not sealed by this team, or under another name, is as if it were not there."""
    server, one, two = pair
    one.answers.store("resp_1", "", [], 50)
    one.written()
    [(field, value)] = one.team.client.execute("HGETALL", "fl:{team}:keep").items()
    other = one.team.secret.identify("kept", "resp_2")
    two.team.client.execute("HSET", "fl:{team}:keep", other, value)
    assert two.answers.read("resp_2") is None
    server.command("HSET", "fl:{team}:keep", field.decode(), "nonsense")
    assert two.answers.read("resp_1") is None
