"""VS Code's Copilot Chat: an entry in chatLanguageModels.json."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change, Item
from router.setup.tool import ENTRY, FileChange, Model, Place, Target, Tool, dig, dig_text, list_entries

_APIS = {
    "chat": ("chat-completions", "/chat/completions"),
    "messages": ("messages", "/messages"),
    "responses": ("responses", "/responses"),
}
# It takes no model without both. What is not known is understated.
_WINDOW, _OUTPUT = 128_000, 8192


def find_main(place: Place) -> tuple[Path, str]:
    """The models of the default profile."""
    return place.find_application_data() / "Code" / "User" / "chatLanguageModels.json", "jsonc"


def read_base(value: Any) -> str:
    """The URL of fairlead's first model."""
    entry = next((one for one in list_entries(value) if one.get("name") == ENTRY), None)
    return next((dig_text(one, "url") for one in list_entries(dig(entry, "models"))), "")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The entry with its models, each with its whole URL."""
    kind, path = _APIS[target.protocol]
    entry = {
        "name": ENTRY,
        "vendor": "customendpoint",
        "apiKey": target.any_key,
        "apiType": kind,
        "models": [_describe(model, target.v1 + path) for model in target.models],
    }
    file, form = find_main(place)
    return [FileChange(file, form, (Change((Item("name", ENTRY),), entry),))]


def _describe(model: Model, url: str) -> dict[str, Any]:
    output = model.least_output or _OUTPUT
    return {
        "id": model.name,
        "name": f"{model.label} (fairlead)",
        "url": url,
        "toolCalling": True,
        "vision": model.images,
        "maxInputTokens": max((model.window or _WINDOW) - output, output),
        "maxOutputTokens": output,
    }


TOOL = Tool(
    "vscode",
    "VS Code Copilot Chat",
    "https://code.visualstudio.com/docs/copilot/customization/language-models, not tried",
    other_names=("code",),
    program="code",
    oldest="1.122.0",
    protocols=("chat", "messages", "responses"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    notes=(
        "It reads this when it starts: restart it. Then choose a model with (fairlead) behind its name in the chat's "
        "list.",
        'Where 1.132 shows none of them, set "chat.agentHost.byokModels.enabled": true in its settings.',
        "Other profiles have a file of their own in profiles/, which is left alone.",
    ),
)
