"""Client keys over a team, on a real server: who has them, who ends them, and for how long they outlive the server."""

import os
import shutil
import time

import pytest

from router.errors import CommandError
from router.policy.grants.key_form import digest_key
from router.settings.tables import KeyOptions
from router.store.config import client_keys as commands
from router.store.config import toml
from router.store.home.home import open_home
from router.store.keys import client_keys as stored
from router.store.keys import shared_copy
from router.store.keys.shared_keys import share_key
from router.store.team.state import client_keys as module
from router.store.team.state.client_keys import TeamKeys
from router.upstream.client_keys.shared import add_shared
from router.upstream.client_keys.table import build_table

from .servers import Server
from .teams import connect, tables_of


@pytest.fixture(autouse=True)
def joined(monkeypatch):
    """Commands find that the homes are of a team."""
    monkeypatch.setenv("FAIRLEAD_SHARED_URL", "redis://127.0.0.1")


class Process:
    """The keys of one process; the test runs what its thread would."""

    def __init__(self, folder, server):
        self.home = open_home({"FAIRLEAD_HOME": str(folder)})
        self.team = connect(server)
        self.tables = tables_of(self.team)
        self.said = []
        self.keys = TeamKeys(self.home, self.tables, self.team.thread, self.said.append)
        self.team.thread.submit = lambda job: None
        self.seen = {}

    def tell(self, *, complete=True, **options):
        """Tell the keys of the home, as after a reload."""
        loaded = stored.load(self.home)
        limits = {**toml.load(self.home, {}).settings.keys, **options}
        found = {name: share_key(key, limits.get(name, KeyOptions())) for name, key in loaded.found.items()}
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

    def has(self, name="laptop"):
        """What the home has of a key."""
        return stored.read_key(self.home, name)

    def accepts(self, secret):
        """What a proxy of this home lets a key do, None for one that it refuses."""
        loaded = stored.load(self.home)
        own = build_table(loaded, toml.load(self.home, {}).settings)
        return add_shared(own, self.seen).digests.get(digest_key(secret.reveal().encode()))

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
    with pytest.raises(CommandError, match="there is no key laptop"):
        commands.revoke(two.home, "laptop")
    stored.add_key(one.home, "laptop")
    one.tell()
    two.tell()
    commands.revoke(two.home, "laptop")
    assert stored.load(two.home).revoked == ("laptop",)
    two.tell()
    one.turn()
    assert stored.read_key(one.home, "laptop") is None
    two.tell()
    two.turn()
    assert stored.load(two.home).revoked == ()
    with pytest.raises(CommandError, match="there is no key laptop"):
        commands.revoke(two.home, "laptop")


def test_a_home_that_left_its_team_has_its_own_keys_alone(pair, monkeypatch):
    """Without shared.url no command finds a key of another home, and the name of one is free again."""
    _, one, two = pair
    shared_key(one, two)
    monkeypatch.delenv("FAIRLEAD_SHARED_URL")
    for change in (
        lambda: commands.change(two.home, "laptop", {"rpm": 7}),
        lambda: commands.rotate(two.home, "laptop", 0.0),
        lambda: commands.revoke(two.home, "laptop"),
    ):
        with pytest.raises(CommandError, match="there is no key laptop"):
            change()
    assert stored.load(two.home).revoked == ()
    assert commands.read_team(two.home).rows == {}
    commands.add(two.home, "laptop", {})
    commands.change(two.home, "laptop", {"rpm": 7})
    assert (two.has().version, two.has().identity != one.has().identity) == (1, True)


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


def shared_key(one, two, **options):
    """A key of the first home that the second knows."""
    secret = commands.add(one.home, "laptop", options)
    one.tell()
    two.tell()
    return secret


def test_another_home_changes_a_key(pair):
    """A key is changed at a home that does not have it: it keeps its secret and its other limits, is that home's from
    then on, and the former home gives its file up and goes by the new limits."""
    _, one, two = pair
    secret = shared_key(one, two, models=["fast"], rpm=5)
    commands.change(two.home, "laptop", {"rpm": 7})
    assert toml.load(two.home, {}).settings.keys["laptop"] == KeyOptions(models=("fast",), rpm=7)
    two.tell()
    one.turn()
    assert one.accepts(secret).rpm == two.accepts(secret).rpm == 7
    assert (one.has(), two.has().version) == (None, 2)
    assert one.said == ["keys: laptop was changed at another proxy of the team, which has it from now on."]
    one.tell()
    two.turn()
    assert one.accepts(secret).rpm == 7
    commands.change(one.home, "laptop", {"rpm": None})
    one.tell()
    two.turn()
    assert (two.has(), two.accepts(secret).rpm, two.accepts(secret).models) == (None, None, ("fast",))


