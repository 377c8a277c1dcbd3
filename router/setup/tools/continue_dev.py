"""Continue: models in config.yaml, for its editors and for `cn`."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change, Item
from router.setup.tool import FileChange, Model, Place, Target, Tool, dig, dig_text, list_entries, without_empty

_PROVIDERS = {"chat": "openai", "messages": "anthropic"}


def find_main(place: Place) -> tuple[Path, str]:
    """The user's configuration."""
    return place.find("CONTINUE_GLOBAL_DIR", ".continue") / "config.yaml", "yaml"


def read_base(value: Any) -> str:
    """The URL of the first model, which it begins with."""
    return next((dig_text(one, "apiBase") for one in list_entries(dig(value, "models"))), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """One item a model, in front of the others: it begins with the first one."""
    path, form = find_main(place)
    # Without these it refuses the file.
    needed = (("name", "fairlead"), ("version", "1.0.0"), ("schema", "v1"))
    changes = [Change((name,), value, only_missing=True) for name, value in needed]
    ordered = [target.model, *(model for model in target.models if model.name != target.model.name)]
    for model in reversed(ordered):
        name = f"{model.label} (fairlead)"
        changes.append(Change(("models", Item("name", name, first=True)), _describe(name, model, target)))
    return [FileChange(path, form, tuple(changes))]


def _describe(name: str, model: Model, target: Target) -> dict[str, Any]:
    options = {"contextLength": model.window, "maxTokens": model.max_output}
    return without_empty(
        {
            "name": name,
            "provider": _PROVIDERS[target.protocol],
            "model": model.name,
            "apiBase": target.v1,
            "apiKey": target.any_key,
            "roles": ["chat", "edit", "apply"],
            "capabilities": ["tool_use", *(["image_input"] if model.images else [])],
            "defaultCompletionOptions": without_empty(options) or None,
        }
    )


TOOL = Tool(
    "continue",
    "Continue",
    "CLI 1.5.47, tried",
    other_names=("cn",),
    program="cn",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    check=("-p", "{prompt}"),
    clients=("continue",),
    notes=("It shows models of accounts too: choose the one with (fairlead) in its name.",),
)
