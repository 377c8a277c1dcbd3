"""`fairlead config show`, `get` and `path`: the effective settings, where each comes from, and no secret."""

import json
import os
import stat
import sys

import pytest

from router.settings import DECLARATIONS
from router.store.home.home import open_home

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")

TEXT = """# mine
port = 4000
api_key = "hidden-key-of-mine"
openai_api_key = "hidden-too"
[timeouts]
idle = "2m"
idel = 5
[aliases]
"gpt-4.1" = "openai:gpt-4.1"
[[routes]]
name = "long"
when = {tokens_over = 9}
model = "x"
set_headers = {X-Auth = "hidden-header", X-Title = "mine"}
[backends.groq]
timeouts.idle = "30s"
"""


def write(fairlead, text):
    """The config file of the fixture's home."""
    open_home(fairlead.environ).write("config.toml", text.encode())


def rows(out):
    """Key -> value, source."""
    found = {}
    for line in out.splitlines():
        key, value, source = (cell.strip() for cell in line.split("   ") if cell.strip())
        found[key] = (value, source)
    return found


def test_show_has_every_setting_with_its_source(fairlead):
    """Without a file all are defaults."""
    code, out, err = fairlead("config", "show")
    assert (code, err) == (0, "")
    found = rows(out)
    assert set(found) == {entry.key for entry in DECLARATIONS}
    assert found.pop("require_key") == ("off", "$FAIRLEAD_REQUIRE_KEY")
    assert {source for _, source in found.values()} == {"default"}
    assert found["timeouts.total"][0] == "1800s"
    assert found["api_key"][0] == found["model"][0] == "unset"


def test_show_a_file(fairlead):
    """Values of the file with their lines, entries of tables, unknown keys with a warning; what is secret is `set`."""
    write(fairlead, TEXT)
    code, out, err = fairlead("config", "show", FAIRLEAD_PORT="5000")
    assert code == 0
    found = rows(out)
    assert found["port"] == ("5000", "$FAIRLEAD_PORT")
    assert found["api_key"] == ("set", "config.toml, line 3")
    assert found["timeouts.idle"] == ("120s", "config.toml, line 6")
    assert found["openai_api_key"] == ("set", "config.toml, line 4, unknown")
    assert found["timeouts.idel"] == ("5", "config.toml, line 7, unknown")
    assert found["aliases.gpt-4.1"] == ("openai:gpt-4.1", "config.toml, line 9")
    assert found["routes 1 when.tokens_over"] == ("9", "config.toml, line 12")
    assert found["routes 1 set_headers.X-Auth"] == ("set", "config.toml, line 14")
    assert found["routes 1 set_headers.X-Title"] == ("mine", "config.toml, line 14")
    assert found["backends.groq.timeouts.idle"] == ("30s", "config.toml, line 16")
    assert "line 7: unknown key timeouts.idel; did you mean timeouts.idle?" in err
    assert "hidden" not in out + err