@pytest.mark.parametrize("grace", [0.0, 60.0])
def test_another_home_replaces_a_secret(pair, grace):
    """A secret that is replaced at a home that does not have the key is refused at all, and by the former home even
    when that was away meanwhile and the key has been replaced once more; with a grace the last one is still valid."""
    server, one, two = pair
    three = Process(one.home.path.parent / "three", server)
    first = shared_key(one, two)
    three.tell()
    second = commands.rotate(two.home, "laptop", grace)
    two.tell()
    three.turn()
    third = commands.rotate(three.home, "laptop", grace)
    three.tell()
    for process in (two, one):
        process.turn()
    for process in (one, two, three):
        accepted = [process.accepts(secret) is not None for secret in (first, second, third)]
        assert accepted == [False, grace > 0, True]
    assert (one.has(), two.has()) == (None, None)
    three.close()


@pytest.mark.parametrize("more", [0, 1])
def test_a_change_of_an_older_state_is_given_up(pair, more):
    """What a home changed without knowing that the secret was replaced brings the old secret back nowhere."""
    _, one, two = pair
    first = shared_key(one, two)
    commands.change(two.home, "laptop", {"rpm": 7})
    second = commands.rotate(one.home, "laptop", 0.0)
    last = second
    for _ in range(more):
        one.tell()
        last = commands.rotate(one.home, "laptop", 0.0)
    one.tell()
    two.tell()
    assert "changed at another proxy" in two.said[0]
    for process in (one, two):
        accepted = [process.accepts(secret) is not None for secret in (first, second, last)]
        assert accepted == [False, not more, True]


def test_an_end_counts_more_than_a_change(pair):
    """A key that was ended while another home changed it stays ended."""
    _, one, two = pair
    secret = shared_key(one, two)
    changed = commands.rotate(two.home, "laptop", 60.0)
    commands.revoke(one.home, "laptop")
    one.tell()
    two.tell()
    one.turn()
    assert one.accepts(secret) is two.accepts(secret) is two.accepts(changed) is two.has() is None


def test_a_name_of_another_home_is_taken(pair):
    """A key is not added under a name that another home of the team has; two that were made before they knew of each
    other are valid at their own homes alone, and the log says so."""
    _, one, two = pair
    shared_key(one, two)
    with pytest.raises(CommandError, match="another home of the team has a key laptop already"):
        commands.add(two.home, "laptop", {})
    other = stored.add_key(two.home, "laptop")
    two.tell()
    one.turn()
    assert two.accepts(other) is not None
    assert one.accepts(other) is None
    assert two.said == ["keys: laptop is a key of another home of the team too; that of this home is valid here alone."]


def test_a_table_without_its_key_is_no_problem_where_all_have_it(pair):
    """Replicas read one configuration: that one of them has the key is no problem of the others, unless the table says
    something else than that one's."""
    _, one, two = pair
    commands.add(one.home, "laptop", {"rpm": 5})
    toml.change(two.home, [toml.Change(("keys", "laptop", "rpm"), 5)])
    one.tell()
    two.tell()

    def problems():
        loaded = stored.load(two.home)
        settings = toml.load(two.home, os.environ).settings
        return build_table(loaded, settings, shared_copy.read_team(two.home, settings).list_elsewhere()).problems

    assert problems() == ()
    toml.change(two.home, [toml.Change(("keys", "laptop", "rpm"), 6)])
    (problem,) = problems()
    assert "has no effect: another home of the team has that key" in problem
    before = two.home.read("config.toml")
    toml.change(two.home, [toml.Change(("keys", "laptop", "rpm"), 5)])
    commands.rotate(two.home, "laptop", 0.0)
    assert two.home.read("config.toml") == before.replace(b"6", b"5")
