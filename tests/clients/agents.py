"""How to run each coding agent without a person: its command, its environment and its settings, on a home of its own.

Agents are used where they are installed: on PATH, or in a folder that FAIRLEAD_CLIENT_PROGRAMS names. `root` is the
address to use, without /v1; `wire` is the protocol that the agent is to speak.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PROMPT = "Run the command 'echo mock-tool-ran' with your shell tool, then say what it printed."
KEY = "sk-dummy-0123456789abcdef"


class Setup(NamedTuple):
    """A prepared run: what to execute, and the environment that the agent adds to the bare one."""

    command: list[str]
    environ: dict[str, str]


class Agent(NamedTuple):
    """One agent. program: its name on PATH. prepare: (home, root, model, wire) -> Setup, and writes its settings."""

    program: str
    wires: tuple[str, ...]
    prepare: Callable[[Path, str, str, str], Setup]
    #: The model names that the agent is asked to use, per wire: one that it knows.
    model: str = "mock-model"


class Ran(NamedTuple):
    """What an agent did. code: None when it had to be ended."""

    code: int | None
    said: str


def find(program):
    """Where an agent is installed, or None."""
    folder = os.environ.get("FAIRLEAD_CLIENT_PROGRAMS", "")
    return shutil.which(program, path=os.pathsep.join(filter(None, (folder, os.environ.get("PATH", "")))))


def prepare(name, folder, root, wire, *, model=None, command=None):
    """The command of an agent, and its folder and environment as options of Popen; writes its settings below `folder`,
    which holds nothing else. command: the arguments in place of the usual ones, also for an agent that ran there
    before."""
    agent = AGENTS[name]
    home = folder / "agent"
    work = home / "work"
    work.mkdir(parents=True, exist_ok=command is not None)
    setup = agent.prepare(home, root, model or agent.model, wire)
    setup = setup if command is None else setup._replace(command=command)
    program = find(agent.program)
    path = os.pathsep.join(filter(None, (os.environ.get("FAIRLEAD_CLIENT_PROGRAMS", ""), os.environ.get("PATH", ""))))
    environ = {
        **{key: os.environ[key] for key in ("SYSTEMROOT", "TMPDIR", "LANG") if key in os.environ},
        "PATH": path,
        "HOME": str(home),
        **{f"XDG_{kind}_HOME": str(home / f".xdg-{kind.lower()}") for kind in ("CONFIG", "DATA", "CACHE", "STATE")},
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "TERM": "dumb",
        "CI": "1",
        "NO_COLOR": "1",
        **setup.environ,
    }
    return [program, *setup.command], {"cwd": work, "env": environ, "start_new_session": True}


def run(name, folder, root, wire, *, model=None, seconds=120, command=None):
    """Run an agent with PROMPT to its end, in a folder that holds nothing else. command: as for `prepare`."""
    command, options = prepare(name, folder, root, wire, model=model, command=command)
    with (folder / "agent" / "out").open("w+b") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **options)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end(process)
        out.seek(0)
        return Ran(code, out.read().decode("utf-8", "replace"))


def end(process):
    """End an agent. Some ignore SIGTERM, and leave servers of their own behind."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value))


def _claude_code(home, root, model, wire):
    environ = {"ANTHROPIC_BASE_URL": root, "ANTHROPIC_API_KEY": KEY, "DISABLE_AUTOUPDATER": "1", "IS_SANDBOX": "1"}
    return Setup(["-p", PROMPT, "--model", model, "--allowedTools", "Bash"], environ)


def _codex(home, root, model, wire):
    text = (
        f'model = "{model}"\nmodel_provider = "gw"\napproval_policy = "never"\nsandbox_mode = "danger-full-access"\n'
        f'check_for_update_on_startup = false\n[model_providers.gw]\nname = "gw"\nbase_url = "{root}/v1"\n'
        'env_key = "GW_KEY"\nwire_api = "responses"\n[analytics]\nenabled = false\n'
    )
    _write(home / ".codex" / "config.toml", text)
    return Setup(["exec", "--skip-git-repo-check", PROMPT], {"CODEX_HOME": str(home / ".codex"), "GW_KEY": KEY})


_PACKAGES = {"chat": "@ai-sdk/openai-compatible", "messages": "@ai-sdk/anthropic", "responses": "@ai-sdk/openai"}


def _opencode(home, root, model, wire):
    provider = {
        "npm": _PACKAGES[wire],
        "name": "gw",
        "options": {"baseURL": f"{root}/v1", "apiKey": KEY},
        "models": {model: {"name": model}},
    }
    settings = {"provider": {"gw": provider}, "model": f"gw/{model}", "small_model": f"gw/{model}", "autoupdate": False}
    _write(home / ".xdg-config" / "opencode" / "opencode.json", settings)
    environ = {
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }
    return Setup(["run", "-m", f"gw/{model}", PROMPT], environ)


