"""The tools themselves, where they are on PATH, on a home of their own: each gets an answer by `fairlead run`, also
where its own file or a proxy of the environment would lead it elsewhere."""

import json
import os
import shutil
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="tools as scripts")]

ELSEWHERE = "http://127.0.0.1:9"
TOOLS = {
    "claude": ["-p", "Say OK"],
    "codex": ["exec", "--skip-git-repo-check", "Say OK"],
    "opencode": ["run", "Say OK"],
    "qwen": ["-p", "Say OK"],
    "cn": ["-p", "Say OK"],
    "aider": ["--message", "Say OK", "--no-git", "--yes-always", "--no-show-model-warnings"],
}
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
    "cn": (
        ".continue/config.yaml",
        "name: mine\nversion: '1'\nschema: v1\nmodels:\n"
        f"  - {{name: other, provider: openai, model: x, apiBase: {ELSEWHERE}, apiKey: k}}\n",
    ),
}


def drive(fairlead, tool, **environ):
    """Run a tool with the demo's model: its exit code, what it said, and its summary."""
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not on PATH")
    words = ["run", "--model", "demo", "--summary", "json", "s.json", "--", tool, *TOOLS[tool]]
    done = subprocess.run(
        fairlead._line(words),
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**fairlead.environ, "PATH": os.environ["PATH"], **environ},
        cwd=fairlead.folder,
        timeout=180,
    )
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
    path.parent.mkdir(parents=True)
    path.write_text(text)
    check(*drive(fairlead, tool))
    assert path.read_text() == text
