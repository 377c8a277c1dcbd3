"""What all requests share: backends as targets, their catalogs, and a reload that keeps what was good."""

import sys

import msgspec
import pytest
import trio
from trio.testing import MockClock

from router.backends import Account, Backend
from router.demo import MODELS
from router.errors import CommandError, Unauthenticated
from router.net import control
from router.net.control import ControlError
from router.proxy.configuration import read
from router.proxy.runtime import FETCH_RETRY_SECONDS, REFRESH_SECONDS, RETRY_SECONDS, Runtime
from router.settings import Settings, load
from router.settings.tables import BackendOptions, Condition, Edits, Rule
from router.store import backends

KEY = "sk-very-secret-0123456789"


def backend(name="up", *, key=KEY, **fields):
    return Backend(
        **{
            "name": name,
            "root": f"https://{name}.example/v1",
            "protocols": ("chat",),
            "accounts": (Account("main", key),) if key else (),
            **fields,
        }
    )


@pytest.fixture
def made(home, silent_log):
    """Makes a runtime from backends."""

    def make(*stored, environ=None, demo_root=None, settings=None):
        for one in stored:
            backends.save(home, one)
        configuration = read(home, settings or Settings())
        return Runtime(configuration, home, silent_log, demo_root, environ=environ or {})

    return make


def reload(runtime):
    """What a reload does, without its thread."""
    try:
        runtime.take(read(runtime.home, runtime.settings))
    except CommandError as error:
        runtime.keep(error)


def target(runtime, name="up"):
    return runtime.snapshot.targets[name]


@pytest.mark.parametrize(
    ("root", "origin", "host", "prefix"),
    [
        ("https://up.example/v1", "https://up.example:443", b"up.example", b"/v1"),
        ("https://up.example:8443/api/v1", "https://up.example:8443", b"up.example:8443", b"/api/v1"),
        ("http://127.0.0.1:11434/v1", "http://127.0.0.1:11434", b"127.0.0.1:11434", b"/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080", b"[::1]:8080", b"/v1"),
        ("https://up.example", "https://up.example:443", b"up.example", b""),
    ],
)
def test_a_root_becomes_origin_host_and_prefix(made, root, origin, host, prefix):
    """Where to connect, what to write into Host, and what stands in front of each path."""
    found = target(made(backend(root=root)))
    assert (str(found.origin), found.host, found.prefix) == (origin, host, prefix)


@pytest.mark.parametrize(
    ("vendor", "protocols", "auth"),
    [
        ("openai", ("chat", "responses"), (b"Authorization", b"authorization", b"Bearer " + KEY.encode())),
        ("anthropic", ("messages",), (b"X-Api-Key", b"x-api-key", KEY.encode())),
        ("", ("messages",), (b"X-Api-Key", b"x-api-key", KEY.encode())),
        ("", ("messages", "chat"), (b"Authorization", b"authorization", b"Bearer " + KEY.encode())),
    ],
)
def test_a_key_goes_in_its_vendor_s_header(made, vendor, protocols, auth):
    """And the caller's own credentials go nowhere."""
    found = target(made(backend(vendor=vendor, protocols=protocols)))
    assert found.auth == auth
    assert found.keep == frozenset()
    assert found.account == "main"
    found.check()


@pytest.mark.parametrize("mode", ["client", "none"])
def test_without_a_key_of_ours_no_header_is_added(made, mode):
    """auth=client lets the caller's credential pass, auth=none lets none pass."""
    found = target(made(backend(auth=mode, key="", vendor="openai")))
    assert found.auth is None
    assert found.problem is None
    assert found.keep == (frozenset((b"authorization", b"x-api-key")) if mode == "client" else frozenset())


@pytest.mark.parametrize(
    ("stored", "environ", "said"),
    [
        (backend(key=""), {}, "no key is stored"),
        (backend(key="env:UP_KEY"), {}, "$UP_KEY is not set"),
        (backend(key="env:UP_KEY"), {"UP_KEY": ""}, "$UP_KEY is empty"),
    ],
)
def test_a_key_that_cannot_be_had_is_a_problem_of_its_backend(made, stored, environ, said):
    """401 naming the backend and what is missing; the others serve on."""
    runtime = made(stored, backend("other"), environ=environ)
    with pytest.raises(Unauthenticated) as caught:
        target(runtime).check()
    assert "up" in caught.value.message
    assert said in caught.value.message
    target(runtime, "other").check()


