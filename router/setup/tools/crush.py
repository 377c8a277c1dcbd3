"""crush: a marked block in crushrc, a script of its own commands."""

import shlex
from pathlib import Path
from typing import Any

from router.setup.formats.document import Change
from router.setup.formats.text_edit import BLOCK
from router.setup.tool import ENTRY, FileChange, Place, Target, Tool, dig_text


def find_main(place: Place) -> tuple[Path, str]:
    """The user's script."""
    named = place.environ.get("CRUSH_GLOBAL_CONFIG", "")
    return (Path(named).expanduser() if named else place.find_config() / "crush") / "crushrc", "script"


def read_base(value: Any) -> str:
    """The URL in fairlead's block."""
    words = dig_text(value, BLOCK).split()
    return words[words.index("--base-url") + 1] if "--base-url" in words[:-1] else ""


def make_changes(target: Target, place: Place) -> list[FileChange]:
    """The provider, whose models crush asks for, and the model that it begins with."""
    kind, base = ("openai-compat", target.v1) if target.protocol == "chat" else ("anthropic", target.url)
    lines = (
        f"provider add {ENTRY} --type {kind} --base-url {base} --api-key {shlex.quote(target.any_key)} "
        "--discover-models true",
        f"model large {shlex.quote(f'{ENTRY}/{target.model.name}')}",
    )
    return [FileChange(*find_main(place), (Change((BLOCK,), "\n".join(lines)),))]


TOOL = Tool(
    "crush",
    "crush",
    "its README on crushrc, not tried",
    program="crush",
    oldest="0.80.0",
    protocols=("chat", "messages"),
    find_main=find_main,
    make_changes=make_changes,
    read_base=read_base,
)
