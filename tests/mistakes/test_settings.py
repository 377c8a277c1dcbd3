"""Settings in config.toml, in the environment and on the command line."""

import pytest

from router.store.home import run_files
from router.store.home.home import open_home

from .mistake import Mistake

MISTAKES = {
    "F1": Mistake("misspells a setting", "unknown setting", "prot", "Did you mean port?"),
    "F2": Mistake("gives a bad value", "two minutes", "timeouts.idle", "expected a number with a unit"),
    "F3": Mistake("writes an unknown key", "unknown key", "config.toml, line 2", "did you mean port?"),
    "F4": Mistake("breaks the syntax of the file", "invalid TOML", "config.toml, line 2", "fairlead config edit"),
    "F5": Mistake(
        "breaks the file while the proxy runs",
        "keeps its previous configuration",
        "config.toml, line 1",
        "fairlead config edit",
    ),
    "F6": Mistake("sets a variable to a bad value", '"abc"', "$FAIRLEAD_PORT", "expected a port number"),
    "F7": Mistake("misspells a variable", "is not a setting", "$FAIRLEAD_PROT", "did you mean $FAIRLEAD_PORT?"),
    "F8": Mistake("listens for others without a key", "no API key is set", "0.0.0.0", "config set api_key --stdin"),
    "F9": Mistake(
        "gives a rule an unknown condition",
        "is not a known condition",
        "config.toml, line 3: routes 1 when.tokens",
        "expected one of model, protocol, client",
    ),
    "F10": Mistake(
        "has options for a backend that does not exist",
        "does not exist",
        "config.toml, line 1: backends.nope",
        "fairlead backend add nope",
    ),
}


def write(fairlead, text):
    """The config file of the fixture's home."""
    open_home(fairlead.environ).write("config.toml", text.encode())


def test_f1(fairlead):
    """The setting that was meant is suggested."""
    code, _, err = fairlead("config", "set", "prot", "1")
    assert code == 1
    MISTAKES["F1"].check(err)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("timeouts.idle", "two minutes", "expected a number with a unit"),
        ("port", "80x", "expected a port number"),
        ("guard.day_usd", "lots", "expected"),
        ("passthrough", "some", "expected api or all"),
    ],
)
def test_f2(fairlead, key, value, expected):
    """What was expected is said."""
    code, _, err = fairlead("config", "set", key, value)
    assert code == 1
    MISTAKES["F2"]._replace(cause=value, place=key, command=expected).check(err)


def test_f3(fairlead):
    """It is warned of with its line."""
    write(fairlead, "# mine\nprot = 1\n")
    code, _, err = fairlead("config", "show")
    assert code == 0
    MISTAKES["F3"].check(err)


def test_f4(fairlead):
    """The start is refused with file and line."""
    write(fairlead, "# mine\nport = \n")
    code, _, err = fairlead("proxy")
    assert code == 1
    MISTAKES["F4"].check(err)


def test_f5(fairlead, eventually):
    """Commands say it first, and the proxy goes on; the command that helps works."""
    fairlead.start("proxy", "--port", "0")
    write(fairlead, "[aliases\n")
    eventually(lambda: run_files.live(open_home(fairlead.environ))[0].refused)
    for command in ("config show", "backend list", "models", "usage", "explain demo"):
        MISTAKES["F5"].check(fairlead(*command.split()).err)
    done = fairlead("config", "edit", EDITOR="python3 -c 'import sys; open(sys.argv[1], \"w\").close()'")
    assert done.code == 0
    assert "uses it now." in done.out


def test_f6(fairlead):
    """The variable is named."""
    code, _, err = fairlead("proxy", FAIRLEAD_PORT="abc")
    assert code == 1
    MISTAKES["F6"].check(err)


def test_f7(fairlead):
    """It is warned of where settings are shown, and at the start."""
    code, _, err = fairlead("config", "show", FAIRLEAD_PROT="1")
    assert code == 0
    MISTAKES["F7"].check(err)
    process = fairlead.start("proxy", "--port", "0", FAIRLEAD_PROT="1")
    MISTAKES["F7"].check(*process.lines)


def test_f8(fairlead):
    """The setting is not saved until there is a key; the commands that are named work."""
    code, _, err = fairlead("config", "set", "host", "0.0.0.0", FAIRLEAD_REQUIRE_KEY="auto")
    assert code == 1
    MISTAKES["F8"].check(err)
    assert fairlead("config", "set", "api_key", "--stdin", stdin="k" * 48).code == 0
    assert fairlead("config", "set", "host", "0.0.0.0", FAIRLEAD_REQUIRE_KEY="auto").code == 0


def test_f9(fairlead):
    """The known conditions are listed."""
    write(fairlead, '[[routes]]\nmodel = "x"\nwhen.tokens = 5\n')
    code, _, err = fairlead("proxy")
    assert code == 1
    MISTAKES["F9"].check(err)


def test_f10(fairlead):
    """It is warned of when it is set, and where settings are shown."""
    code, _, err = fairlead("config", "set", "backends.nope.rpm", "5")
    assert code == 0
    MISTAKES["F10"].check(err)
    MISTAKES["F10"].check(fairlead("config", "show").err)
