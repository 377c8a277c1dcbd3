"""Codex: a provider of its own in config.toml. It reads no variable for a base URL."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import ENTRY, FileChange, Place, Target, Tool, dig_text


def find_main(place: Place) -> tuple[Path, str]:
    """The user's configuration."""
    return place.find("CODEX_HOME", ".codex") / "config.toml", "toml"


def read_base(value: Any) -> str:
    """The URL of the provider in use."""
    provider = dig_text(value, "model_provider")
    return dig_text(value, "model_providers", provider, "base_url") if provider else dig_text(value, "openai_base_url")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider. Without requires_openai_auth it is sent no login, and tries no websocket."""
    provider: dict[str, Any] = {"name": "fairlead", "base_url": target.v1, "wire_api": "responses"}
    if "responses" in target.login:
        provider["requires_openai_auth"] = True
        if target.key:
            provider["http_headers"] = {"x-fairlead-key": target.key}
    elif target.key and target.key_command:
        program, *arguments = target.key_command
        provider["auth"] = {"command": program, "args": arguments}
    elif target.key:
        provider["experimental_bearer_token"] = target.key
    changes = [Change(("model_provider",), ENTRY), Change(("model_providers", ENTRY), provider)]
    if target.chosen:
        changes.append(Change(("model",), target.model.name))
        if target.model.window is not None:
            changes.append(Change(("model_context_window",), target.model.window))
    path, form = find_main(place)
    return [FileChange(path, form, tuple(changes))]


TOOL = Tool(
    "codex",
    "Codex",
    "0.171.0, tried",
    program="codex",
    # The first that asks a command for its key: 0.117.0 sends none.
    oldest="0.118.0",
    protocols=("responses",),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    project_files=(".codex/config.toml",),
    managed_files={
        "linux": ("/etc/codex/managed_config.toml", "/etc/codex/config.toml"),
        "darwin": ("/etc/codex/managed_config.toml", "/etc/codex/config.toml"),
    },
    conflicts=((("profile",), "A profile may choose another provider: remove it there."),),
    check=("exec", "--skip-git-repo-check", "-m", "{model}", "{prompt}"),
    clients=("codex",),
    notes=("It reads this when it starts: restart it.",),
)
