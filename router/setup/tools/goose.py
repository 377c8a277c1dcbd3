"""goose: a provider in a file of its own, and its choice in config.yaml."""

from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import ENTRY, FileChange, Model, Place, Target, Tool, dig_text, without_empty


def _find_folder(place: Place) -> Path:
    named = place.environ.get("GOOSE_PATH_ROOT", "")
    if named:
        return Path(named) / "config"
    if place.system == "win32":
        return place.find_application_data() / "Block" / "goose" / "config"
    return place.find_config() / "goose"


def find_main(place: Place) -> tuple[Path, str]:
    """Its configuration."""
    return _find_folder(place) / "config.yaml", "yaml"


def read_base(value: Any) -> str:
    """The host for its OpenAI provider; fairlead's provider has its URL in another file."""
    return dig_text(value, "OPENAI_HOST") if dig_text(value, "GOOSE_PROVIDER") == "openai" else ""


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, and that it is used."""
    chat = target.protocol == "chat"
    provider = without_empty(
        {
            "name": ENTRY,
            "engine": "openai" if chat else "anthropic",
            "display_name": "fairlead",
            "description": "Models of the local proxy",
            "api_key_env": "",
            # The whole path: goose takes host and path apart.
            "base_url": f"{target.v1}/chat/completions" if chat else target.url,
            "models": [_describe(model) for model in target.models],
            "headers": {"x-fairlead-key": target.key} if target.key else None,
            "supports_streaming": True,
            "requires_auth": False,
        }
    )
    path, form = find_main(place)
    chosen = (Change(("GOOSE_PROVIDER",), ENTRY), Change(("GOOSE_MODEL",), target.model.name))
    return [
        FileChange(_find_folder(place) / "custom_providers" / f"{ENTRY}.json", "json", (Change((), provider),)),
        FileChange(path, form, chosen),
    ]


def _describe(model: Model) -> dict[str, Any]:
    return without_empty({"name": model.name, "context_limit": model.window or 128_000})


TOOL = Tool(
    "goose",
    "goose",
    "https://block.github.io/goose/docs/getting-started/providers and its source, not tried",
    program="goose",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    stronger_variables=("GOOSE_PROVIDER", "GOOSE_MODEL"),
    notes=("It reads this when it starts: restart it. What it uses:   goose info -v",),
)
