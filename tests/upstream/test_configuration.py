"""One reading of the home: the start of a proxy, what a reload applies, and what has to wait for a restart."""

import pytest

from router.backends import Backend
from router.settings import Settings
from router.store.config import backends
from router.upstream.configuration import defer_restarts, read

UP = Backend(name="up", root="https://up.example/v1", protocols=("chat",), auth="none")


def test_backends_and_what_is_wrong_with_them_come_together(home):
    """Readable files as backends, the others by name and with the words that mend them."""
    backends.save(home, UP)
    home.write("backends/down.json", b"{")
    found = read(home, Settings(), ("config.toml line 3: unknown key",))
    assert found.backends == (UP,)
    assert found.broken == {"down"}
    assert found.problems[0] == "config.toml line 3: unknown key"
    assert "down.json" in found.problems[1]


@pytest.mark.parametrize("name", ["up", "demo", "broken", None])
def test_a_default_that_is_there(home, name):
    """A backend, the demo, one whose file cannot be read at the moment, or none."""
    backends.save(home, UP)
    home.write("backends/broken.json", b"{")
    assert read(home, Settings(default_backend=name)).settings.default_backend == name


def test_backends_that_are_not_in_use(home):
    """Disabled ones and unreadable ones, each with the command that helps."""
    backends.save(home, UP)
    backends.save(home, Backend(name="off", root=UP.root, protocols=("chat",), enabled=False))
    home.write("backends/broken.json", b"{")
    off, broken = read(home, Settings()).gaps
    assert str(off) == "off is disabled: `fairlead backend enable off`."
    assert str(broken).startswith("broken cannot be read: ")
    assert str(broken).endswith("is not JSON: `fairlead backend remove broken`.")


def test_what_needs_a_restart_waits_for_it():
    """Host and port stay as they are and are named; all else is applied."""
    running = Settings(port=1, host="localhost", verbose=0)
    kept, said = defer_restarts(running, Settings(port=2, host="127.0.0.1", verbose=2))
    assert (kept.port, kept.host, kept.verbose) == (1, "localhost", 2)
    assert len(said) == 2
    assert any("port is 2 now, and 1 until" in text for text in said)
    assert defer_restarts(running, running) == (running, ())
