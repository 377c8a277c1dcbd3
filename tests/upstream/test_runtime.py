"""What all requests share: backends, their catalogs, and a reload that keeps what was good."""

import sys

import pytest
import trio
from trio.testing import MockClock

from router.demo import MODELS
from router.errors import Unauthenticated
from router.net.control import calls
from router.net.control.calls import ControlError
from router.settings import Settings
from router.settings.tables import Condition, Rule
from router.store.config import backends
from router.upstream.runtime import FETCH_RETRY_SECONDS, REFRESH_SECONDS, RETRY_SECONDS

from .runtimes import KEY, backend, reload, target


def test_the_table_knows_the_settings(made):
    """Aliases, rules and forced models reach routing."""
    rule = Rule(name="r", when=Condition(images=True), backend="up")
    settings = Settings(aliases={"A": "b"}, routes=(rule,), model="m", fast_model="f", default_backend="up")
    table = made(backend(), settings=settings).snapshot.table
    assert (table.targets, table.model, table.fast_model, table.default) == ({"a": "b"}, "m", "f", "up")
    assert ([entry.rule for entry in table.rules], table.asks, table.looks_inside) == ([rule], True, True)
    assert not made(backend()).snapshot.table.asks


def test_disabled_backends_are_not_there(made):
    """Neither as a target nor for routing; the order added is kept, the demo stands last."""
    runtime = made(
        backend("late", added=3.0),
        backend("off", added=2.0, enabled=False),
        backend("early", added=1.0),
        demo_root="http://127.0.0.1:9/v1",
    )
    assert [one.name for one in runtime.snapshot.table.backends] == ["early", "late", "demo"]
    assert set(runtime.snapshot.targets) == {"early", "late", "demo"}


def test_the_demo_s_models_are_known_at_once(made):
    """No catalog is read for it, nor for a backend whose key is the caller's."""
    runtime = made(
        backend("claude", auth="client", key="", vendor="anthropic", protocols=("messages",)),
        backend("own", auth="client", key=""),
        demo_root="http://127.0.0.1:9/v1",
    )
    assert not runtime.loading
    owners = runtime.snapshot.table.owners
    assert owners[MODELS[0]][0].name == "demo"
    assert owners["claude-opus-5"][0].name == "claude"
    assert runtime.catalogs["own"].models == ()


def test_a_reload_takes_up_what_changed(made, home):
    """New, changed and removed backends; a request under way keeps its snapshot."""
    runtime = made(backend("stays"), backend("goes"), backend("changes"))
    before = runtime.snapshot
    backends.remove(home, "goes")
    backends.save(home, backend("comes"))
    backends.save(home, backend("changes", root="https://moved.example/v1"))
    reload(runtime)
    assert set(runtime.snapshot.targets) == {"stays", "changes", "comes"}
    assert target(runtime, "changes").origin.host == "moved.example"
    assert set(before.targets) == {"stays", "goes", "changes"}


def test_a_broken_file_keeps_its_last_good_state(made, home):
    """Its backend serves on, the problem is shown, and a mended file is taken up."""
    runtime = made(backend(), backend("other"))
    runtime.catalogs["up"].models, runtime.catalogs["up"].loaded = ("m",), True
    path = home.at("backends/up.json")
    good = path.read_bytes()
    for _ in range(2):
        home.write("backends/up.json", b"{ no json")
        reload(runtime)
        assert set(runtime.snapshot.targets) == {"up", "other"}
        assert runtime.snapshot.table.owners["m"][0].name == "up"
        [problem] = runtime.snapshot.problems
        assert "up.json" in problem
        assert KEY not in problem
    home.write("backends/up.json", good)
    reload(runtime)
    assert runtime.snapshot.problems == ()
    assert set(runtime.snapshot.targets) == {"up", "other"}