_PI = {"chat": "openai-completions", "messages": "anthropic-messages", "responses": "openai-responses"}


def _pi(home, root, model, wire):
    limits = {"reasoning": True, "input": ["text"], "contextWindow": 128000, "maxTokens": 8000}
    cost = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
    entry = {"id": model, "name": model, **limits, "cost": cost}
    base = root if wire == "messages" else f"{root}/v1"
    provider = {"baseUrl": base, "api": _PI[wire], "apiKey": KEY, "models": [entry]}
    _write(home / ".pi" / "agent" / "models.json", {"providers": {"gw": provider}})
    command = ["-p", PROMPT, "--provider", "gw", "--model", model, "--no-session", "--thinking", "medium"]
    return Setup(command, {"PI_OFFLINE": "1"})


def _qwen(home, root, model, wire):
    settings = {
        "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    _write(home / ".qwen" / "settings.json", settings)
    if wire == "chat":
        kind, environ = "openai", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": f"{root}/v1", "OPENAI_MODEL": model}
    else:
        kind, environ = "anthropic", {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": root, "ANTHROPIC_MODEL": model}
    return Setup(["-p", PROMPT, "--yolo", "--auth-type", kind, "-m", model], environ)


def _aider(home, root, model, wire):
    named = f"{'openai' if wire == 'chat' else 'anthropic'}/{model}"
    if wire == "chat":
        environ = {"OPENAI_API_KEY": KEY, "OPENAI_API_BASE": f"{root}/v1"}
    else:
        environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": root, "ANTHROPIC_API_BASE": root}
    quiet = "--yes-always --no-git --no-check-update --no-show-model-warnings --no-analytics --no-pretty --map-tokens 0"
    environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    return Setup(["--model", named, *quiet.split(), "--message", "Say what you are."], environ)


def _continue(home, root, model, wire):
    provider, base = ("openai", f"{root}/v1") if wire == "chat" else ("anthropic", f"{root}/v1")
    text = (
        f"name: gw\nversion: 0.0.1\nschema: v1\nmodels:\n  - name: gw\n    provider: {provider}\n    model: {model}\n"
        f"    apiBase: {base}\n    apiKey: {KEY}\n    roles: [chat]\n    capabilities: [tool_use]\n"
    )
    _write(home / "config.yaml", text)
    environ = {"CONTINUE_TELEMETRY_ENABLED": "0", "CONTINUE_ALLOW_ANONYMOUS_TELEMETRY": "0", "FORCE_NO_TTY": "true"}
    return Setup(["--config", str(home / "config.yaml"), "--auto", "-p", PROMPT], environ)


def _cline(home, root, model, wire):
    provider = {"chat": "openai-compatible", "messages": "anthropic"}[wire]
    settings = {"provider": provider, "apiKey": KEY, "model": model, "baseUrl": f"{root}/v1"}
    entry = {"settings": settings, "updatedAt": "2026-01-01T00:00:00.000Z", "tokenSource": "manual"}
    _write(
        home / ".cline" / "data" / "settings" / "providers.json",
        {"version": 1, "lastUsedProvider": provider, "modes": {}, "providers": {provider: entry}},
    )
    return Setup(["-P", provider, "-m", model, "--timeout", "100", PROMPT], {"CLINE_TELEMETRY_DISABLED": "1"})


def _gemini(home, root, model, wire):
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True},
    }
    _write(home / ".gemini" / "settings.json", settings)
    environ = {"GOOGLE_GEMINI_BASE_URL": root, "GEMINI_API_KEY": KEY, "GEMINI_CLI_HOME": str(home)}
    return Setup(["-p", PROMPT, "-m", model, "--approval-mode", "yolo", "--skip-trust"], environ)


AGENTS = {
    "claude-code": Agent("claude", ("messages",), _claude_code, "claude-sonnet-4-5"),
    "codex": Agent("codex", ("responses",), _codex, "gpt-5"),
    "opencode": Agent("opencode", ("chat", "messages", "responses"), _opencode),
    "pi": Agent("pi", ("chat", "messages", "responses"), _pi),
    "qwen": Agent("qwen", ("chat", "messages"), _qwen),
    "aider": Agent("aider", ("chat", "messages"), _aider),
    "continue": Agent("cn", ("chat", "messages"), _continue),
    "cline": Agent("cline", ("chat", "messages"), _cline),
    "gemini-cli": Agent("gemini", ("gemini",), _gemini, "gemini-3.8-flash"),
}
