"""The state that all requests share: backends, keys that are fetched, and a reload that keeps the last good state."""

import sys

import pytest
import trio

from router.errors import Unauthenticated
from router.settings import Settings
from router.settings.tables import Condition, Rule
from router.store.config import backends

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
    """Its backend goes on serving, the problem is shown, and a mended file is applied."""
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
    """A reload that fails as a whole changes nothing and shows why; the next one that works clears that."""
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
            await runtime.with_key(found)
        printed.write_text(KEY)
        keyed = await runtime.with_key(found)
        assert keyed.auth == (b"X-Api-Key", b"x-api-key", KEY.encode())
        assert KEY not in repr(keyed) + runtime.log.redact(f'"{KEY}x"'.encode())
        printed.write_text("sk-newer")
        assert await runtime.with_key(found) == keyed
        reload(runtime)
        assert await runtime.with_key(target(runtime)) == keyed
        runtime.forget_key(keyed)
        assert (await runtime.with_key(found)).auth[2] == b"sk-newer"

    trio.run(main)
