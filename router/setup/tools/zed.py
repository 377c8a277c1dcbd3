"""Zed: a provider with its list of models in settings.json. It keeps keys in the system's keychain or in a variable."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import FileChange, Model, Place, Target, Tool, dig_text, without_empty

# Zed names the variable of the key after the provider; of `fairlead` it would be FAIRLEAD_API_KEY, which is fairlead's.
_PROVIDER = "fairlead-local"
# Zed takes no model without one, and 200,000 is what it has for most of its own.
_WINDOW = 200_000
_KINDS = {"chat": "openai_compatible", "messages": "anthropic_compatible"}


def find_main(place: Place) -> tuple[Path, str]:
    """The user's settings."""
    folder = place.find_application_data() if place.system == "win32" else place.find_config()
    return folder / ("Zed" if place.system == "win32" else "zed") / "settings.json", "jsonc"


def read_base(value: Any) -> str:
    """The URL of the provider of the agent's model."""
    agent: Any = value.get("agent") if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    provider = dig_text(agent, "default_model", "provider")
    bases = [dig_text(value, "language_models", kind, provider, "api_url") for kind in _KINDS.values()]
    return next(filter(None, bases), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, and the agent's model."""
    chat = target.protocol == "chat"
    provider = {
        "api_url": target.v1 if chat else target.url,
        "available_models": [_describe(model, chat=chat) for model in target.models],
    }
    changes = (
        Change(("language_models", _KINDS[target.protocol], _PROVIDER), provider),
        Change(("agent", "default_model"), {"provider": _PROVIDER, "model": target.model.name}),
    )
    return [FileChange(*find_main(place), changes)]


def _describe(model: Model, *, chat: bool) -> dict[str, Any]:
    abilities = {"tools": True, "images": model.images, "parallel_tool_calls": True, "prompt_cache_key": False}
    return without_empty(
        {
            "name": model.name,
            "display_name": model.label,
            "max_tokens": model.window or _WINDOW,
            "max_output_tokens": model.max_output,
            "capabilities": abilities if chat else None,
        }
    )


TOOL = Tool(
    "zed",
    "Zed",
    "https://zed.dev/docs/ai/llm-providers, not tried",
    program="zed",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    project_files=(".zed/settings.json",),
    notes=(
        "Zed asks for a key: set FAIRLEAD_LOCAL_API_KEY where it starts, or give it in its agent panel. Without a key "
        "of fairlead's any word does.",
    ),
)
