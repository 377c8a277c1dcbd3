"""Real hosts take the sub-agent and the skill that `fairlead subagent install` writes.

Each is used where it is installed (`agents.find`)."""

import json
import os
import re
import subprocess
import sys

import pytest

from router.cli.subagent.target import list_tools
from router.setup.agents.texts import DESCRIPTION

from . import agents
from .asking_model import DONE, call, find_results
from .asking_model import list_tools as list_offered

pytestmark = pytest.mark.slow
MODEL = "claude-mock-1"
PROMPT = "Why was my last request slow? Ask the sub-agent fairlead."
HOSTS = {
    "claude-code": ["-p", PROMPT, "--model", MODEL, "--permission-mode", "bypassPermissions"],
    "codex": ["exec", "--skip-git-repo-check", PROMPT],
    "opencode": ["run", "-m", f"gw/{MODEL}", PROMPT],
}
#: All tools are in the first request, which waits for the server.
AT_ONCE = {"ENABLE_TOOL_SEARCH": "false", "MCP_CONNECTION_NONBLOCKING": "false", "IS_SANDBOX": "1"}


class Run:
    """One host on a home of its own, behind a proxy."""

    def __init__(self, name, folder, proxy):
        if agents.find(agents.AGENTS[name].program) is None:
            pytest.skip(f"{name} is not installed")
        wire = "responses" if name == "codex" else "messages"
        self.name, self.folder = name, folder
        root = f"http://127.0.0.1:{proxy.port}"
        self.command, self.options = agents.prepare(name, folder, root, wire, model=MODEL, command=HOSTS[name])
        self.options["env"] |= AT_ONCE
        self.environ = {**self.options["env"], "FAIRLEAD_HOME": str(proxy.home)}

    def install(self, *arguments):
        """`fairlead subagent install`, which starts this program."""
        words = [sys.executable, "-m", "router", "subagent", "install", "--yes", *arguments]
        done = subprocess.run(
            words, env=self.environ, cwd=self.options["cwd"], capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done

    def ask(self, *arguments):
        """What the host prints."""
        words = [self.command[0], *arguments] if arguments else self.command
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120, **self.options
        )
        assert done.returncode == 0, done
        return done.stdout + done.stderr


def delegate(body):
    """The session calls the sub-agent; the sub-agent asks `why`."""
    offered = list_offered(body)
    if find_results(body):
        return DONE
    if "mcp__fairlead__why" in offered:
        return call("mcp__fairlead__why", id="latest")
    agent = next((name for name in ("Agent", "Task", "task") if name in offered), None)
    if agent is None:
        return DONE
    return call(agent, subagent_type="fairlead", description="Look at a request", prompt="Why was it slow?")


def test_claude_code_delegates(tmp_path, model, proxy):
    """The session is told of the sub-agent and has none of its tools; the sub-agent has these, and no shell."""
    model.choose = delegate
    run = Run("claude-code", tmp_path / "run", proxy)
    run.install()
    run.ask()
    bodies = [body for body in model.requests if body.get("tools")]
    inner = [body for body in bodies if "mcp__fairlead__why" in list_offered(body)]
    outer = [body for body in bodies if body not in inner]
    assert outer
    assert inner
    assert DESCRIPTION in json.dumps(outer, ensure_ascii=False)
    assert all(not name.startswith("mcp__fairlead") for body in outer for name in list_offered(body))
    assert {*list_offered(inner[0])} == {f"mcp__fairlead__{name}" for name in list_tools()}
    assert "You answer questions about fairlead" in json.dumps(inner[0]["system"])
    assert inner[0]["model"] == MODEL
    assert any("first_byte_ms" in result for result in model.results())


def test_codex_takes_it_without_a_warning(tmp_path, model, proxy):
    """One whose file lacks its instructions is told of; so it does read the folder."""
    model.choose = lambda body: DONE
    run = Run("codex", tmp_path / "run", proxy)
    run.install("--tool", "codex")
    assert "malformed" not in run.ask()
    path = tmp_path / "run" / "agent" / ".codex" / "agents" / "fairlead.toml"
    text = path.read_text()
    path.write_text(text.replace("developer_instructions", "other_instructions"))
    assert "malformed agent role" in run.ask()
    path.write_text(text)


