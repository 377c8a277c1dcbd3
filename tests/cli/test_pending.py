"""A configuration that the running proxy does not use is said: by the command that saved it, then by others first."""

import pytest

from router.store.home import run_files
from router.store.home.home import open_home

BROKEN = 'default_backend = "nobody"\n'
SAID = "note: the running proxy keeps its previous configuration: "
START = "note: `fairlead proxy` would not start: "


def write(fairlead, text):
    """The config file of the fixture's home."""
    open_home(fairlead.environ).write("config.toml", text.encode())


def test_a_refused_change_is_an_error(fairlead):
    """The command that saved it asks the proxy, prints its answer, and fails; the first good change is taken again."""
    fairlead.start("proxy", "--port", "0")
    write(fairlead, BROKEN)
    code, out, err = fairlead("config", "set", "aliases.quick", "gpt-5")
    assert (code, out) == (1, "aliases.quick   gpt-5\n")
    assert err.startswith("error: the running proxy on :")
    assert " did not take it: " in err
    assert "It keeps the previous configuration.\n" in err
    assert "fairlead backend add nobody" in err
    code, out, _ = fairlead("config", "unset", "default_backend")
    assert code == 0
    assert "uses it now." in out


@pytest.mark.parametrize("text", [BROKEN, "[aliases\n", 'tls.ca_file = "/nonexistent.pem"\n'])
def test_commands_show_it_first(fairlead, eventually, text):
    """As long as it lasts, with the proxy's own words and what helps; then no more."""
    fairlead.start("proxy", "--port", "0")
    write(fairlead, text)
    eventually(lambda: run_files.live(open_home(fairlead.environ))[0].refused)
    for command in ("config show", "backend list", "models", "usage", "explain demo"):
        err = fairlead(*command.split()).err
        assert err.startswith(SAID), command
        assert "\n      " in err
    write(fairlead, "")
    assert fairlead("config", "set", "verbose", "0").code == 0
    for command in ("config show", "backend list", "usage"):
        assert fairlead(*command.split()).err == ""


def test_what_would_keep_a_proxy_from_starting_is_shown(fairlead):
    """Where none runs, from the files."""
    write(fairlead, BROKEN)
    for command in ("config show", "backend list", "usage"):
        assert fairlead(*command.split()).err.startswith(START)
    assert fairlead("backend", "list", FAIRLEAD_DEFAULT_BACKEND="demo").err == ""


def test_removing_the_default_backend_says_so(fairlead):
    """Without a proxy as a note, with one as its refusal; in both cases with what helps."""
    add = ("backend", "add", "office", "--base-url", "http://127.0.0.1:9", "--protocols", "chat", "--no-key")
    fairlead(*add)
    assert fairlead("config", "set", "default_backend", "office").err == ""
    code, _, err = fairlead("backend", "remove", "office")
    assert code == 0
    assert err.startswith(START)
    assert "fairlead backend add office" in err
    fairlead(*add)
    fairlead.start("proxy", "--port", "0")
    code, _, err = fairlead("backend", "remove", "office")
    assert code == 1
    assert "did not take it: config.toml, line 1: default_backend is office" in err
