"""opencode: a provider with its list of models in opencode.json."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import ENTRY, FileChange, Model, Place, Target, Tool, dig_text, without_empty

_PACKAGES = {"chat": "@ai-sdk/openai-compatible", "messages": "@ai-sdk/anthropic", "responses": "@ai-sdk/openai"}


def find_main(place: Place) -> tuple[Path, str]:
    """The file that a variable names, else the one that is there of its two names."""
    named = place.environ.get("OPENCODE_CONFIG", "")
    if named:
        return Path(named).expanduser(), "jsonc"
    folder = Path(place.environ.get("OPENCODE_CONFIG_DIR", "") or place.find_config() / "opencode")
    other = folder / "opencode.jsonc"
    return (other if other.exists() else folder / "opencode.json"), "jsonc"


def read_base(value: Any) -> str:
    """The URL of the provider of the model in use, if the file has one."""
    provider = dig_text(value, "model").partition("/")[0]
    return dig_text(value, "provider", provider, "options", "baseURL")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, and the model that it begins with."""
    provider = {
        "npm": _PACKAGES[target.protocol],
        "name": "fairlead",
        "options": {"baseURL": target.v1, "apiKey": target.any_key},
        "models": {model.name: _describe(model) for model in target.models},
    }
    changes = (
        # opencode adds it to a file without it, which would outlive what is taken back.
        Change(("$schema",), "https://opencode.ai/config.json", only_missing=True),
        Change(("provider", ENTRY), provider),
        Change(("model",), f"{ENTRY}/{target.model.name}"),
    )
    return [FileChange(*find_main(place), changes)]


def _describe(model: Model) -> dict[str, Any]:
    """Without a limit it never compacts; it takes both numbers or none."""
    limit = {"context": model.window, "output": model.least_output} if model.window is not None else None
    images = {"input": ["text", "image"], "output": ["text"]} if model.images else None
    return without_empty(
        {"name": model.label, "limit": limit, "attachment": model.images or None, "modalities": images}
    )


TOOL = Tool(
    "opencode",
    "opencode",
    "1.18.33, tried",
    program="opencode",
    protocols=("chat", "messages", "responses"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    project_files=("opencode.jsonc", "opencode.json"),
    managed_files={
        "linux": ("/etc/opencode/opencode.json",),
        "darwin": ("/Library/Application Support/opencode/opencode.json",),
        "win32": (r"C:\ProgramData\opencode\opencode.json",),
    },
    stronger_variables=("OPENCODE_CONFIG_CONTENT",),
    check=("run", "-m", f"{ENTRY}/{{model}}", "{prompt}"),
    clients=("opencode",),
    notes=("It reads this when it starts: restart it.",),
)
