"""Which key a request carries, and keys for processes."""

import pytest
import trio
from trio.testing import MockClock

from router.errors import BadRequest, Conflict, NotFound, Unavailable
from router.policy.grants.grant import Grant
from router.policy.grants.key_form import digest_key
from router.settings import Settings
from router.settings.kinds import Frozen
from router.settings.tables import KeyOptions
from router.store.keys.client_keys import LoadedKeys, Previous, StoredKey, generate
from router.upstream.client_keys import registry as rooms
from router.upstream.client_keys.registry import ClientKeys
from router.upstream.client_keys.table import build_table

from ...growth import grows_evenly


class World:
    """A clock and processes that a test moves."""

    def __init__(self):
        self.now, self.alive = 1000.0, {7: "then", 8: "then"}
        self.keys = ClientKeys(clock=lambda: self.now, is_same=lambda pid, born: self.alive.get(pid) == born)

    def apply(self, secrets, **options):
        """Use these keys: name -> key, or (key, the one before it, until when that is valid)."""
        files = {}
        for name, entry in secrets.items():
            key, old, until = entry if isinstance(entry, tuple) else (entry, None, 0.0)
            previous = None if old is None else Previous(digest_key(old).hex(), until)
            files[name] = ((0, 0, 0), StoredKey(digest_key(key).hex(), 0.0, "", previous))
        settings = Settings(keys=Frozen({name: KeyOptions(**given) for name, given in options.items()}))
        self.keys.apply(build_table(LoadedKeys(files), settings), settings)

    def name(self, key, header=b"authorization"):
        """The name of the grant that a key gives, None for none."""
        found = self.keys.identify({header: key})
        return found.grant and found.grant.name

    def make(self, name="run", *, pid=7, parent="", **options):
        return self.keys.add_child(name, Grant(name=""), parent=parent, pid=pid, born="then", **options)


def key():
    return generate().reveal().encode()


def test_a_replaced_key_is_valid_for_its_grace():
    """Both secrets are the same key until the grace is over."""
    world, old, new = World(), key(), key()
    world.apply({"laptop": (new, old, 2000.0)})
    assert [world.name(b"Bearer " + one) for one in (old, new)] == ["laptop", "laptop"]
    world.now = 2000.0
    assert [world.name(b"Bearer " + one) for one in (old, new)] == [None, "laptop"]
    assert "was replaced" in world.keys.identify({b"x-api-key": old}).fault


def test_headers_and_schemes():
    """Any of the three headers, with Bearer in any case or without; another vendor's credential beside it is no key."""
    world, one = World(), key()
    world.apply({"laptop": one})
    for value in (one, b"Bearer " + one, b"bearer  " + one):
        assert world.name(value) == "laptop"
    found = world.keys.identify({b"authorization": b"Bearer sk-ant-flk_x", b"x-fairlead-key": one})
    assert (found.grant.name, found.keys) == ("laptop", (one,))
    found = world.keys.identify({b"authorization": b"Bearer " + key(), b"x-fairlead-key": one})
    assert (found.grant.name, len(found.keys)) == ("laptop", 2)
    for fields in ({}, {b"x-api-key": b""}, {b"authorization": b"Bearer"}, {b"x-api-key": b"sk-flk_1"}):
        assert world.keys.identify(fields) is None


def test_a_key_that_has_ended():
    """After its day it is refused, with the day."""
    world, one = World(), key()
    world.apply({"laptop": one}, laptop={"expires": "1969-12-01"})
    found = world.keys.identify({b"x-api-key": one})
    assert (found.grant, "expired after 1969-12-01" in found.fault) == (None, True)


def test_a_key_for_a_process_ends():
    """When it is not renewed, when it is revoked, when its parent goes, and with all below it."""
    world, top = World(), key()
    world.apply({"laptop": top})
    child, secret = world.make(parent="laptop", ttl=60.0)
    below, inner = world.make(parent=child.grant.name, pid=8)
    keys = secret.reveal().encode(), inner.reveal().encode()
    world.now += 59
    world.keys.renew(child.grant.name)
    world.now += 59
    assert [world.name(one) for one in keys] == [child.grant.name, below.grant.name]
    world.now += 1
    assert world.name(keys[0]) is None
    world.keys.renew(child.grant.name)
    world.apply({"laptop": top}, laptop={"models": ("m",)})
    assert [one.models for one in world.keys.children[below.grant.name].grant.line] == [None, None, ("m",)]
    world.apply({})
    assert ([world.name(one) for one in keys], world.keys.children) == ([None, None], {})
    with pytest.raises(NotFound):
        world.keys.renew(child.grant.name)


def test_what_is_not_made(monkeypatch):
    """No key for a process that is not there, of a parent that is not, twice, or beyond the bound."""
    world = World()
    world.apply({"laptop": key()})
    with pytest.raises(BadRequest, match="no process 9"):
        world.make(pid=9)
    with pytest.raises(NotFound):
        world.make(parent="nobody")
    with pytest.raises(NotFound):
        world.keys.find_name(key().decode())
    child, secret = world.make()
    assert world.keys.find_name(secret.reveal()) == child.grant.name
    assert [world.keys.find_name(name) for name in ("", "default")] == ["", ""]
    with pytest.raises(Conflict):
        world.keys.add_child("another", Grant(name=""), parent="", pid=7, born="then", key=secret)
    monkeypatch.setattr(rooms, "CHILDREN_LIMIT", 2)
    world.make()
    with pytest.raises(Unavailable):
        world.make()


def test_the_watch_ends_keys_of_ended_processes():
    """Within two seconds of the end of the process, whose number another one may have got; budgets are told."""

    async def main():
        world, told = World(), []
        world.keys.on_budgets = lambda: told.append(len(world.keys.budgets))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.keys.run)
            await trio.sleep(60)
            child, secret = world.make(budget=5)
            other, _ = world.make(pid=8)
            await trio.sleep(60)
            assert world.name(secret.reveal().encode()) == child.grant.name
            world.alive[7] = "later"
            with trio.fail_after(2):
                while child.grant.name in world.keys.children:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.1)
            assert ([*world.keys.children], told) == ([other.grant.name], [1, 1, 0])
            nursery.cancel_scope.cancel()

    # It looks in a thread, for which the clock waits.
    trio.run(main, clock=MockClock(autojump_threshold=0.05))


def test_a_check_costs_the_same_for_any_number_of_keys():
    """Twice as many keys take twice as long for twice as many requests: nothing is looked through."""

    def make(count):
        world, secrets = World(), [key() for _ in range(count)]
        world.apply({f"k{number}": one for number, one in enumerate(secrets)})
        return world, [{b"x-api-key": one} for one in secrets]

    def work(made):
        world, requests = made
        for fields in requests:
            world.keys.identify(fields)

    grows_evenly(make, work, 5000)