def test_a_home_that_cannot_be_read_keeps_all_of_it(made, home):
    """A reload that fails as a whole changes nothing, says so, and the next one that works clears it."""
    runtime = made(backend(), backend("other"))
    folder = home.at("backends")
    folder.chmod(0o777)
    reload(runtime)
    assert set(runtime.snapshot.targets) >= {"up", "other"}
    assert "backends" in runtime.snapshot.problems[0]
    folder.chmod(0o700)
    reload(runtime)
    assert runtime.snapshot.problems == ()


def test_a_file_that_was_never_good_is_only_a_problem(made, home):
    """The proxy starts without it."""
    home.write("backends/up.json", b"[]")
    runtime = made(backend("other"))
    assert set(runtime.snapshot.targets) == {"other"}
    assert len(runtime.snapshot.problems) == 1


class Catalogs:
    """Catalogs as a test scripts them: name -> models, or what is wrong. read: (seconds, name) of each attempt."""

    def __init__(self, monkeypatch, **lists):
        self.lists = lists
        self.read = []
        monkeypatch.setattr(calls, "fetch_models", self._fetch)

    async def _fetch(self, backend, key, *, way):
        self.read.append((trio.current_time(), backend.name))
        await trio.sleep(1)
        found = self.lists[backend.name]
        if isinstance(found, str):
            raise ControlError(found)
        return found


def refreshed(runtime, use):
    """Run `use()` while the catalogs are kept fresh, on a clock that jumps."""

    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(runtime.refresh_catalogs)
            await use()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_catalogs_are_read_at_start_and_hourly(made, monkeypatch):
    """And a name in two of them has both owners."""
    catalogs = Catalogs(monkeypatch, up=["a", "b"], other=["b"])
    runtime = made(backend(added=1.0), backend("other", added=2.0))
    assert runtime.loading

    async def use():
        await runtime.settled()
        assert not runtime.loading
        assert [one.name for one in runtime.snapshot.table.owners["b"]] == ["up", "other"]
        catalogs.lists["up"] = ["c"]
        await trio.sleep(REFRESH_SECONDS + RETRY_SECONDS + 2)
        assert "c" in runtime.snapshot.table.owners
        assert "a" not in runtime.snapshot.table.owners

    refreshed(runtime, use)
    assert len(catalogs.read) == 4


def test_a_catalog_that_fails_keeps_its_last_state_and_is_tried_again(made, monkeypatch):
    """Stale is better than nothing; after a minute it is read anew."""
    catalogs = Catalogs(monkeypatch, up=["a"])
    runtime = made(backend())

    async def use():
        await runtime.settled()
        catalogs.lists["up"] = "it is down"
        await trio.sleep(REFRESH_SECONDS + RETRY_SECONDS + 2)
        assert "a" in runtime.snapshot.table.owners
        assert runtime.catalogs["up"].problem == "it is down"
        catalogs.lists["up"] = ["b"]
        await trio.sleep(RETRY_SECONDS + 2)
        assert set(runtime.snapshot.table.owners) == {"b"}
        assert runtime.catalogs["up"].problem is None

    refreshed(runtime, use)


def test_a_catalog_that_failed_at_start_is_tried_after_a_minute(made, monkeypatch):
    """The others are not read again for it, and what waits for catalogs waits no longer."""
    catalogs = Catalogs(monkeypatch, up="it is down", other=["b"])
    runtime = made(backend(), backend("other"))

    async def use():
        await runtime.settled()
        assert set(runtime.snapshot.table.owners) == {"b"}
        catalogs.lists["up"] = ["a"]
        await trio.sleep(RETRY_SECONDS + 2)
        assert set(runtime.snapshot.table.owners) == {"a", "b"}

    refreshed(runtime, use)
    assert sorted(name for _, name in catalogs.read) == ["other", "up", "up"]


def test_a_catalog_that_always_fails_does_not_keep_the_others_stale(made, monkeypatch):
    """The hour of a good catalog passes whatever the others do."""
    catalogs = Catalogs(monkeypatch, up="it is down", other=["b"])
    runtime = made(backend(), backend("other"))

    async def use():
        await runtime.settled()
        await trio.sleep(2 * RETRY_SECONDS)
        catalogs.lists["other"] = ["c"]
        await trio.sleep(REFRESH_SECONDS + 2 * RETRY_SECONDS)
        assert set(runtime.snapshot.table.owners) == {"c"}

    refreshed(runtime, use)