def test_show_as_json(fairlead):
    """The same, with times in seconds and null for what is unset."""
    write(fairlead, TEXT)
    code, out, err = fairlead("config", "show", "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert set(shown) == {"settings", "tables", "unknown", "warnings"}
    settings = {row["key"]: row for row in shown["settings"]}
    assert settings["timeouts.idle"] == {"key": "timeouts.idle", "value": 120.0, "source": "config.toml, line 6"}
    assert (settings["model"]["value"], settings["api_key"]["value"], settings["demo"]["value"]) == (None, "set", True)
    assert {row["key"] for row in shown["unknown"]} == {"openai_api_key", "timeouts.idel"}
    assert len(shown["warnings"]) == 4
    assert "hidden" not in out


@pytest.mark.parametrize(
    ("key", "value", "as_json"),
    [
        ("port", "4000", "4000"),
        ("timeouts.idle", "120s", "120.0"),
        ("timeouts.total", "1800s", "1800.0"),
        ("api_key", "set", '"set"'),
        ("model", "", "null"),
        ("allowed_hosts", "", "[]"),
        ("demo", "on", "true"),
        ("require_key", "off", '"off"'),
        ("aliases.gpt-4.1", "openai:gpt-4.1", '"openai:gpt-4.1"'),
        ("aliases.GPT-4.1", "openai:gpt-4.1", '"openai:gpt-4.1"'),
        ("aliases.none", "", "null"),
        ("backends.groq.timeouts.idle", "30s", '"30s"'),
        ("backends.groq.timeouts.total", "1800s", "1800.0"),
        ("backends.other.usage_probe", "on", "true"),
        ("backends.groq.max_tokens", "", "null"),
        ("aliases", '{"gpt-4.1": "openai:gpt-4.1"}', '{"gpt-4.1": "openai:gpt-4.1"}'),
    ],
)
def test_get_prints_the_value_alone(fairlead, key, value, as_json):
    """As it holds: the file's, or the default; what a backend does not set is that of all."""
    write(fairlead, TEXT)
    assert fairlead("config", "get", key) == (0, f"{value}\n", "")
    assert fairlead("config", "get", key, "--json") == (0, f"{as_json}\n", "")


def test_get_shows_no_secret(fairlead):
    """Nor inside a table."""
    write(fairlead, TEXT)
    code, out, err = fairlead("config", "get", "routes")
    assert code == 0
    assert "long" in out
    assert "hidden" not in out + err


def test_get_of_no_setting(fairlead):
    """Exit code 1 with the nearest one."""
    code, out, err = fairlead("config", "get", "timeouts.idel")
    assert (code, out) == (1, "")
    assert err == "error: unknown setting timeouts.idel.\n       Did you mean timeouts.idle?\n"


def test_path_needs_no_file(fairlead):
    """It is where the file would be; a broken one does not matter."""
    path = str(fairlead.home / "config.toml")
    assert fairlead("config", "path") == (0, f"{path}\n", "")
    write(fairlead, "broken")
    assert fairlead("config", "path") == (0, f"{path}\n", "")


@pytest.mark.parametrize(
    "command", [["config", "show"], ["config", "get", "port"], ["env"], ["proxy"], ["demo", "--once"]]
)
def test_bad_file_stops_every_command(fairlead, command):
    """It is never taken for defaults in silence."""
    write(fairlead, '[timeouts]\nidle = "two minutes"\n')
    code, out, err = fairlead(*command)
    assert (code, out) == (1, "")
    assert err == (
        'error: ~/home/config.toml, line 2: timeouts.idle is "two minutes"; '
        "expected a number with a unit, such as 120s or 2m.\n       Change it:   fairlead config edit\n"
    )


@posix
def test_file_others_can_read_stops_every_command(fairlead):
    """It may hold the API key."""
    write(fairlead, "port = 1\n")
    (fairlead.home / "config.toml").chmod(0o644)
    for command in (["config", "show"], ["env"], ["config", "set", "port", "2"]):
        code, _, err = fairlead(*command)
        assert code == 1
        assert "can be read by others (mode 0644)" in err
    assert stat.S_IMODE(os.stat(fairlead.home / "config.toml").st_mode) == 0o644


def test_commands_use_the_file(fairlead):
    """`env` prints its port, and says once what it does not know; the environment still wins."""
    write(fairlead, "port = 4001\nprot = 1\n")
    code, out, err = fairlead("env")
    assert code == 0
    assert "http://localhost:4001" in out
    assert err.count("unknown key prot; did you mean port?") == 1
    assert "http://localhost:4002" in fairlead("env", FAIRLEAD_PORT="4002").out


def test_proxy_uses_the_file(fairlead):
    """It serves as the file says: here on a free port, without the demo models, with a key."""
    write(fairlead, 'port = 0\ndemo = "off"\nunknown = 1\n[timeouts]\nidle = "2m"\n')
    process = fairlead.start("proxy")
    said = "\n".join(process.lines)
    assert said.count("unknown key unknown") == 1
    assert "no backends yet\n" in said
    assert "demo models" not in said
    assert "http://localhost:3456" not in said


def test_demo_is_answered_by_the_demo(fairlead):
    """Whatever routing is configured: a forced model, an alias of that name, a rule for everything."""
    write(
        fairlead,
        'model = "a:b"\ndemo = false\n[aliases]\ndemo = "a:b"\n[[routes]]\nbackend = "nowhere"\nmodel = "x"\n',
    )
    code, out, _ = fairlead("demo", "--once", "--port", "0")
    assert code == 0
    assert "  asked in    messages" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "usage: fairlead config COMMAND"),
        (["--help"], 0, "usage: fairlead config COMMAND"),
        (["sow"], 2, "Did you mean:   fairlead config show"),
        (["show", "x"], 2, "unexpected argument: x"),
        (["get"], 2, "KEY"),
    ],
)
def test_usage(fairlead, arguments, code, said):
    """Errors of use are exit code 2 and say what would be right."""
    done = fairlead("config", *arguments)
    assert done.code == code
    assert said in done.out + done.err


def test_a_proxys_login_is_no_argument(fairlead):
    """Its URL may be one without a login; with one it comes over standard input and is shown nowhere."""
    code, out, err = fairlead("config", "set", "upstream_proxy", "http://me:hunter2@proxy:8080")
    assert code == 2
    assert "hunter2" not in out + err
    assert "config set upstream_proxy --stdin" in err
    assert fairlead("config", "set", "upstream_proxy", "http://proxy:8080")[0] == 0
    assert fairlead("config", "get", "upstream_proxy")[1] == "http://proxy:8080\n"