def spawn(body):
    """The same in Codex: the session starts the sub-agent and waits for it."""
    offered, results = list_offered(body), find_results(body)
    if "You answer questions about fairlead" in json.dumps(body):
        why = next((name for name in offered if name.endswith("why")), None)
        return call(why, id="latest") if why is not None and not results else DONE
    start = next((name for name in offered if name.endswith("spawn_agent")), None)
    if start is None or len(results) > 1:
        return DONE
    if not results:
        return call(start, agent_type="fairlead", message="Why was the last request slow?")
    started = re.search(r"agent_id[^0-9a-f]+([0-9a-f-]{36})", json.dumps(results))
    return call(start.replace("spawn_agent", "wait_agent"), targets=[started[1]]) if started is not None else DONE


def test_codex_delegates(tmp_path, model, proxy):
    """The sub-agent has its instructions, and the session's tools: Codex takes none from its file."""
    model.choose = spawn
    run = Run("codex", tmp_path / "run", proxy)
    run.install("--tool", "codex")
    words = [sys.executable, "-m", "router", "setup", "codex", "--mcp", "--yes"]
    subprocess.run(words, env=run.environ, cwd=tmp_path, capture_output=True, check=True, timeout=120)
    run.ask()
    bodies = [body for body in model.requests if body.get("tools")]
    inner = [body for body in bodies if "You answer questions about fairlead" in json.dumps(body)]
    outer = [body for body in bodies if body not in inner]
    assert inner
    assert DESCRIPTION in json.dumps(outer, ensure_ascii=False)
    named = [name.rpartition("fairlead")[2].strip("_") for name in list_offered(inner[0]) if "fairlead" in name]
    assert {*named} == {*list_tools()}
    assert any("first_byte_ms" in result for result in model.results())


def test_opencode_lists_it(tmp_path, model, proxy):
    """As a sub-agent, with the commands that it may run."""
    run = Run("opencode", tmp_path / "run", proxy)
    run.install("--tool", "opencode")
    said = run.ask("agent", "list")
    assert "fairlead (subagent)" in said
    assert "fairlead why*" in said


@pytest.mark.parametrize(
    ("command", "allowed"),
    [
        ("fairlead --version", False),
        ("fairlead why - --json", True),
        ("fairlead why - > taken", False),
        ("fairlead why - ; touch taken", False),
        ("fairlead why $(touch taken)", False),
        ("fairlead doctor --probe", False),
        ("touch taken", False),
    ],
)
def test_opencode_runs_only_commands_that_look(tmp_path, model, proxy, command, allowed):
    """Nothing else, also behind one that it may run."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "fairlead").write_text('#!/bin/sh\necho was-run "$@"\n')
    (programs / "fairlead").chmod(0o755)

    def choose(body):
        offered = list_offered(body)
        if find_results(body):
            return DONE
        if "You answer questions about fairlead" in json.dumps(body.get("system", "")):
            return call("bash", command=command, description="Look") if "bash" in offered else DONE
        return delegate(body)

    model.choose = choose
    run = Run("opencode", tmp_path / "run", proxy)
    run.options["env"]["PATH"] = os.pathsep.join((str(programs), run.options["env"]["PATH"]))
    run.environ["PATH"] = run.options["env"]["PATH"]
    run.install("--tool", "opencode")
    run.ask()
    inner = [body for body in model.requests if "You answer questions about fairlead" in json.dumps(body["system"])]
    assert inner
    assert "bash" in list_offered(inner[0])
    assert any("rule which prevents you" in result for result in model.results()) is not allowed
    assert any("was-run why" in result for result in model.results()) is allowed
    assert not [*(tmp_path / "run").rglob("taken")]


@pytest.mark.parametrize("name", HOSTS)
def test_the_skill_is_offered(tmp_path, model, proxy, name):
    """Its description is in what the host tells the model."""
    model.choose = lambda body: DONE
    run = Run(name, tmp_path / "run", proxy)
    run.install("--skill")
    run.ask()
    assert "Installs, sets up and debugs fairlead" in json.dumps(model.requests)
