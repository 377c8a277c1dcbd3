"""`fairlead __complete`: what may stand at the cursor, from the files at hand."""

import os
import socket
import subprocess
import sys

import pytest

from router.cli import COMMANDS
from router.cli.completions.complete import find_candidates
from router.cli.completions.files import Files
from router.cli.inspect.usage_tables import KEYS

from ...patience import PATIENCE
from .homes import CONFIG, SECRET, write_history, write_home

DEMO = [*("demo", "demo-tools", "demo-full", "demo-slow", "demo-429", "demo-500", "demo-529", "demo-cut", "demo-hang")]
NAMED = ["fast", "Slow One", "groq:llama-3.3-70b-versatile", "claude-opus-5", "office:qwen3-coder"]
SERVED = ["llama-3.3-70b-versatile", "groq:llama-3.3-70b-versatile"]
JSON = ["--json", "--help"]

# The line up to the cursor, and what may stand there. The last word is the cursor's.
LISTS = [
    ("backend ", ["add", "list", "set", "enable", "disable", "remove", "test"]),
    ("history ", ["export", "clear"]),
    ("help history ", ["export", "clear"]),
    ("status ", ["--watch", *JSON]),
    ("status --json ", ["--watch", "--help"]),
    ("status --json --w", ["--watch", "--help"]),
    ("backend set ", ["groq", "office"]),
    ("backend test groq --account ", ["work", "personal"]),
    ("backend test --json GROQ --account=", ["--account=work", "--account=personal"]),
    ("accounts remove groq ", ["work", "personal"]),
    ("accounts remove nothing ", []),
    ("accounts remove ../x ", []),
    ("accounts add groq ", []),
    ("models --backend ", ["groq", "office"]),
    ("models --backend=", ["--backend=groq", "--backend=office"]),
    ("usage --by ", [*KEYS, "home"]),
    ("usage --since ", ["60m", "24h", "7d", "today"]),
    ("usage --by day ", ["--since", "--team", *JSON]),
    ("backend add x --protocols ", ["messages", "chat", "responses", "gemini"]),
    ("backend add x --protocols chat,", ["chat,messages", "chat,responses", "chat,gemini"]),
    ("why ", ["-", "req_0000000000000000000b"]),
    ("why -- ", ["-", "req_0000000000000000000b"]),
    ("why req_0000000000000000000b ", JSON),
    ("explain ", [*NAMED[:2], *SERVED, *NAMED[3:], *DEMO]),
    ("explain demo --protocol ", ["messages", "chat", "responses", "gemini"]),
    ("proxy --loss ", ["warn", "strict", "silent"]),
    ("proxy --port ", []),
    ("config set loss ", ["warn", "strict", "silent"]),
    ("config set demo ", ["on", "off"]),
    ("config set port ", ["3456"]),
    ("config set default_backend ", ["groq", "office"]),
    ("config set losses.tools ", ["warn", "strict", "silent"]),
    ("config set backends.office.effort ", ["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
    ("config set api_key ", []),
    ("config set nothing.of.this ", []),
    ("keys ", ["add", "list", "set", "rotate", "revoke", "print"]),
    ("keys add ", []),
    ("keys set ", ["laptop", "tool-codex"]),
    ("keys rotate ", ["laptop", "tool-codex"]),
    ("keys revoke ", ["laptop", "tool-codex"]),
    ("keys print ", ["codex"]),
    ("keys set laptop --paths ", ["inference", "models", "all"]),
    ("keys add x --backends ", ["groq", "office"]),
    ("keys add x --backends groq,", ["groq,office"]),
    ("keys add x --models fast,", [f"fast,{name}" for name in [NAMED[1], *SERVED, *NAMED[3:], *DEMO]]),
    ("config set keys.laptop.paths ", ["inference", "all", "models"]),
    ("completions ", ["bash", "zsh", "fish", "powershell"]),
    ("completions bash ", ["--install", "--uninstall", "--help"]),
    ("login ", ["status", "refresh", "logout", "openrouter", "work"]),
    ("login logout ", ["work"]),
    ("login status ", JSON),
    ("login openrouter --backend ", ["groq", "office"]),
    ("help login ", ["status", "refresh", "logout"]),
    ("bogus ", []),
    ("backend bogus ", []),
]


@pytest.fixture
def home(tmp_path):
    """A home with two backends and one request."""
    home = write_home(tmp_path / "home")
    write_history(home)
    home.write("logins/work.json", b"{}")
    return home


def ask(home, line):
    """The candidates of a line, as Candidate, and whether files are offered."""
    *before, current = line.split(" ")
    return find_candidates(before, current, Files({"FAIRLEAD_HOME": str(home)}))


def names(home, line):
    return [one.value for one in ask(home, line)[0]]


def complete(path, shell, *words, **environ):
    """What the program prints for a line whose last word is the cursor's."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "router", "__complete", shell, str(len(words)), "fairlead", *words],
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env={"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(path), "HOME": str(path.parent), **environ},
    )


@pytest.mark.parametrize(("line", "expected"), LISTS)
def test_lists(home, line, expected):
    """Each place has its own words, and no others."""
    assert names(home.path, line) == expected


def test_the_first_word(home):
    """Every command in the order of the overview, groups once; options where a dash was typed."""
    found = names(home.path, "")
    assert found == [*COMMANDS, "help"]
    assert names(home.path, "-")[-2:] == ["--version", "--help"]


def test_keys_of_settings(home):
    """A table's names come once the table is typed, so that the list stays short; what goes on ends in a dot."""
    found = names(home.path, "config set ")
    assert {"port", "timeouts.idle", "aliases.", "backends.", "prices."} <= {*found}
    assert "backends.groq." in names(home.path, "config set backends.")
    assert "backends.office.rpm" in names(home.path, "config set backends.office.")
    assert "keys.laptop." in names(home.path, "config set keys.")
    assert "keys.laptop.budget.day_usd" in names(home.path, "config set keys.laptop.")
    assert "aliases.fast" in names(home.path, "config get aliases.")
    assert "guard.tags.day_usd.nightly" in names(home.path, "config set guard.tags.day_usd.")
    assert "guard.accounts.day_usd.groq/work" in names(home.path, "config set guard.accounts.day_usd.")
    assert "prices.claude-opus-5.input" in names(home.path, "config set prices.claude-opus-5.")
    unset = names(home.path, "config unset ")
    assert {"api_key", "aliases", "aliases.fast", "backends.office.rpm"} <= {*unset}
    assert "port" not in unset


def test_descriptions(home):
    """They say what a name is."""
    found = {
        one.value: one.about for line in ("explain ", "why ", "config set demo ") for one in ask(home.path, line)[0]
    }
    assert found["fast"] == "alias of groq:llama-3.3-70b-versatile"
    assert found["groq:llama-3.3-70b-versatile"] == "served by groq"
    assert found["req_0000000000000000000b"] == "2 h ago  fast  200"
    assert found["on"] == "default"


def test_files_are_left_to_the_shell(home):
    """It knows their names, and how to write them."""
    assert ask(home.path, "config import ") == ([], True)
    assert ask(home.path, "proxy --log-file=x")[1]
    assert ask(home.path, "config set tls.ca_file ")[1]
    assert ask(home.path, "explain ")[1]
    assert not ask(home.path, "usage ")[1]


def test_no_secret_is_printed(home):
    """Of what is stored, names alone come out."""
    for line in [line for line, _ in LISTS] + ["config set ", "config set backends.office.", "config unset "]:
        for found in ask(home.path, line)[0]:
            assert SECRET not in found.value + found.about, line


def test_a_key_in_a_variable_is_not_printed(home):
    """Names of variables are offered for --key-env, not what they hold."""
    done = complete(home.path, "fish", "backend", "add", "x", "--key-env", "", GROQ_API_KEY=SECRET)
    assert b"GROQ_API_KEY" in done.stdout
    assert SECRET.encode() not in done.stdout


def test_no_home_is_made(tmp_path):
    """A TAB before the first start leaves nothing behind, and still completes commands."""
    path = tmp_path / "none"
    for line in (["backend", ""], ["explain", ""], ["why", ""], ["config", "unset", ""]):
        done = complete(path, "bash", *line)
        assert (done.returncode, done.stderr) == (0, b"")
    assert not path.exists()
    assert names(path, "explain ") == DEMO


@pytest.mark.parametrize(
    "config", ["[aliases\n", "\x00\xff", "aliases = 3\nfallback = [[1]]\nroutes = 5\n", "[" * 9999]
)
def test_a_broken_config_still_completes(tmp_path, config):
    """Commands and models that need no config are there; the error is for the commands to report."""
    home = write_home(tmp_path / "home", config)
    assert names(home.path, "models --backend ") == ["groq", "office"]
    assert set(names(home.path, "explain ")) == {*DEMO}
    done = complete(home.path, "bash", "config", "")
    assert done.stdout.split() == b"words show get set unset path edit export import".split()
    assert done.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes in folders there")
def test_files_that_are_not_plain_are_not_read(tmp_path):
    """A pipe would wait for ever, and a link could lead anywhere."""
    home = write_home(tmp_path / "home")
    os.remove(home.at("config.toml"))
    os.mkfifo(home.at("config.toml"))
    os.rename(home.at("backends/groq.json"), tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", home.at("backends/groq.json"))
    home.at("backends/office.json").write_text("[" * 100_000)
    home.at("history.db").mkdir()
    assert names(home.path, "explain ") == DEMO
    assert names(home.path, "accounts remove groq ") == []
    assert names(home.path, "accounts remove office ") == []
    assert names(home.path, "why ") == ["-"]


def test_a_home_with_signs_of_addresses(tmp_path):
    """Its history is found although SQLite takes an address."""
    home = write_home(tmp_path / "a%20b#c?d e")
    write_history(home)
    assert names(home.path, "why ") == ["-", "req_0000000000000000000b"]


def test_a_damaged_history_is_left_out(tmp_path):
    """It has no requests, and no error shows up in the line that is typed."""
    home = write_home(tmp_path / "home")
    home.at("history.db").write_bytes(b"SQLite format 3\x00" + b"x" * 4096)
    assert names(home.path, "why ") == ["-"]


@pytest.mark.parametrize(
    "arguments",
    [[], ["bash"], ["bash", "x"], ["bash", "-1"], ["tcsh", "1", "fairlead", ""], ["bash", "99", "fairlead"]],
)
def test_a_wrong_call_prints_no_error(tmp_path, arguments):
    """A shell would show it in the middle of the line."""
    done = subprocess.run(
        [sys.executable, "-m", "router", "__complete", *arguments],
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(tmp_path / "none")},
    )
    assert done.stderr == b""


def test_nothing_heavy_is_loaded(home):
    """A TAB takes milliseconds: no settings, no network, no `typing` where commands alone are asked for."""
    program = (
        "import sys; from router.__main__ import main; sys.argv = ['fairlead', '__complete', 'bash', *sys.argv[1:]];"
        "main(); print(*sys.modules, file=sys.stderr)"
    )
    for words, allowed in ((("1", "fairlead"), set()), (("2", "fairlead", "explain"), {"typing", "re", "enum"})):
        done = subprocess.run(
            [sys.executable, "-S", "-E", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {program}", *words],
            capture_output=True,
            text=True,
            check=True,
            env={"FAIRLEAD_HOME": str(home.path)},
        )
        loaded = {*done.stderr.split()}
        heavy = {"typing", "re", "enum", "msgspec", "trio", "argparse", "logging", "ssl", "socket", "inspect", "httpx"}
        assert loaded & heavy <= allowed
        assert "router.settings" not in loaded


def test_no_socket_is_opened(home, monkeypatch):
    """Not even to a proxy that runs."""
    monkeypatch.setattr(socket, "socket", None)
    for line, expected in LISTS:
        assert names(home.path, line) == expected


def test_config_of_this_test_is_valid(home):
    """What the other tests read is what fairlead takes."""
    from router.store.config import toml

    assert toml.load_text(home, CONFIG, {}).unknown == ()
