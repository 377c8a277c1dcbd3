"""`fairlead setup TOOL --check`: the tool runs once, and its request is found, or what was seen is said."""

import json
from types import SimpleNamespace

import pytest

from router.cli.setup import check

from .test_command import add_program

# A tool that sends what its arguments say, as the real one does.
TOOL = """
import json, os, pathlib, sys, urllib.request
settings = json.loads((pathlib.Path.home() / ".claude" / "settings.json").read_text())
url, key = settings["env"]["ANTHROPIC_BASE_URL"], settings["env"]["ANTHROPIC_AUTH_TOKEN"]
assert os.listdir(".") == [] and "FAIRLEAD_HOME" not in os.environ
body = {"model": sys.argv[sys.argv.index("--model") + 1], "max_tokens": 9,
        "messages": [{"role": "user", "content": sys.argv[sys.argv.index("-p") + 1]}]}
request = urllib.request.Request(url + "/v1/messages", json.dumps(body).encode(), headers={
    "content-type": "application/json", "authorization": "Bearer " + key, "anthropic-version": "2023-06-01",
    "x-app": "cli", "x-claude-code-session-id": "s", "user-agent": "claude-cli/2.1.332"})
print(urllib.request.urlopen(request).read().decode())
"""


@pytest.fixture
def claude(fairlead):
    """Claude Code's folder, with a running proxy."""
    (fairlead.folder / ".claude").mkdir()
    fairlead.start("proxy", "--port", "0")
    return fairlead.folder / ".claude" / "settings.json"


def test_answer_and_errors(fairlead, claude):
    """An answer, with what served it; an error, with the request; no request, with what the tool said."""
    path = add_program(fairlead, "claude", "print('2.1.332')" + TOOL)
    assert fairlead("setup", "claude-code", "--yes", PATH=path).code == 0
    code, out, err = fairlead("setup", "claude-code", "--check", PATH=path)
    assert (code, err) == (0, "")
    assert "Claude Code got an answer through fairlead: demo of demo" in out
    assert "fairlead why req_" in out
    found = json.loads(fairlead("setup", "claude-code", "--check", "--json", PATH=path).out)
    assert (found["ok"], found["exit_code"], found["model"]) == (True, 0, "demo")
    assert [one["client"] for one in found["requests"]] == ["claude-code"]
    code, _, err = fairlead("setup", "claude-code", "--check", "--model", "demo-500", PATH=path)
    assert code == 1
    assert "Claude Code reached fairlead, and got an error for demo-500" in err
    assert "fairlead why req_" in err
    add_program(fairlead, "claude", "import sys; sys.exit('no idea')")
    code, _, err = fairlead("setup", "claude-code", "--check", PATH=path)
    assert code == 1
    assert "no request of Claude Code came; it ended with exit code 1: no idea." in err


def test_what_is_missing(fairlead):
    """A program, or a proxy."""
    path = add_program(fairlead, "claude", "")
    code, _, err = fairlead("setup", "claude-code", "--check", PATH=path)
    assert (code, "no proxy is running" in err) == (1, True)
    code, _, err = fairlead("setup", "claude-code", "--check", PATH="")
    assert (code, "`claude` is not on PATH" in err) == (1, True)


def test_a_request_that_is_written_late(monkeypatch):
    """The history is looked at until an answered request is in it; where none comes, what is there counts."""
    failed, good = SimpleNamespace(status=529, error="overloaded"), SimpleNamespace(status=200, error="")
    looks = [[], [failed], [good, failed]]
    monkeypatch.setattr(check, "_find_requests", lambda *_: looks.pop(0) if len(looks) > 1 else looks[0])
    monkeypatch.setattr(check, "_BETWEEN", 0.0)
    assert check._await_requests(None, None, "m", 0.0) == ([good, failed], good)
    looks[:] = [[failed]]
    monkeypatch.setattr(check, "_WRITE_SECONDS", 0.0)
    assert check._await_requests(None, None, "m", 0.0) == ([failed], None)
