"""Who issued an id, over a team, on a real server."""

import time

import pytest

from router.errors import Unavailable
from router.store.home.home import open_home
from router.store.interfaces import Owner
from router.store.shared.sqlite import open_sqlite
from router.store.team.state.owners import AccountNames, TeamResourceOwners

from ...patience import PATIENCE
from .servers import Server
from .teams import connect


class Process:
    """The ids of one process, with a home of its own. aliases: identity of a key -> its name here."""

    def __init__(self, folder, server, aliases):
        self.store = open_sqlite(
            open_home({"FAIRLEAD_HOME": str(folder)}), lambda text: None, price=lambda entry: (None, ""), settings=None
        )
        self.team = connect(server)
        names = {alias: identity for identity, alias in aliases.items()}
        accounts = AccountNames(
            lambda backend, alias: names.get(alias, ""), lambda backend, identity: aliases.get(identity, "")
        )
        parts = (self.team.client, self.team.names, self.team.thread)
        self.owners = TeamResourceOwners(self.store.resource_owners, *parts, accounts)
        self.store.ledger.start()

    def written(self):
        """Wait until the server has what was remembered."""
        ends = time.monotonic() + PATIENCE
        while self.owners._waiting and time.monotonic() < ends:
            time.sleep(0.005)
        assert not self.owners._waiting

    def close(self):
        self.team.thread.close()
        self.team.client.close()
        self.store.ledger.close()


@pytest.fixture
def pair(tmp_path):
    """A server and two processes, whose names for the same account differ."""
    with Server(tmp_path) as server:
        found = [
            Process(tmp_path / name, server, aliases)
            for name, aliases in (("one", {"id1": "work", "id2": "home"}), ("two", {"id1": "job"}))
        ]
        yield server, *found
        for one in found:
            one.close()


def test_an_id_is_found_at_the_other(pair):
    """With the other's own name for the account, the collection and the client key; an account that it does not have
    keeps its name."""
    _, one, two = pair
    one.owners.remember("file-1", "box", "work", "files", "laptop")
    one.owners.remember("file-2", "box", "home", "files")
    one.written()
    found = two.owners.find(["file-0", "file-1"])
    assert (found[0], found[1]._replace(used=0)) == ("file-1", Owner("box", "job", "files", 0, "laptop"))
    all_found = two.owners.find_all(["file-2", "file-0", "file-1"])
    assert {name: owner.account for name, owner in all_found.items()} == {"file-1": "job", "file-2": "home"}
    assert two.owners.find(["file-0"]) is None
    assert two.owners.known(["file-1"]) is None
    two.owners.cache(*found)
    assert two.owners.known(["file-1"]) == found


def test_a_look_up_is_bounded(pair):
    """A server that answers nothing costs a request a fraction of a second, then nothing; the id is not guessed, and
    what this process knows is found as before."""
    server, one, two = pair
    one.owners.remember("file-1", "box", "work", "files")
    one.written()
    assert two.owners.find(["file-1"]) is not None
    assert one.store.ledger.flush(PATIENCE)
    server.freeze()
    for most in (1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.05):
        since = time.monotonic()
        with pytest.raises(Unavailable, match=r"shared\.url"):
            two.owners.find(["file-1"])
        assert time.monotonic() - since < most
    assert one.owners.find(["file-1"])[1].account == "work"
    assert one.owners.find_all(["file-1"]).keys() == {"file-1"}
    server.thaw()


def test_an_id_waits_for_the_server(pair):
    """What was issued while the server was away is written once it is back."""
    server, one, two = pair
    server.kill()
    one.owners.remember("batch-1", "box", "work", "batches")
    ends = time.monotonic() + PATIENCE
    while not one.team.client.breaker.failed and time.monotonic() < ends:
        time.sleep(0.005)
    server.start()
    one.written()
    ends = time.monotonic() + PATIENCE
    found = None
    while found is None and time.monotonic() < ends:
        found = two.owners.find(["batch-1"])
    assert found[1].account == "job"


def test_a_foreign_value_is_no_owner(pair):
    """A value that another version or a stranger wrote is as if it were not there."""
    server, _, two = pair
    server.command("SET", "fl:{team}:own:file-9", "nonsense")
    assert two.owners.find(["file-9"]) is None
