"""Cline's CLI: a provider in providers.json, as its own `cline auth` writes it. In VS Code it keeps its settings in the
editor's secret storage."""

import datetime
from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.tool import FileChange, Place, Target, Tool, dig_text

_PROVIDERS = {"chat": "openai-compatible", "messages": "anthropic"}


def find_main(place: Place) -> tuple[Path, str]:
    """Its providers."""
    data = place.environ.get("CLINE_DATA_DIR", "")
    folder = Path(data).expanduser() if data else place.find("CLINE_DIR", ".cline") / "data"
    return folder / "settings" / "providers.json", "json"


def read_base(value: Any) -> str:
    """The URL of the provider that was used last."""
    return dig_text(value, "providers", dig_text(value, "lastUsedProvider"), "settings", "baseUrl")


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, and that it was used last."""
    name = _PROVIDERS[target.protocol]
    # In the order in which it writes them; it adds those that lack, which would outlive what is taken back.
    settings = {"provider": name, "apiKey": target.any_key, "model": target.model.name, "baseUrl": target.v1}
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    path, form = find_main(place)
    changes = (
        Change(("version",), 1, only_missing=True),
        Change(("lastUsedProvider",), name),
        Change(("modes",), {}, only_missing=True),
        Change(("providers", name, "settings"), settings),
        Change(("providers", name, "updatedAt"), now, volatile=True),
        Change(("providers", name, "tokenSource"), "manual"),
    )
    return [FileChange(path, form, changes)]


TOOL = Tool(
    "cline",
    "Cline CLI",
    "3.0.65, tried",
    program="cline",
    # 2.18.0 keeps its providers elsewhere.
    oldest="3.0.0",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
    check=("--json", "{prompt}"),
    clients=("cline",),
    notes=("Cline in VS Code has settings of its own: API Provider OpenAI Compatible, and the same URL.",),
)
