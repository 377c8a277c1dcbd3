"""One reading of the home: the start of a proxy, what a reload applies, and what has to wait for a restart."""

import pytest

from router.backends import Backend
from router.errors import CommandError
from router.settings import Settings
from router.store.config import backends, toml
from router.upstream.configuration import defer_restarts, list_faults, read

UP = Backend(name="up", root="https://up.example/v1", protocols=("chat",), auth="none")


def test_backends_and_what_is_wrong_with_them_come_together(home):
    """Readable files as backends, the others by name and with the words that mend them."""
    backends.save(home, UP)
    home.write("backends/down.json", b"{")
    found = read(home, Settings(), ("config.toml, line 3: unknown key",))
    assert found.backends == (UP,)
    assert found.broken == {"down"}
    assert found.problems[0] == "config.toml, line 3: unknown key"
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
    assert str(broken).endswith("invalid JSON: `fairlead backend remove broken`.")


@pytest.mark.parametrize(
    ("name", "demo", "fix"),
    [
        ("groq", True, "Add it:   fairlead backend add groq"),
        ("mine", True, "Add it:   fairlead backend add mine --base-url URL"),
        ("of", True, "Did you mean off?   fairlead config set default_backend off"),
        ("demo", False, "fairlead config set demo on"),
    ],
)
def test_a_default_nobody_serves(home, name, demo, fix):
    """Is an error that names the command that helps."""
    backends.save(home, UP)
    backends.save(home, Backend(name="off", root=UP.root, protocols=("chat",), enabled=False))
    with pytest.raises(CommandError, match="default_backend") as caught:
        read(home, Settings(default_backend=name, demo=demo))
    assert fix in caught.value.hint


def test_all_faults_are_listed(home, tmp_path):
    """Each with where its setting comes from, so that each can be fixed alone."""
    home.write("config.toml", b'host = "0.0.0.0"\ndefault_backend = "groq"\n')
    environ = {"FAIRLEAD_LOG_FILE": str(tmp_path / "none" / "log"), "FAIRLEAD_TLS_CA_FILE": "/nonexistent.pem"}
    found = list_faults(home, toml.load(home, environ), environ)
    for fault, said in zip(
        found, ("host is 0.0.0.0", "default_backend is groq", "/nonexistent.pem", "none"), strict=True
    ):
        assert said in str(fault)
        assert fault.hint
    assert str(found[0]).startswith("config.toml, line 1: ")
    assert str(found[3]).startswith("$FAIRLEAD_LOG_FILE: ")


def test_what_needs_a_restart_waits_for_it():
    """Host and port stay as they are and are named; all else is applied."""
    running = Settings(port=1, host="localhost", verbose=0)
    kept, said = defer_restarts(running, Settings(port=2, host="127.0.0.1", verbose=2))
    assert (kept.port, kept.host, kept.verbose) == (1, "localhost", 2)
    assert len(said) == 2
    assert any("port is 2 now, and 1 until" in text for text in said)
    assert defer_restarts(running, running) == (running, ())
