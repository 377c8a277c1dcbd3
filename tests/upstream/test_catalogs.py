"""Catalogs: read at the start, hourly and after failures, on a clock that jumps."""

import sys

import pytest
import trio
from trio.testing import MockClock

from router.admin.status import report_backends
from router.demo import MODELS
from router.errors import CommandError, Unauthenticated
from router.net.control import calls
from router.net.control.calls import ControlError
from router.store.config import backends
from router.upstream.catalogs import FETCH_RETRY_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, make_gap

from .runtimes import KEY, backend, reload, target


def test_the_demo_s_models_are_known_at_once(made):
    """No catalog is read for it, nor for a backend whose key is the caller's."""
    runtime = made(
        backend("claude", auth="client", key="", vendor="anthropic", protocols=("messages",)),
        backend("own", auth="client", key=""),
        demo_root="http://127.0.0.1:9/v1",
    )
    assert not runtime.catalogs.loading
    owners = runtime.snapshot.table.owners
    assert owners[MODELS[0]][0].name == "demo"
    assert owners["claude-opus-5"][0].name == "claude"
    assert runtime.catalogs["own"].models == ()


class Catalogs:
    """Catalogs as a test scripts them: name -> models, or what is wrong. read: (seconds, name) of each attempt."""

    def __init__(self, monkeypatch, **lists):
        self.lists = lists
        self.read = []
        monkeypatch.setattr(calls, "fetch_catalog", self._fetch)

    async def _fetch(self, backend, key, *, outbound, read_entry):
        self.read.append((trio.current_time(), backend.name))
        await trio.sleep(1)
        found = self.lists[backend.name]
        if isinstance(found, str):
            raise ControlError(found)
        return calls.Listing(found, {name: read_entry({"id": name}) for name in found})


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
    assert runtime.catalogs.loading

    async def use():
        await runtime.catalogs.wait_complete()
        assert not runtime.catalogs.loading
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
        await runtime.catalogs.wait_complete()
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
    """The others are not read again for it, and requests that wait for catalogs go on."""
    catalogs = Catalogs(monkeypatch, up="it is down", other=["b"])
    runtime = made(backend(), backend("other"))

    async def use():
        await runtime.catalogs.wait_complete()
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
        await runtime.catalogs.wait_complete()
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
        await runtime.catalogs.wait_complete()
        assert "$UP_KEY" in runtime.catalogs["up"].problem

    refreshed(runtime, use)
    assert catalogs.read == []


def test_a_backend_added_while_running_is_read_at_once(made, monkeypatch, home):
    """A reload reads the catalogs that are not known; the others are kept."""
    catalogs = Catalogs(monkeypatch, up=["a"], other=["b"])
    runtime = made(backend())

    async def use():
        await runtime.catalogs.wait_complete()
        backends.save(home, backend("other"))
        reload(runtime)
        assert runtime.catalogs.loading
        await runtime.catalogs.wait_complete()
        assert set(runtime.snapshot.table.owners) == {"a", "b"}

    refreshed(runtime, use)
    assert [name for _, name in catalogs.read] == ["up", "other"]


def test_a_wait_ends_with_the_last_catalog(made, monkeypatch):
    """A request that waits for catalogs goes on once the slowest was read, however many there are."""

    async def fetch(backend, key, *, outbound, read_entry):
        await trio.sleep({"up": 1, "other": 3}[backend.name])
        return calls.Listing([backend.name], {backend.name: read_entry({})})

    monkeypatch.setattr(calls, "fetch_catalog", fetch)
    runtime = made(backend(), backend("other"))

    async def use():
        began = trio.current_time()
        await runtime.catalogs.wait_complete()
        assert trio.current_time() - began == pytest.approx(3)
        assert set(runtime.snapshot.table.owners) == {"up", "other"}

    refreshed(runtime, use)


def test_which_are_being_read(made, monkeypatch):
    """The status says of which backends the list was neither read nor failed; an empty list counts as read."""
    Catalogs(monkeypatch, up=[], other="down")
    runtime = made(backend(), backend("other"), backend("own", auth="client", key=""))

    def list_loading():
        return [one.name for one in report_backends(runtime) if one.loading]

    assert sorted(list_loading()) == ["other", "up"]

    async def use():
        await runtime.catalogs.wait_complete()
        assert list_loading() == []

    refreshed(runtime, use)


