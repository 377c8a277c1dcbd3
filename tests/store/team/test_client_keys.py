"""Client keys over a team, on a real server: who has them, who ends them, and for how long they outlive the server."""

import shutil
import time

import pytest

from router.settings.tables import KeyOptions
from router.store.home.home import open_home
from router.store.keys import client_keys as stored
from router.store.keys.shared_keys import share_key
from router.store.team.state import client_keys as module
from router.store.team.state.client_keys import TeamKeys

from .servers import Server
from .teams import connect, tables_of


class Process:
    """The keys of one process; the test runs what its thread would."""

    def __init__(self, folder, server):
        self.home = open_home({"FAIRLEAD_HOME": str(folder)})
        self.team = connect(server)
        self.tables = tables_of(self.team)
        self.keys = TeamKeys(self.home, self.tables, self.team.thread)
        self.team.thread.submit = lambda job: None
        self.seen = {}

    def tell(self, *, complete=True, **options):
        """Tell the keys of the home, as after a reload."""
        loaded = stored.load(self.home)
        found = {name: share_key(key, options.get(name, KeyOptions())) for name, key in loaded.found.items()}
        self.keys.tell(found, complete=complete, revoked=loaded.revoked)
        self.turn()

    def turn(self):
        """One turn of the thread, and a step of the loop."""
        for work in (self.tables.exchange, self.keys._compare, self.tables.exchange):
            work()
        seen = self.keys.step()
        self.seen = self.seen if seen is None else seen

    def valid(self):
        """The names that are valid here."""
        return {name for name, row in self.seen.items() if not row.revoked}

    def close(self):
        self.team.client.close()


@pytest.fixture
def pair(tmp_path):
    """A server, and two homes."""
    with Server(tmp_path) as server:
        found = [Process(tmp_path / name, server) for name in ("one", "two")]
        yield server, *found
        for one in found:
            one.close()


def test_a_change_is_known_at_the_other(pair):
    """A key, its limits, a new secret with the old one beside it for a while, and its end."""
    _, one, two = pair
    stored.add_key(one.home, "laptop")
    two.tell()
    one.tell(laptop=KeyOptions(models=("fast",), rpm=5))
    two.turn()
    assert two.seen["laptop"].options == KeyOptions(models=("fast",), rpm=5)
    stored.rotate_key(one.home, "laptop", 60.0)
    one.tell()
    two.turn()
    row = two.seen["laptop"]
    assert (row.version, row.options) == (2, KeyOptions())
    assert row.previous is not None
    assert row.sha256 == stored.read_key(one.home, "laptop").sha256
    stored.revoke_key(one.home, "laptop")
    one.tell()
    two.turn()
    assert two.valid() == set()
    assert two.seen["laptop"].revoked


def test_a_key_may_be_made_anew(pair):
    """A name whose key was ended can have a new key, which is not ended."""
    _, one, two = pair
    for _ in range(2):
        stored.add_key(one.home, "laptop")
        one.tell()
        two.tell()
        assert two.valid() == {"laptop"}
        stored.revoke_key(one.home, "laptop")
        one.tell()
        two.turn()
        assert two.valid() == set()


def test_another_home_ends_a_key(pair):
    """A mark of another home ends the key; its own home removes the file."""
    _, one, two = pair
    assert not stored.mark_revoked(two.home, "laptop")
    stored.add_key(one.home, "laptop")
    one.tell()
    two.tell()
    assert stored.mark_revoked(two.home, "laptop")
    two.tell()
    one.turn()
    assert stored.read_key(one.home, "laptop") is None
    two.tell()
    two.turn()
    assert stored.load(two.home).revoked == ()
    assert not stored.mark_revoked(two.home, "laptop")


def test_what_cannot_be_read_is_not_ended(pair):
    """A file that is broken for a moment, or a process of the same home that has not read a new key yet, ends none."""
    _, one, two = pair
    stored.add_key(one.home, "laptop")
    one.tell()
    one.keys.tell({}, complete=False)
    one.turn()
    one.keys.tell({}, complete=True)
    one.turn()
    two.tell()
    assert two.valid() == {"laptop"}


def test_a_copied_home_ends_nothing(pair, tmp_path):
    """A home that was copied to another place, and lost a key there, is another home."""
    server, one, two = pair
    stored.add_key(one.home, "laptop")
    one.tell()
    one.turn()
    shutil.copytree(one.home.path, tmp_path / "copy")
    copy = Process(tmp_path / "copy", server)
    stored.revoke_key(copy.home, "laptop")
    copy.tell()
    copy.turn()
    two.tell()
    assert two.valid() == {"laptop"}
    copy.close()


def test_an_end_outlives_a_server_that_lost_its_data(pair, tmp_path):
    """A home that begins after the flush writes again that a key was ended, and no older row comes back."""
    server, one, two = pair
    stored.add_key(one.home, "laptop")
    one.tell()
    two.tell()
    stored.revoke_key(one.home, "laptop")
    one.tell()
    server.command("FLUSHALL")
    late = Process(one.home.path, server)
    late.tell()
    two.turn()
    late.turn()
    two.turn()
    assert two.seen["laptop"].revoked
    late.close()


def test_a_copy_is_valid_for_ten_minutes(pair, monkeypatch):
    """Without the server the keys of other homes are refused after ten minutes; what was ended stays so; then they are
    back with it."""
    _, one, two = pair
    stored.add_key(one.home, "laptop")
    stored.add_key(one.home, "lost")
    one.tell()
    stored.revoke_key(one.home, "lost")
    one.tell()
    two.tell()
    assert two.valid() == {"laptop"}
    now = time.monotonic()
    monkeypatch.setattr(module.time, "monotonic", lambda: now + module.STALE_SECONDS - 1)
    assert two.keys.step() is None
    monkeypatch.setattr(module.time, "monotonic", lambda: now + module.STALE_SECONDS + 1)
    assert set(two.keys.step()) == {"lost"}
    assert two.keys.step() is None
    two.tables.answered = now + module.STALE_SECONDS
    assert set(two.keys.step()) == {"laptop", "lost"}
