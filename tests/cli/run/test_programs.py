"""Which tool a command line starts, and what is set and added for it."""

import json
import os
from dataclasses import replace

import pytest

from router.cli.env import by_file
from router.cli.env.target import Target
from router.cli.env.tools import TOOLS
from router.cli.run.command import _build_parser, make_plan
from router.cli.run.environment import build_environment, find_changes, mask
from router.cli.run.plan import has_flag
from router.cli.run.programs import OTHER, PROGRAMS, is_refused, recognise
from router.errors import CommandError
from router.settings import Secret, load

URL = "http://localhost:3456"
KEY = "flk_key"
TARGET = Target(URL, Secret(KEY))
LOGIN = Target(URL, Secret(KEY), frozenset({"messages", "responses", "chat"}))
BY_NAME = {program.tool.name: program for program in PROGRAMS}


def plan_for(monkeypatch, words, options=(), environ=(), target=TARGET, settings=None, models=()):
    """The plan of a command line. environ: all that is set."""
    for name in [*os.environ]:
        monkeypatch.delenv(name)
    for name, value in dict(environ).items():
        monkeypatch.setenv(name, value)
    parsed = _build_parser().read([*options])
    return make_plan(None, settings or load({}, {}), parsed, words, recognise(words), target, models)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder that is the user's home, and the working one."""
    monkeypatch.chdir(tmp_path)
    return {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}


@pytest.mark.parametrize(
    ("line", "name", "at"),
    [
        ("claude -p x", "claude", 1),
        ("/opt/bin/codex exec x", "codex", 1),
        ("npx -y @openai/codex@0.171.0 exec", "codex", 3),
        ("npx --package @anthropic-ai/claude-code claude -p x", "claude", 4),
        ("npx @anthropic-ai/claude-code", "claude", 2),
        ("uvx --from aider-chat aider --yes", "aider", 4),
        ("uvx aider-chat==0.86.2", "aider", 2),
        ("uv tool run --python 3.12 llm hi", "llm", 6),
        ("pnpm dlx opencode-ai@latest run x", "opencode", 3),
        ("bunx --bun @qwen-code/qwen-code", "qwen", 3),
        ("bun x cline", "cline", 3),
        ("pipx run llm", "llm", 3),
        ("npx -y @google/gemini-cli@0.61.0 -p x", "gemini", 3),
        ("npx cowsay", "program", 1),
        ("npm install @openai/codex", "program", 1),
        ("python claude", "program", 1),
        ("npx", "program", 1),
        ("npx -p", "program", 1),
    ],
)
def test_a_tool_is_recognised(line, name, at):
    """By its name, or by its package behind npx, uvx and the like, in any version; arguments go behind that word."""
    assert (recognise(line.split()).program.tool.name, recognise(line.split()).at) == (name, at)


def test_every_tool_of_the_table_is_started_or_refused():
    """Each tool that `fairlead env` knows has a row here, and those that nothing leads here are refused."""
    assert {*BY_NAME} == {tool.name for tool in (*TOOLS, *by_file.TOOLS)} - {"sdk"}
    refused = {name for name, program in BY_NAME.items() if is_refused(program)}
    assert refused == {"crush", "zed", "code", "cursor", "jetbrains"}


@pytest.mark.parametrize("program", [*PROGRAMS, OTHER], ids=lambda program: program.tool.name)
def test_no_key_of_the_user_is_left(program):
    """Whatever the user's variables are: none of a provider's own key, organisation or way past the proxy is left, and
    the common ones lead here."""
    theirs = {
        **dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_AUTH_TOKEN"), "sk-theirs"),
        **dict.fromkeys(("OPENAI_ORG_ID", "OPENAI_PROJECT", "OPENAI_PROJECT_ID", "ANTHROPIC_UNIX_SOCKET"), "sk-theirs"),
        **dict.fromkeys(("CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY"), "sk-theirs"),
        **dict.fromkeys(
            ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENAI_USE_VERTEXAI", "GOOGLE_GENAI_USE_ENTERPRISE"),
            "sk-theirs",
        ),
        **dict.fromkeys(("FAIRLEAD_API_KEY", "FAIRLEAD_STARTED_BY", "NOTIFY_SOCKET"), "sk-theirs"),
        **dict.fromkeys(("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"), "https://elsewhere.test"),
        "FAIRLEAD_HOME": "/home/x/.fairlead",
        "OTHER": "stays",
    }
    found = build_environment(theirs, find_changes(program, TARGET, theirs, keep=False))
    assert "sk-theirs" not in found.values()
    assert found["ANTHROPIC_BASE_URL"] == URL
    assert found["OPENAI_BASE_URL"] == found["OPENAI_API_BASE"] == f"{URL}/v1"
    assert found["OPENAI_API_KEY"] == found["GEMINI_API_KEY"] == KEY
    assert found["GOOGLE_GEMINI_BASE_URL"] == URL
    assert (found["OTHER"], found["FAIRLEAD_HOME"]) == ("stays", "/home/x/.fairlead")


def test_two_credentials_for_claude_code():
    """Claude Code gets a token alone: it warns about two. Other programs get both, since newer SDKs take either."""
    theirs = {"ANTHROPIC_API_KEY": "sk-theirs"}
    claude = build_environment(theirs, find_changes(BY_NAME["claude"], TARGET, theirs, keep=False))
    other = build_environment(theirs, find_changes(OTHER, TARGET, theirs, keep=False))
    assert (claude["ANTHROPIC_AUTH_TOKEN"], "ANTHROPIC_API_KEY" in claude) == (KEY, False)
    assert other["ANTHROPIC_AUTH_TOKEN"] == other["ANTHROPIC_API_KEY"] == KEY


