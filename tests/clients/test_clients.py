"""Codex CLI and Claude Code finish a round with a tool on backends that do not speak their protocol.

They are used where they are installed: on PATH, or in a folder that FAIRLEAD_CLIENT_PROGRAMS names. They run with a
home of their own, a dummy key and no other address than the proxy's.
"""

import json
import os
import shutil
import subprocess

import pytest

from ..e2e.processes import Proxy, backend
from .model import DONE, Model

pytestmark = pytest.mark.slow
SECONDS = 120
PATCH = '*** Begin Patch\n*** Add File: hello.txt\n+hi "there" \\d\n*** End Patch\n'


def program(name):
    """Where a client is installed; skips the test when it is not."""
    folder = os.environ.get("FAIRLEAD_CLIENT_PROGRAMS", "")
    found = shutil.which(name, path=os.pathsep.join(filter(None, (folder, os.environ.get("PATH", "")))))
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(command, folder, **environ):
    """What a client says, in a folder with a home that holds nothing else."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
    own = {"HOME": str(folder), "NO_PROXY": "127.0.0.1,localhost", "TERM": "dumb", "CI": "1"}
    work = folder / "work"
    work.mkdir()
    done = subprocess.run(
        command,
        cwd=work,
        env={**keep, **own, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    return work, done.stdout.decode() + done.stderr.decode()


def proxied(folder, model):
    """A proxy in front of the model's backend, for every model name."""
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "only", "FAIRLEAD_DEMO": "off"}
    return Proxy(folder, backends=[backend("only", model.root, protocols=[model.protocol])], settings=settings)


@pytest.mark.parametrize("protocol", ["messages", "chat"])
def test_codex_applies_a_patch(tmp_path, protocol):
    """Its apply_patch takes free text; the model has it as a function, and the file is written."""
    codex = program("codex")
    with Model(protocol, "apply_patch", {"input": PATCH}) as model, proxied(tmp_path, model) as proxy:
        home = tmp_path / "codex"
        home.mkdir()
        (home / "config.toml").write_text(
            'model = "gpt-5.5"\nmodel_provider = "gw"\napproval_policy = "never"\n'
            'sandbox_mode = "danger-full-access"\ncheck_for_update_on_startup = false\n'
            f'[model_providers.gw]\nname = "gw"\nbase_url = "http://127.0.0.1:{proxy.port}/v1"\n'
            'env_key = "GW_KEY"\nwire_api = "responses"\n[analytics]\nenabled = false\n'
        )
        command = [codex, "exec", "--skip-git-repo-check", "Add hello.txt with apply_patch."]
        work, said = run(command, tmp_path, CODEX_HOME=str(home), GW_KEY="dummy")
    assert DONE in said, said[-2000:]
    assert (work / "hello.txt").read_text() == 'hi "there" \\d\n', said[-2000:]
    last = json.dumps(model.seen[-1]["messages"][-3:])
    assert "Success" in last, last


def test_claude_code_runs_a_command(tmp_path):
    """Its Bash tool runs on a backend that speaks Responses only, and the model gets what it printed."""
    claude = program("claude")
    arguments = {"command": "echo it-ran > ran.txt && cat ran.txt", "description": "Write a file"}
    with Model("responses", "Bash", arguments) as model, proxied(tmp_path, model) as proxy:
        command = [claude, "-p", "Run it.", "--model", "claude-sonnet-4-5", "--allowedTools", "Bash"]
        environ = {"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{proxy.port}", "ANTHROPIC_API_KEY": "dummy"}
        work, said = run(command, tmp_path, DISABLE_AUTOUPDATER="1", IS_SANDBOX="1", **environ)
    assert DONE in said, said[-2000:]
    assert (work / "ran.txt").read_text().strip() == "it-ran"
    outputs = [item for asked in model.seen for item in asked["input"] if item["type"] == "function_call_output"]
    assert any("it-ran" in json.dumps(item["output"]) for item in outputs)
