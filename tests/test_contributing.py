"""The page for contributors tells the same story as the code. `python tests/test_contributing.py` writes its table."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / ".github" / "CONTRIBUTING.md"
BLOCK = re.compile(r"(<!-- rooms -->\n).*?(<!-- /rooms -->)", re.DOTALL)
PATH = re.compile(r"`((?:\.ci|\.github|build|packaging|router|tests)/[\w./-]+)")


def architecture():
    """tests/test_architecture.py as a module."""
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "tests" / "test_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def room_table():
    """The table of rooms as the page should have it, from the bottom up."""
    held = architecture()
    base, found = held.BASE, held.ROOMS
    rows = ["| room | may import |", "|---|---|", f"| base | {listed(base, found)} |"]
    for name, allowed in found.items():
        rest = allowed - base if base <= allowed else allowed
        parts = [*(["base"] if base <= allowed else []), *([listed(rest, found)] if rest else [])]
        rows.append(f"| `{name}` | {', '.join(parts) or '–'} |")
    return "\n".join(rows)


def listed(names, order):
    """Rooms in the order of the table."""
    return ", ".join(f"`{name}`" for name in order if name in names)


def filled(text):
    """The page with its table as it should be."""
    return BLOCK.sub(lambda match: f"{match[1]}{room_table()}\n{match[2]}", text)


def test_table_of_rooms_is_up_to_date():
    """It is the table that the test of the architecture holds."""
    text = PAGE.read_text("utf-8")
    assert BLOCK.search(text)
    assert filled(text) == text


def test_every_path_named_exists():
    """A file that moves is followed on the page."""
    named = set(PATH.findall(PAGE.read_text("utf-8")))
    assert len(named) > 40
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_room_is_on_the_page():
    """The table has a row for each folder of router/ and for each file that others import."""
    here = {path.stem for path in (ROOT / "router").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert here - {"__init__", "__pycache__"} <= set(architecture().ROOMS)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
