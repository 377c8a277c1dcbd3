"""pi: a provider of its own in models.json, and where it keeps a login, the base URL of its own providers."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import ENTRY, FileChange, Model, Place, Target, Tool, dig_text, without_empty

_APIS = {"chat": "openai-completions", "messages": "anthropic-messages", "responses": "openai-responses"}


def _find_folder(place: Place) -> Path:
    return place.find("PI_CODING_AGENT_DIR", ".pi", "agent")


def find_main(place: Place) -> tuple[Path, str]:
    """Its models, read with comments."""
    return _find_folder(place) / "models.json", "jsonc"


def read_base(value: Any) -> str:
    """The URL of fairlead's provider, or of its own ones."""
    bases = [dig_text(value, "providers", name, "baseUrl") for name in (ENTRY, "anthropic", "openai")]
    return next(filter(None, bases), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, and which it begins with. Its own providers keep their models and logins with another URL."""
    base = target.url if target.protocol == "messages" else target.v1
    provider = {
        "baseUrl": base,
        "api": _APIS[target.protocol],
        "apiKey": target.any_key,
        "models": [_describe(model) for model in target.models],
    }
    changes = [Change(("providers", ENTRY), provider)]
    if "messages" in target.login and not target.key:
        changes.append(Change(("providers", "anthropic", "baseUrl"), target.url))
    if "responses" in target.login and not target.key:
        changes.append(Change(("providers", "openai", "baseUrl"), target.v1))
    path, form = find_main(place)
    begins = (Change(("defaultProvider",), ENTRY), Change(("defaultModel",), target.model.name))
    return [
        FileChange(path, form, tuple(changes)),
        FileChange(_find_folder(place) / "settings.json", "jsonc", begins),
    ]


def _describe(model: Model) -> dict[str, Any]:
    return without_empty(
        {
            "id": model.name,
            "name": model.title or None,
            "contextWindow": model.window,
            "maxTokens": model.max_output,
            "input": ["text", "image"] if model.images else None,
        }
    )


TOOL = Tool(
    "pi",
    "pi",
    "@earendil-works/pi-coding-agent 1.6.0, tried",
    program="pi",
    protocols=("chat", "messages", "responses"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    check=("-p", "{prompt}", "--provider", ENTRY, "--model", "{model}"),
    clients=("pi",),
    notes=("A running one reads it at /model.",),
)
