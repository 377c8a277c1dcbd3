"""Real agents start `fairlead mcp` and use it: a scripted model calls `why`, and is given what the history has.

Each is used where it is installed (`agents.find`). VS Code needs a screen, and is not among them."""

import json
import subprocess
import sys

import pytest

from . import agents

pytestmark = pytest.mark.slow
PROMPT = "use the fairlead tools: why was my last request slow?"
MODEL = "claude-mock-1"


def _prepare_copilot(home, root, model, wire):
    """It takes any provider, without a login of its own."""
    environ = {
        "COPILOT_PROVIDER_TYPE": "anthropic",
        "COPILOT_PROVIDER_BASE_URL": root,
        "COPILOT_PROVIDER_API_KEY": agents.KEY,
        "COPILOT_MODEL": model,
        "COPILOT_HOME": str(home / ".copilot"),
        "COPILOT_AUTO_UPDATE": "false",
    }
    return agents.Setup(["-p", PROMPT, "--allow-all-tools"], environ)


COPILOT = agents.Agent("copilot", ("messages",), _prepare_copilot)
#: What each is run with.
HOSTS = {
    "claude-code": ["-p", PROMPT, "--model", MODEL, "--allowedTools", "mcp__fairlead__why"],
    "codex": ["exec", "--skip-git-repo-check", PROMPT],
    "opencode": ["run", "-m", f"gw/{MODEL}", PROMPT],
    "qwen": ["-p", PROMPT, "--yolo", "--auth-type", "anthropic", "-m", MODEL],
    "copilot": ["-p", PROMPT, "--allow-all-tools"],
}
#: What each is in the history; Qwen Code does not name itself where it speaks Messages.
CLIENTS = {"claude-code": "claude-code", "codex": "codex", "opencode": "opencode", "qwen": "anthropic-sdk"}
# For Claude Code: all tools are in the first request, which waits for the server. Qwen Code has a setting for that.
AT_ONCE = {"ENABLE_TOOL_SEARCH": "false", "MCP_CONNECTION_NONBLOCKING": "false"}


def register(name, home, environ):
    """As `fairlead setup` does, or by the command that it prints for Claude Code."""
    command = [sys.executable, "-m", "router", "setup", name, "--mcp"]
    own = {**environ, "FAIRLEAD_HOME": str(home)}
    how = "--json" if name == "claude-code" else "--yes"
    done = subprocess.run([*command, how], env=own, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done
    if name == "claude-code":
        [command] = json.loads(done.stdout)["instead"]
        subprocess.run(["/bin/sh", "-c", command], env=environ, check=True, capture_output=True, timeout=120)


@pytest.mark.parametrize("name", HOSTS)
def test_an_agent_asks_why(tmp_path, monkeypatch, model, proxy, name):
    """Registered as `setup --mcp` does it, the host offers all tools, calls one, and gives the model the request
    before."""
    monkeypatch.setitem(agents.AGENTS, "copilot", COPILOT)
    if agents.find(agents.AGENTS[name].program) is None:
        pytest.skip(f"{name} is not installed")
    wire = "responses" if name == "codex" else "messages"
    root = f"http://127.0.0.1:{proxy.port}"
    command, options = agents.prepare(name, tmp_path / "run", root, wire, model=MODEL, command=HOSTS[name])
    options["env"] |= AT_ONCE
    if name == "qwen":
        settings = tmp_path / "run" / "agent" / ".qwen" / "settings.json"
        settings.write_text(
            json.dumps({**json.loads(settings.read_text()), "tools": {"toolSearch": {"enabled": False}}})
        )
    register(name, proxy.home, options["env"])
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120, **options)
    assert done.returncode == 0, done
    bare = {tool.rpartition("fairlead")[2].strip("_-") for tool in model.offered() if "fairlead" in tool}
    assert {"why", "status", "doctor", "models", "explain", "requests", "usage", "limits", "config"} <= bare
    [result] = model.results()
    assert MODEL in result
    assert "first_byte_ms" in result
    assert CLIENTS.get(name, "") in result
