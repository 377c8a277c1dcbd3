"""The tools themselves, where they are on PATH or in a folder of FAIRLEAD_CLIENT_TOOLS, on a home of their own: each
gets an answer by `fairlead run`, also where its own file or a proxy of the environment would lead it elsewhere."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="tools as scripts")]

ELSEWHERE = "http://127.0.0.1:9"
PATH = os.pathsep.join(filter(None, (os.environ.get("FAIRLEAD_CLIENT_TOOLS", ""), os.environ["PATH"])))
TOOLS = {
    "claude": ["-p", "Say OK"],
    "codex": ["exec", "--skip-git-repo-check", "Say OK"],
    "opencode": ["run", "Say OK"],
    # The folder of the test is none that it was told to trust.
    "gemini": ["-p", "Say OK", "--skip-trust"],
    "qwen": ["-p", "Say OK"],
    "cn": ["-p", "Say OK"],
    "aider": ["--message", "Say OK", "--no-git", "--yes-always", "--no-show-model-warnings"],
}
#: Those that keep URL and key in a file of their own, by the words that ask for the model that `setup` has registered.
BY_FILE = {
    "pi": ["-p", "Say OK"],
    "cline": ["Say OK"],
    "llm": ["-m", "fairlead/demo", "Say OK"],
}
#: Their names for `fairlead setup`, where these are others.
SETUP_NAMES = {"claude": "claude-code", "cn": "continue"}
#: A file of the tool that names another place.
FILES = {
    "claude": (".claude/settings.json", json.dumps({"env": {"ANTHROPIC_BASE_URL": ELSEWHERE}})),
    "codex": (
        ".codex/config.toml",
        f'model_provider = "other"\n[model_providers.other]\nname = "other"\nbase_url = "{ELSEWHERE}/v1"\n',
    ),
    "opencode": (
        ".config/opencode/opencode.json",
        # It adds the first member itself where it is not there.
        json.dumps(
            {
                "$schema": "https://opencode.ai/config.json",
                "provider": {"openai": {"options": {"baseURL": f"{ELSEWHERE}/v1"}}},
            }
        ),
    ),
    "gemini": (".gemini/settings.json", json.dumps({"security": {"auth": {"selectedType": "oauth-personal"}}})),
    "aider": (".aider.conf.yml", f"openai-api-base: {ELSEWHERE}/v1\nopenai-api-key: k\n"),
    "cn": (
        ".continue/config.yaml",
        "name: mine\nversion: '1'\nschema: v1\nmodels:\n"
        f"  - {{name: other, provider: openai, model: x, apiBase: {ELSEWHERE}, apiKey: k}}\n",
    ),
}


def start(fairlead, tool, *words, **environ):
    """A command that starts a tool, once it has ended."""
    if shutil.which(tool, path=PATH) is None:
        pytest.skip(f"{tool} is not on PATH")
    return subprocess.run(
        fairlead._line(words),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**fairlead.environ, "PATH": PATH, **environ},
        cwd=fairlead.folder,
        timeout=180,
    )


def drive(fairlead, tool, *options, **environ):
    """Run a tool with the demo's model: its exit code, what it said, and its summary."""
    words = ["run", "--model", "demo", *options, "--summary", "json", "s.json", "--", tool, *TOOLS[tool]]
    done = start(fairlead, tool, *words, **environ)
    return done, json.loads((fairlead.folder / "s.json").read_text())


def check(done, summary):
    assert done.returncode == 0, done.stderr
    assert "Say OK" in done.stdout
    assert summary["usage"]["requests"] >= 1
    assert summary["usage"]["errors"] == 0


@pytest.mark.parametrize("tool", TOOLS)
def test_it_gets_an_answer(fairlead, tool):
    """The tool answers with what the demo echoes, and its requests carry its key."""
    check(*drive(fairlead, tool))


@pytest.mark.parametrize("tool", TOOLS)
def test_a_proxy_of_the_environment(fairlead, tool):
    """A proxy that the environment names does not get what is meant for this machine."""
    check(*drive(fairlead, tool, HTTP_PROXY=ELSEWHERE, HTTPS_PROXY=ELSEWHERE))


@pytest.mark.parametrize("tool", FILES)
def test_a_file_that_leads_elsewhere(fairlead, tool):
    """What the tool's own file says does not lead it elsewhere, and stays as it is."""
    name, text = FILES[tool]
    path = fairlead.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    check(*drive(fairlead, tool))
    assert path.read_text() == text


def test_llm_by_a_name_of_openais(fairlead):
    """llm follows the variables for the models that it knows itself, with the key and the budget of the run."""
    fairlead.patience = 120
    assert fairlead("config", "set", "aliases.gpt-4o-mini", "demo").code == 0
    words = ["run", "--budget", "5", "--summary", "json", "s.json", "--", "llm", "-m", "gpt-4o-mini", "Say OK"]
    check(start(fairlead, "llm", *words), json.loads((fairlead.folder / "s.json").read_text()))


@pytest.fixture
def keyed(fairlead):
    """A proxy that asks for a key, and the commands that go with it."""
    fairlead.environ["FAIRLEAD_REQUIRE_KEY"] = "on"
    fairlead.patience = 120
    fairlead.start("proxy", "--port", "0")
    return fairlead


@pytest.mark.parametrize("tool", TOOLS)
def test_a_tool_that_was_set_up(keyed, tool):
    """The key of the run, with its budget, comes before the one that `setup` has put into the tool's file."""
    done = start(keyed, tool, "setup", SETUP_NAMES.get(tool, tool), "--yes")
    assert done.returncode == 0, done.stderr
    check(*drive(keyed, tool, "--budget", "5"))


@pytest.mark.parametrize("tool", BY_FILE)
def test_a_tool_that_keeps_its_key(keyed, tool):
    """pi, Cline and llm's registered models get an answer once they are set up, with the key of their file; before
    that pi and Cline are refused with the command that helps, and so is a budget that would not hold."""
    before = start(keyed, tool, "run", "--", tool, *BY_FILE[tool])
    assert (before.returncode, f"fairlead setup {tool}" in before.stderr) == (2, True) or tool == "llm"
    done = start(keyed, tool, "setup", tool, "--yes")
    assert done.returncode == 0, done.stderr
    done = start(keyed, tool, "run", "--", tool, *BY_FILE[tool])
    assert (done.returncode, "Say OK" in done.stdout) == (0, True), done.stderr
    assert "sends the key of its own file" in done.stderr
    refused = start(keyed, tool, "run", "--budget", "5", "--", tool, *BY_FILE[tool])
    assert (refused.returncode, f"fairlead keys set tool-{tool}" in refused.stderr) == (1, True)
