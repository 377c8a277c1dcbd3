"""A runtime is composed of the given parts, and composing it has no other effect."""

import pytest
import trio
from trio.testing import MockClock

from router.net.client.pool import ConnectionPool
from router.settings import Settings
from router.upstream.compose import compose
from router.upstream.configuration import Configuration
from router.upstream.translation_state import TranslationState
from tests.store.memory import MemoryStore

from .runtimes import KEY, backend
from .services import reconfigure


def test_the_parts_are_those_that_are_handed_in(home, silent_log):
    """Store, connections and translation state can be given in place of the usual ones."""
    store, connections, state = MemoryStore(), ConnectionPool(), TranslationState()
    runtime = compose(
        Configuration(Settings(), (backend(),)),
        home,
        silent_log,
        connections=connections,
        translation_state=state,
        open_store=store.open,
    )
    assert runtime.connections is connections
    assert runtime.snapshot.translation_state is state
    runtime.resource_owners.remember("resp_1", "up", "main", "responses")
    assert store.owners["resp_1"].backend == "up"


def test_composing_begins_nothing(home, silent_log):
    """No file is made and no catalog is read until the proxy starts."""
    before = sorted(home.path.rglob("*"))
    runtime = compose(Configuration(Settings(), (backend(),)), home, silent_log, environ={})
    assert sorted(home.path.rglob("*")) == before
    assert runtime.catalogs.loading
    assert not runtime.loaded.is_set()


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({}, ["halt", "budget", "parked", "back"]),
        ({"notify": ("all", "halt")}, ["halt", "budget", "parked", "back"]),
        ({"guard_notify": False}, ["parked", "back"]),
        ({"notify": ("budget", "back")}, ["budget", "back"]),
        ({"notify": ()}, []),
    ],
)
def test_notifications_are_those_the_settings_name(home, silent_log, settings, shown):
    """`notify` names the kinds, and `guard.notify` off leaves out the guard's; both count from a reload on."""
    runtime = compose(Configuration(Settings(notify=()), (backend(),)), home, silent_log)
    reconfigure(runtime, **settings)
    kept = []

    async def keep(text, *, bell):
        kept.append(text)

    async def main():
        runtime.notifier._show = keep
        for kind in ("halt", "budget", "parked", "back"):
            runtime.notifier.tell(kind, "box", kind)
        with trio.move_on_after(1):
            await runtime.notifier.run()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert kept == shown


def test_keys_are_looked_up_where_it_is_said(home, silent_log, monkeypatch):
    """In the environment that is given, in that of the process by default."""
    configuration = Configuration(Settings(), (backend(key="env:UP_KEY"),))
    monkeypatch.setenv("UP_KEY", KEY)
    assert compose(configuration, home, silent_log).snapshot.targets["up"].problem is None
    assert compose(configuration, home, silent_log, environ={}).snapshot.targets["up"].problem is not None