def test_a_login_that_is_passed_on_stays():
    """Where a backend passes the tool's own login on, no key replaces it; fairlead's goes into a header of its own."""
    theirs = {"ANTHROPIC_API_KEY": "sk-theirs"}
    found = build_environment(theirs, find_changes(BY_NAME["claude"], LOGIN, theirs, keep=False))
    assert found["ANTHROPIC_API_KEY"] == "sk-theirs"
    assert "ANTHROPIC_AUTH_TOKEN" not in found
    assert found["ANTHROPIC_CUSTOM_HEADERS"] == f"x-fairlead-key: {KEY}"


def test_keep_env_keeps():
    """--keep-env leaves keys and ways past the proxy as the user has set them."""
    theirs = {"ANTHROPIC_API_KEY": "sk-theirs", "CLAUDE_CODE_USE_BEDROCK": "1", "OPENAI_ORG_ID": "org"}
    found = build_environment(theirs, find_changes(OTHER, TARGET, theirs, keep=True))
    assert {name: found[name] for name in theirs} == theirs
    assert found["ANTHROPIC_BASE_URL"] == URL


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "corp.test, localhost"}, "corp.test,localhost,127.0.0.1,::1"),
        ({"no_proxy": "corp.test"}, "corp.test,localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_loopback_is_not_proxied(theirs, expected):
    """NO_PROXY gains this machine and keeps what it has, in both spellings."""
    given = {"HTTPS_PROXY": "http://proxy.test:8080", **theirs}
    found = build_environment(given, find_changes(OTHER, TARGET, given, keep=False))
    assert (found["NO_PROXY"], found["no_proxy"]) == (expected, expected)


def test_codex_gets_arguments(monkeypatch, home):
    """Codex reads no variable: arguments in front of its own, the key in a variable that they name."""
    plan = plan_for(monkeypatch, ["codex", "exec", "hi"], ["--model", "gpt-5"], home)
    assert plan.words[0] == "codex"
    assert plan.words[-2:] == ["exec", "hi"]
    assert plan.words[1:3] == ["-c", 'model="gpt-5"']
    assert f"model_providers.fairlead-session.base_url={URL}/v1" in plan.words
    assert not any(KEY in word for word in plan.words)
    assert plan.changes["CODEX_FAIRLEAD_KEY"] == KEY


@pytest.mark.parametrize("own", [["-c", "model_provider=mine"], ["--profile", "x"], ["-p", "x"], ["--profile=x"]])
def test_a_provider_that_the_user_names_wins(monkeypatch, home, own):
    """With a provider of the user's own, nothing is put in front, and the user is told."""
    plan = plan_for(monkeypatch, ["codex", *own, "exec"], (), home)
    assert plan.words == ["codex", *own, "exec"]
    assert "chooses the provider" in plan.notes[0]


def test_models(monkeypatch, home):
    """--model becomes what each tool reads; the user's own argument comes before it."""
    claude = plan_for(monkeypatch, ["claude"], ["--model", "opus"], home)
    assert claude.changes["ANTHROPIC_MODEL"] == "opus"
    aider = plan_for(monkeypatch, ["aider", "--yes"], ["--model", "gpt-5"], home)
    assert aider.words == ["aider", "--model", "openai/gpt-5", "--yes"]
    given = plan_for(monkeypatch, ["aider", "--model", "openai/x"], ["--model", "gpt-5"], home)
    assert given.words == ["aider", "--model", "openai/x"]
    assert "comes before --model" in given.notes[0]


def test_a_tool_that_needs_a_model(monkeypatch, home):
    """Copilot and Qwen get the first alias where none is named, else the demo's, and the user is told; a variable of
    the user's stays."""
    settings = replace(load({}, {}), aliases={"fast": "openai:gpt-5-mini"})
    assert plan_for(monkeypatch, ["copilot"], (), home, settings=settings).changes["COPILOT_MODEL"] == "fast"
    plan = plan_for(monkeypatch, ["qwen"], (), home)
    assert plan.changes["OPENAI_MODEL"] == "demo"
    assert "fairlead run --model" in plan.notes[0]
    assert "COPILOT_MODEL" not in plan_for(monkeypatch, ["copilot"], (), {**home, "COPILOT_MODEL": "m"}).changes


def test_a_budget_needs_a_place_for_the_key(monkeypatch, home):
    """A tool that keeps its login, and cannot send fairlead's key beside it, is not started with a budget."""
    with pytest.raises(CommandError, match="has no place for the key"):
        plan_for(monkeypatch, ["opencode"], ["--budget", "2"], home, LOGIN)


def test_flags_are_found():
    """A flag with its value behind `=` or apart, none behind `--`, and none that only begins alike."""
    assert has_flag(["-p", "x"], "-p")
    assert has_flag(["--profile=x"], "--profile")
    assert has_flag(["-cmodel=x"], "model=")
    assert not has_flag(["--", "-p"], "-p")
    assert not has_flag(["--profiles"], "--profile")


def test_keys_are_masked():
    """No key is shown, wherever it stands; fairlead's word for none is."""
    assert mask("OPENAI_API_KEY", KEY, TARGET) == "set"
    assert mask("X", json.dumps({"apiKey": KEY}), TARGET) == '{"apiKey": "set"}'
    assert mask("OPENAI_API_KEY", "fairlead", Target(URL, None)) == "fairlead"
