"""aider: options in .aider.conf.yml. An unknown key there ends it, so that nothing else is written."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change, Item
from router.setup.tool import FileChange, Place, Target, Tool, dig, dig_text, without_empty


def find_main(place: Place) -> tuple[Path, str]:
    """The user's configuration; one of a repository or of the working directory has precedence."""
    return place.home / ".aider.conf.yml", "yaml"


def read_base(value: Any) -> str:
    """The URL for models of OpenAI's API, or what is set for Anthropic's."""
    found = dig_text(value, "openai-api-base")
    variables: Any = dig(value, "set-env")
    named = [str(one) for one in variables] if isinstance(variables, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return found or next((one.partition("=")[2] for one in named if one.startswith("ANTHROPIC_BASE_URL=")), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The base, the key and the model; its limits in the file that aider reads by itself."""
    kind = "anthropic" if target.protocol == "messages" else "openai"
    name = f"{kind}/{target.model.name}"
    if kind == "openai":
        changes = [Change(("openai-api-base",), target.v1), Change(("openai-api-key",), target.any_key)]
    else:
        # It has no option for this base.
        variables = (f"ANTHROPIC_BASE_URL={target.url}", f"ANTHROPIC_API_BASE={target.url}")
        changes = [Change(("set-env", Item("", one)), one) for one in variables]
        changes.append(Change(("anthropic-api-key",), target.any_key))
    changes.append(Change(("model",), name))
    path, form = find_main(place)
    found = [FileChange(path, form, tuple(changes))]
    if target.model.window is not None:
        limits = without_empty(
            {
                "max_input_tokens": target.model.window,
                "max_output_tokens": target.model.max_output,
                "litellm_provider": kind,
                "mode": "chat",
            }
        )
        metadata = place.home / ".aider.model.metadata.json"
        found.append(FileChange(metadata, "json", (Change((name,), limits),)))
    return found


TOOL = Tool(
    "aider",
    "aider",
    "0.86.2, tried",
    program="aider",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    project_files=(".aider.conf.yml",),
    stronger_variables=("OPENAI_BASE_URL", "AIDER_OPENAI_API_BASE"),
    check=("--message", "{prompt}", "--no-git", "--no-check-update", "--no-show-model-warnings", "--yes-always"),
    clients=("aider",),
)