def test_a_backend_without_its_key_is_not_asked_for_its_catalog(made, monkeypatch):
    """Its problem is that of its key."""
    catalogs = Catalogs(monkeypatch)
    runtime = made(backend(key="env:UP_KEY"))

    async def use():
        await runtime.settled()
        assert "$UP_KEY" in runtime.catalogs["up"].problem

    refreshed(runtime, use)
    assert catalogs.read == []


def test_a_backend_added_while_running_is_read_at_once(made, monkeypatch, home):
    """A reload reads the catalogs that are not known; the others are kept."""
    catalogs = Catalogs(monkeypatch, up=["a"], other=["b"])
    runtime = made(backend())

    async def use():
        await runtime.settled()
        backends.save(home, backend("other"))
        reload(runtime)
        assert runtime.loading
        await runtime.settled()
        assert set(runtime.snapshot.table.owners) == {"a", "b"}

    refreshed(runtime, use)
    assert [name for _, name in catalogs.read] == ["up", "other"]


def test_nobody_waits_for_ever_for_a_catalog(made, monkeypatch):
    """A request of the first second goes on after ten."""

    async def hang(backend, key, *, way):
        await trio.sleep_forever()

    monkeypatch.setattr(calls, "fetch_models", hang)
    runtime = made(backend())

    async def use():
        began = trio.current_time()
        await runtime.settled()
        assert trio.current_time() - began == pytest.approx(10)

    refreshed(runtime, use)


@pytest.fixture
def command(tmp_path):
    """A reference to a command that prints what lies in `printed`, and fails without it."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\nexec cat {tmp_path}/printed\n")
    program.chmod(0o700)
    return f'cmd:["{program}"]', tmp_path / "printed"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_a_key_that_must_be_fetched_is_fetched_when_needed(made, command):
    """Nothing runs at the start; a request that needs the key gets it, and a refused one is fetched anew."""
    reference, printed = command
    runtime = made(backend(key=reference, vendor="anthropic", protocols=("messages",)))
    found = target(runtime)
    assert (found.auth, found.secret, found.problem, found.account) == (None, None, None, "main")
    found.check()

    async def main():
        with pytest.raises(Unauthenticated, match=r"The backend up has no usable key: .* exit code 1"):
            await runtime.keyed(found)
        printed.write_text(KEY)
        keyed = await runtime.keyed(found)
        assert keyed.auth == (b"X-Api-Key", b"x-api-key", KEY.encode())
        assert KEY not in repr(keyed) + runtime.log.redact(f'"{KEY}x"'.encode())
        printed.write_text("sk-newer")
        assert await runtime.keyed(found) == keyed
        reload(runtime)
        assert await runtime.keyed(target(runtime)) == keyed
        runtime.refused(keyed)
        assert (await runtime.keyed(found)).auth[2] == b"sk-newer"

    trio.run(main)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_a_catalog_waits_for_its_key(made, monkeypatch, command):
    """A command that fails is not run again every minute, as it may ask its user; a request that gets the key has the
    catalog read."""
    reference, printed = command
    catalogs = Catalogs(monkeypatch, up=["a"])
    runtime = made(backend(key=reference))

    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(runtime.refresh_catalogs)
            await runtime.settled()
            catalog = runtime.catalogs["up"]
            assert "exit code 1" in catalog.problem
            assert catalog.due - trio.current_time() > FETCH_RETRY_SECONDS - 60
            printed.write_text(KEY)
            await runtime.keyed(target(runtime))
            await trio.sleep(4)
            assert set(runtime.snapshot.table.owners) == {"a"}
            assert catalog.problem is None
            printed.unlink()
            runtime.refused(await runtime.keyed(target(runtime)))
            with pytest.raises(Unauthenticated):
                await runtime.keyed(target(runtime))
            assert "exit code 1" in catalog.problem
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0.3))
    assert len(catalogs.read) == 1
