"""Qwen Code: providers of models in settings.json, which its variables do not override."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change, Item
from router.setup.tool import FileChange, Model, Place, Target, Tool, dig, dig_text, list_entries, without_empty

_KEY = "QWEN_FAIRLEAD_KEY"
_PROVIDERS = {"chat": "openai", "messages": "anthropic"}


def find_main(place: Place) -> tuple[Path, str]:
    """The user's settings, which it reads and keeps with comments."""
    return place.find("QWEN_HOME", ".qwen") / "settings.json", "jsonc"


def read_base(value: Any) -> str:
    """The URL of the model in use."""
    kind, model = dig_text(value, "security", "auth", "selectedType"), dig_text(value, "model", "name")
    entries = list_entries(dig(value, "modelProviders", kind))
    return next((dig_text(one, "baseUrl") for one in entries if one.get("id") == model), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """One entry a model, the key that they name, and the model that it begins with."""
    kind = _PROVIDERS[target.protocol]
    base = target.v1 if kind == "openai" else target.url
    changes = [
        Change(("modelProviders", kind, Item("id", model.name)), _describe(model, base)) for model in target.models
    ]
    changes += [
        Change(("env", _KEY), target.any_key),
        Change(("security", "auth", "selectedType"), kind),
        Change(("model", "name"), target.model.name),
    ]
    if target.no_proxy:
        changes.append(Change(("env", "NO_PROXY"), target.no_proxy))
    return [FileChange(*find_main(place), tuple(changes))]


def _describe(model: Model, base: str) -> dict[str, Any]:
    limits = {"contextWindowSize": model.window} if model.window is not None else None
    return without_empty(
        {
            "id": model.name,
            "name": f"{model.label} (fairlead)",
            "baseUrl": base,
            "envKey": _KEY,
            "generationConfig": limits,
        }
    )


TOOL = Tool(
    "qwen",
    "Qwen Code",
    "0.24.4, tried",
    other_names=("qwen-code",),
    program="qwen",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    sets_no_proxy=True,
    project_files=(".qwen/settings.json",),
    managed_files={
        "linux": ("/etc/qwen-code/settings.json",),
        "darwin": ("/Library/Application Support/QwenCode/settings.json",),
        "win32": (r"C:\ProgramData\qwen-code\settings.json",),
    },
    check=("-p", "{prompt}", "-m", "{model}"),
    clients=("qwen-code", "qwen"),
)
