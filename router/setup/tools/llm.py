"""llm: models in extra-openai-models.yaml."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change, Item
from router.setup.tool import ENTRY, FileChange, Model, Place, Target, Tool, dig_text, list_entries, without_empty


def _find_folder(place: Place) -> Path:
    named = place.environ.get("LLM_USER_PATH", "")
    return Path(named).expanduser() if named else place.find_application_data() / "io.datasette.llm"


def find_main(place: Place) -> tuple[Path, str]:
    """Its further models of OpenAI's API."""
    return _find_folder(place) / "extra-openai-models.yaml", "yaml"


def read_base(value: Any) -> str:
    """The URL of fairlead's first model."""
    entries = list_entries(value)
    return next((dig_text(one, "api_base") for one in entries if str(one.get("model_id")).startswith(f"{ENTRY}/")), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """One item a model; the default model where the user named one."""
    changes = [
        Change((Item("model_id", f"{ENTRY}/{model.name}"),), _describe(model, target)) for model in target.models
    ]
    path, form = find_main(place)
    found = [FileChange(path, form, tuple(changes))]
    if target.chosen:
        default = Change((), f"{ENTRY}/{target.model.name}")
        found.append(FileChange(_find_folder(place) / "default_model.txt", "line", (default,)))
    return found


def _describe(model: Model, target: Target) -> dict[str, Any]:
    return without_empty(
        {
            "model_id": f"{ENTRY}/{model.name}",
            "model_name": model.name,
            "api_base": target.v1,
            "supports_tools": True,
            "can_stream": True,
            "vision": model.images or None,
            "headers": {"x-fairlead-key": target.key} if target.key else None,
        }
    )


TOOL = Tool(
    "llm",
    "llm",
    "0.36, tried",
    program="llm",
    protocols=("chat",),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    check=("-m", f"{ENTRY}/{{model}}", "{prompt}"),
    clients=("llm",),
    notes=(f"Ask for a model by its name there:   llm -m {ENTRY}/NAME",),
)