def test_a_key_may_come_from_the_environment(made):
    """Read at each reload, and hidden in logs from then on."""
    runtime = made(backend(key="env:UP_KEY"), environ={"UP_KEY": KEY})
    assert target(runtime).auth[2] == b"Bearer " + KEY.encode()
    assert KEY not in runtime.log.redacted(f'"{KEY}x"'.encode())


def test_a_target_shows_no_key(made):
    """Its repr may end up in an error; the header it adds is as secret as the key in it."""
    runtime = made(backend())
    assert KEY not in repr(target(runtime))
    assert KEY not in repr(runtime.snapshot)


def test_a_vendor_s_own_headers_go_to_no_other(made):
    """Organisation and project headers reach their vendor alone; the protocol's own reach all."""
    runtime = made(
        backend(vendor="openai"), backend("claude", vendor="anthropic", protocols=("messages",)), backend("own")
    )
    openai, anthropic = {b"openai-organization", b"openai-project"}, {b"anthropic-organization-id"}
    assert not openai & target(runtime).drop
    assert anthropic <= target(runtime).drop
    assert openai <= target(runtime, "claude").drop
    assert not anthropic & target(runtime, "claude").drop
    assert openai | anthropic <= target(runtime, "own").drop
    for found in runtime.snapshot.targets.values():
        assert not {b"anthropic-version", b"anthropic-beta"} & found.drop


@pytest.mark.parametrize(
    ("root", "seconds"),
    [
        ("https://up.example/v1", 300),
        ("http://127.0.0.1:1/v1", 600),
        ("http://192.168.1.9/v1", 600),
        ("http://[::1]:1/v1", 600),
        ("http://localhost:1/v1", 600),
        ("http://box.local/v1", 600),
    ],
)
def test_near_backends_have_more_time(made, root, seconds):
    """600 s on private addresses, 300 s elsewhere; a setting overrides both."""
    assert (target(made(backend(root=root))).first_byte, target(made(backend(root=root))).idle) == (seconds, seconds)
    settings = load({"FAIRLEAD_TIMEOUTS_IDLE": "7s", "FAIRLEAD_TIMEOUTS_FIRST_BYTE": "9s"}, {})
    found = target(made(backend(root=root), settings=settings))
    assert (found.first_byte, found.idle) == (9, 7)


def test_a_backend_s_own_options(made):
    """Times and switches of `[backends.NAME]` stand in for the common ones; what it leaves open stays common."""
    own = BackendOptions(connect=1.0, first_byte=2.0, idle=3.0, total=4.0, edits=Edits(effort="low"))
    off = BackendOptions(usage_probe=False, ask_identity=False, strip_attribution=False)
    on = BackendOptions(usage_probe=True, ask_identity=True, strip_attribution=True)
    names = ("times", "off", "on", "common")
    for common in (True, False):
        settings = Settings(
            timeouts_connect=9.0,
            timeouts_total=8.0,
            usage_probe=common,
            ask_identity=common,
            strip_attribution=common,
            backends={"times": own, "off": off, "on": on},
        )
        runtime = made(*(backend(name, vendor="openai") for name in names), settings=settings)
        times = target(runtime, "times")
        assert (times.connect, times.first_byte, times.idle, times.total) == (1.0, 2.0, 3.0, 4.0)
        assert (times.edits, target(runtime, "off").edits) == (Edits(effort="low"), None)
        plain = target(runtime, "common")
        assert (plain.connect, plain.first_byte, plain.idle, plain.total) == (9.0, 300.0, 300.0, 8.0)
        for name, wanted in (("off", False), ("on", True), ("common", common), ("times", common)):
            found = target(runtime, name)
            assert (found.stream_usage, found.ask_identity, found.strip_attribution) == (wanted,) * 3


def test_a_switch_does_not_widen_what_it_guards(made):
    """Usage is asked for only where it must be, and Anthropic keeps its own billing line."""
    on = BackendOptions(usage_probe=True, strip_attribution=True)
    settings = Settings(backends={"mistral": on, "anthropic": on})
    runtime = made(
        backend("mistral", vendor="mistral"),
        backend("anthropic", vendor="anthropic", protocols=("messages",)),
        settings=settings,
    )
    assert not target(runtime, "mistral").stream_usage
    assert not target(runtime, "anthropic").strip_attribution


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
        monkeypatch.setattr(control, "fetch_models", self._fetch)

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

    monkeypatch.setattr(control, "fetch_models", hang)
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
        assert KEY not in repr(keyed) + runtime.log.redacted(f'"{KEY}x"'.encode())
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


def test_a_backend_s_account_shows_no_key():
    """Neither in its own words nor in its backend's."""
    assert KEY not in repr(backend())
    assert KEY in msgspec.json.encode(backend()).decode()
