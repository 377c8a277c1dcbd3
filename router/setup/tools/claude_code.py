"""Claude Code: `env` in settings.json, which has precedence over the shell's variables."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import FileChange, Place, Target, Tool, dig_text


def find_main(place: Place) -> tuple[Path, str]:
    """The user's settings. Claude Code drops a file with comments as a whole."""
    return place.find("CLAUDE_CONFIG_DIR", ".claude") / "settings.json", "json"


def read_base(value: Any) -> str:
    """The URL in `env`."""
    return dig_text(value, "env", "ANTHROPIC_BASE_URL")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The variables: with the URL alone it sends its own login, which only a backend of that login may get."""
    env = {"ANTHROPIC_BASE_URL": target.url}
    if "messages" not in target.login:
        env["ANTHROPIC_AUTH_TOKEN"] = target.any_key
    elif target.key:
        env["ANTHROPIC_CUSTOM_HEADERS"] = f"x-fairlead-key: {target.key}"
    # Fills its list of models, and names each request's kind and agent for the history and for rules.
    env |= {"CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY": "1", "CLAUDE_CODE_GATEWAY_HINT_HEADERS": "1"}
    if target.no_proxy:
        env["NO_PROXY"] = target.no_proxy
    changes = [Change(("env", name), value) for name, value in env.items()]
    if target.chosen:
        changes.append(Change(("model",), target.model.name))
        changes += [Change(("env", name), value) for name, value in _list_limits(target).items()]
    path, form = find_main(place)
    return [FileChange(path, form, tuple(changes))]


def _list_limits(target: Target) -> dict[str, str]:
    """It takes an unknown name for a model of a million tokens, and knows those that begin with `claude-` itself."""
    model = target.model
    if model.name.startswith("claude-"):
        return {}
    found: dict[str, str] = {}
    if model.window is not None:
        found["CLAUDE_CODE_MAX_CONTEXT_TOKENS"] = str(model.window)
    if model.max_output is not None:
        found["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] = str(model.max_output)
    return found


_INSTEAD = "Claude Code would use it in the place of fairlead: remove it there."

TOOL = Tool(
    "claude-code",
    "Claude Code",
    "2.1.332, tried",
    other_names=("claude",),
    program="claude",
    protocols=("messages",),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    sets_no_proxy=True,
    project_files=(".claude/settings.local.json", ".claude/settings.json"),
    managed_files={
        "linux": ("/etc/claude-code/managed-settings.json",),
        "darwin": ("/Library/Application Support/ClaudeCode/managed-settings.json",),
        "win32": (r"C:\Program Files\ClaudeCode\managed-settings.json",),
    },
    conflicts=(
        (("apiKeyHelper",), _INSTEAD),
        (("env", "ANTHROPIC_API_KEY"), _INSTEAD),
        (("env", "CLAUDE_CODE_USE_BEDROCK"), _INSTEAD),
        (("env", "CLAUDE_CODE_USE_VERTEX"), _INSTEAD),
        (("env", "CLAUDE_CODE_USE_FOUNDRY"), _INSTEAD),
    ),
    check=("-p", "{prompt}", "--model", "{model}"),
    clients=("claude-code",),
    notes=("It reads this when it starts: restart it.",),
)
