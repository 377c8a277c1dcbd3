"""Writes the tools of `fairlead mcp` as hosts list them: `python packaging/mcp_tools.py`. They are data, since each
start of each agent waits for them: the forms that they are made from load a library."""

from pathlib import Path
from pprint import pformat

from router.mcp.schemas import build_listing

PATH = Path(__file__).parents[1] / "router" / "mcp" / "listing.py"
_HEAD = '''"""The tools and resources as hosts list them. Written by `python packaging/mcp_tools.py`."""

from typing import Any

# fmt: off
# ruff: noqa: E501
'''


def format_listing() -> str:
    """The text of the file, as it should be."""
    lists = build_listing()
    parts = [f"{name}: list[dict[str, Any]] = [\n{_format_entries(entries)}]" for name, entries in lists.items()]
    return "\n".join([_HEAD + parts[0], *parts[1:], 'NAMES = frozenset(tool["name"] for tool in TOOLS)', ""])


def _format_entries(entries: list[dict[str, object]]) -> str:
    return "".join(f"    {{\n{_format_fields(entry)}    }},\n" for entry in entries)


def _format_fields(entry: dict[str, object]) -> str:
    return "".join(
        f'        "{name}": {pformat(value, width=100_000, sort_dicts=False)},\n' for name, value in entry.items()
    )


if __name__ == "__main__":
    PATH.write_text(format_listing(), encoding="utf-8")
