"""`fairlead env`: lines a shell can evaluate."""

import json
import shlex
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.backends import Backend
from router.cli.common.output import build_variables, collect_login_protocols, format_tool_lines
from router.cli.env import format_assignment
from router.store.config import backends
from router.store.home import run_files
from router.store.home.home import Home, open_home

ANTHROPIC = Backend(name="anthropic", root="https://api.anthropic.com/v1", protocols=("messages",), auth="client")


def test_lines_for_a_machine_of_ones_own(fairlead):
    """Four variables point both SDK families here; the key is a placeholder when none is asked for."""
    code, out, err = fairlead("env", "--shell", "sh", FAIRLEAD_PORT="4000")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "export ANTHROPIC_BASE_URL=http://localhost:4000",
        "export ANTHROPIC_API_KEY=fairlead",
        "export OPENAI_BASE_URL=http://localhost:4000/v1",
        "export OPENAI_API_KEY=fairlead",
    ]


def test_required_key_is_in_the_lines(fairlead):
    """Where clients must send a key, the lines carry it: the configured one, or the home's own."""
    _, out, _ = fairlead("env", "--json", FAIRLEAD_REQUIRE_KEY="on")
    key = (fairlead.home / "client.key").read_text().strip()
    assert json.loads(out)["OPENAI_API_KEY"] == json.loads(out)["ANTHROPIC_API_KEY"] == key
    _, out, _ = fairlead("env", "--json", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_API_KEY="mine")
    assert json.loads(out)["OPENAI_API_KEY"] == "mine"


def test_running_proxy_is_pointed_at(fairlead):
    """The URL is the running proxy's."""
    home = open_home(fairlead.environ)
    run_files.write(
        home, run_files.Run(pid=_own_pid(), url="http://localhost:5555", port=5555, version="0", started=1.0)
    )
    _, out, _ = fairlead("env", "--json")
    assert json.loads(out)["OPENAI_BASE_URL"] == "http://localhost:5555/v1"


def _own_pid():
    import os

    return os.getpid()


def test_own_login_is_not_replaced(fairlead):
    """No key variable where a backend passes on the tool's own login: it would replace that login."""
    backends.save(Home(open_home(fairlead.environ).path), ANTHROPIC)
    code, out, err = fairlead("env", "--json")
    assert (code, err) == (0, "")
    assert set(json.loads(out)) == {"ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY"}
    _, _, err = fairlead("env", FAIRLEAD_REQUIRE_KEY="on")
    assert "x-fairlead-key" in err


def test_unreadable_backend_does_not_hide_the_lines(fairlead):
    """A malformed backend file is told on stderr; the lines come all the same."""
    open_home(fairlead.environ).write("backends/bad.json", b"{")
    code, out, err = fairlead("env")
    assert code == 0
    assert "ANTHROPIC_BASE_URL" in out
    assert "bad.json" in err


@pytest.mark.skipif(sys.platform == "win32", reason="sh")
def test_shell_takes_the_lines(fairlead):
    """A shell that evaluates the lines has the variables."""
    _, out, _ = fairlead("env", "--shell", "bash", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_API_KEY="a'b\"c$d`e")
    script = out + 'printf %s "$OPENAI_API_KEY"'
    assert subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True).stdout == "a'b\"c$d`e"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_posix_quoting(value):
    """Any key survives the quoting for POSIX shells."""
    assert shlex.split(format_assignment("sh", "KEY", value)) == ["export", f"KEY={value}"]


@pytest.mark.parametrize(
    ("shell", "text"),
    [
        ("zsh", "export K='a'\"'\"'b\\c'"),
        ("fish", r"set -gx K 'a\'b\\c'"),
        ("powershell", r"$env:K = 'a''b\c'"),
        ("cmd", r'set "K=a' + r"'b\c" + '"'),
    ],
)
def test_other_shells(shell, text):
    """Each shell gets its own words and quoting."""
    assert format_assignment(shell, "K", r"a'b\c") == text


def test_protocols_of_own_logins():
    """Only enabled backends with the caller's login count."""
    off = Backend(name="b", root="https://b.example/v1", protocols=("chat",), auth="client", enabled=False)
    keyed = Backend(name="c", root="https://c.example/v1", protocols=("responses",))
    assert collect_login_protocols([ANTHROPIC, off, keyed]) == {"messages"}
    assert set(build_variables("http://h", "k", frozenset({"responses"}))) == {
        "ANTHROPIC_BASE_URL",
        "ANTHROPIC_API_KEY",
        "OPENAI_BASE_URL",
    }


def test_printed_lines_never_hold_a_key():
    """The start-up text, which journals keep, names the command instead of the key."""
    lines = "\n".join(format_tool_lines("http://localhost:3456", asks_key=True))
    assert "API_KEY" not in lines
    assert "fairlead env" in lines