def test_nobody_waits_for_ever_for_a_catalog(made, monkeypatch):
    """A request of the first second goes on after ten."""

    async def hang(backend, key, *, outbound, read_entry):
        await trio.sleep_forever()

    monkeypatch.setattr(calls, "fetch_catalog", hang)
    runtime = made(backend())

    async def use():
        began = trio.current_time()
        await runtime.catalogs.wait_complete()
        assert trio.current_time() - began == pytest.approx(10)

    refreshed(runtime, use)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX programs")
def test_a_catalog_waits_for_its_key(made, monkeypatch, command):
    """A command that fails is not run again every minute, as it may ask its user; after a request gets the key, the
    catalog is read."""
    reference, printed = command
    catalogs = Catalogs(monkeypatch, up=["a"])
    runtime = made(backend(key=reference))

    async def main():
        async with trio.open_nursery() as nursery:
            await nursery.start(runtime.refresh_catalogs)
            await runtime.catalogs.wait_complete()
            catalog = runtime.catalogs["up"]
            assert "exit code 1" in catalog.problem
            assert catalog.due - trio.current_time() > FETCH_RETRY_SECONDS - 60
            printed.write_text(KEY)
            await runtime.with_key(target(runtime))
            await trio.sleep(4)
            assert set(runtime.snapshot.table.owners) == {"a"}
            assert catalog.problem is None
            printed.unlink()
            runtime.forget_key(await runtime.with_key(target(runtime)))
            with pytest.raises(Unauthenticated):
                await runtime.with_key(target(runtime))
            assert "exit code 1" in catalog.problem
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0.3))
    assert len(catalogs.read) == 1


@pytest.mark.parametrize(
    ("error", "keyed", "said"),
    [
        (ControlError("Incorrect key sk-half****", status=401), True, "key refused (401): `fairlead backend set up"),
        (ControlError("No region sk-half****", status=403), True, "key refused (403): `fairlead backend set up"),
        (ControlError("sk-half****", status=401), False, "it wants a key (401): `fairlead backend set up --key-stdin`"),
        (ControlError("sk-half****", status=404), True, "it has none (404): `fairlead backend test up`"),
        (ControlError("sk-half****", status=500), True, "it failed (500): `fairlead backend test up`"),
        (ControlError("the name h could not be resolved (DNS)"), True, "the name h could not be resolved (DNS): `fair"),
        (ControlError("h:1 refused the connection"), True, "h:1 refused the connection: `fairlead backend test up`"),
        (ControlError("h did not answer within 10 s"), True, "h did not answer within 10 s: `fairlead backend test"),
        (CommandError("$UP_KEY is not set."), True, "$UP_KEY is not set: `fairlead backend test up`"),
    ],
)
def test_why_the_models_are_not_known(error, keyed, said):
    """The reason in a few words with the command that helps, and nothing of what a provider says about the key."""
    text = str(make_gap("up", error, keyed=keyed))
    assert text.startswith(f"up did not send its model list: {said}")
    assert "sk-half" not in text


def test_gaps_of_catalogs(made, monkeypatch):
    """A list that is still to be read is a gap, one that was read is none, one that failed is one until it is read."""
    catalogs = Catalogs(monkeypatch, up="it is down", other=["b"])
    runtime = made(backend(added=1.0), backend("other", added=2.0))
    assert [gap.why for gap in runtime.snapshot.table.gaps] == ["has not sent its model list yet"] * 2

    async def use():
        await runtime.catalogs.wait_complete()
        assert [gap.why for gap in runtime.snapshot.table.gaps] == ["did not send its model list: it is down"]
        catalogs.lists["up"] = ["a"]
        await trio.sleep(RETRY_SECONDS + 2)
        assert not runtime.snapshot.table.gaps

    refreshed(runtime, use)


def test_a_backend_that_is_added_while_the_proxy_stops(made, monkeypatch):
    """A reload that outlasts the reading of catalogs, as one that reads files in a thread, ends without an error."""
    catalogs = Catalogs(monkeypatch, up=["a"], other=["b"])
    runtime = made(backend())

    async def use():
        await runtime.catalogs.wait_complete()

    refreshed(runtime, use)
    runtime.catalogs.apply([backend(), backend("other")])
    runtime.catalogs.load_missing()
    assert [name for _, name in catalogs.read] == ["up"]
