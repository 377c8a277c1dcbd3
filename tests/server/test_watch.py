"""A requested reload begins after its request; a check of the files finds every change."""

import os

import pytest
import trio
import trio.testing

from router.server import watch
from router.server.watch import ConfigWatcher, read_signature

from ..patience import PATIENCE


class Reloads:
    """Counts reloads; when `slow`, each lasts until the test ends it."""

    def __init__(self, *, slow=False):
        self.begun = 0
        self.go = trio.Event()
        self._slow = slow

    async def __call__(self):
        self.begun += 1
        if self._slow:
            await self.go.wait()
            self.go = trio.Event()


def watched(home, reloads, use):
    """Run `use(watch)` while the watch runs."""

    async def main():
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                one = ConfigWatcher(home, reloads)
                nursery.start_soon(one.run)
                await use(one)
                nursery.cancel_scope.cancel()

    trio.run(main)


async def reached(reloads, count):
    """Wait until so many reloads have begun; looks at files are made in threads, on no clock of trio's."""
    while reloads.begun < count:  # noqa: ASYNC110
        await trio.sleep(0.005)


def test_who_asks_waits_for_its_end(home):
    """The event is set once the reload is done, and each question is answered by one."""
    reloads = Reloads()

    async def use(one):
        for number in range(1, 4):
            await one.request_reload().wait()
            assert reloads.begun == number

    watched(home, reloads, use)


def test_a_question_during_a_reload_gets_the_next_one(home):
    """The running one may have read the files before the change; all requests made meanwhile share one."""

    async def use(one):
        first = one.request_reload()
        await reached(reloads, 1)
        later = [one.request_reload() for _ in range(5)]
        assert not first.is_set()
        reloads.go.set()
        await first.wait()
        await reached(reloads, 2)
        assert not any(event.is_set() for event in later)
        reloads.go.set()
        for event in later:
            await event.wait()
        assert reloads.begun == 2

    reloads = Reloads(slow=True)
    watched(home, reloads, use)


def test_a_change_is_noticed_without_a_word(home, monkeypatch):
    """A file that comes, changes or goes leads to one reload each; quiet files to none but the first look's."""
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)
    reloads = Reloads()

    async def use(_):
        await reached(reloads, 1)
        await trio.sleep(0.1)
        assert reloads.begun == 1
        home.write("config.toml", b"verbose = 1\n")
        await reached(reloads, 2)
        home.write("backends/up.json", b"{}")
        # The folder is new too: one look may find it empty.
        await reached(reloads, 3)
        await trio.sleep(0.1)
        before = reloads.begun
        home.remove("backends/up.json")
        await reached(reloads, before + 1)
        await trio.sleep(0.1)
        assert reloads.begun == before + 1

    watched(home, reloads, use)


@pytest.mark.parametrize(
    "change",
    [
        lambda home: home.write("config.toml", b"b"),
        lambda home: home.at("config.toml").write_bytes(b"aa"),
        lambda home: os.utime(home.at("config.toml"), (1, 1)),
        lambda home: home.remove("config.toml"),
        lambda home: home.write("backends/new.json", b"{}"),
        lambda home: home.write("backends/up.json", b"{}"),
        lambda home: home.remove("backends/up.json"),
    ],
)
def test_every_kind_of_change_shows(home, change):
    """Replaced, written in place, dated anew, removed: in the settings and among the backends."""
    home.write("config.toml", b"a")
    home.write("backends/up.json", b"{}")
    before = read_signature(home)
    assert read_signature(home) == before
    change(home)
    assert read_signature(home) != before


def test_files_elsewhere_are_looked_at(home, tmp_path):
    """A file the configuration names shows its changes, also behind a link; one that is not there is no error."""
    roots, link = tmp_path / "roots.pem", tmp_path / "link.pem"
    bare = read_signature(home, [str(link)])
    assert bare == read_signature(home)
    roots.write_text("a")
    link.symlink_to(roots)
    before = read_signature(home, [str(link)])
    assert before != bare
    roots.write_text("more")
    assert read_signature(home, [str(link)]) != before


def test_nothing_there_is_no_error(home):
    """A home without settings and backends has a signature too, and one that is gone has another."""
    bare = read_signature(home)
    assert [name for name, *_ in bare] == [""]
    home.path.rmdir()
    assert read_signature(home) == ()


def test_a_reload_waits_for_who_puts_it_off(home):
    """As the demo does while its own requests run: what a reload would take away is there until then."""
    reloads = Reloads()

    async def use(one):
        async with one.lock:
            asked = one.request_reload()
            await trio.testing.wait_all_tasks_blocked()
            assert (reloads.begun, asked.is_set()) == (0, False)
        await asked.wait()
        assert reloads.begun == 1

    watched(home, reloads, use)
