"""Writes packaging/reference/attacks.md from the probes of the tests beside it: `python -m tests.attacks.page`.

test_page.py checks that it is up to date.
"""

import importlib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "packaging" / "reference" / "attacks.md"
INTRO = """# Attacks that were tried

Written by `python -m tests.attacks.page` from the probes in `tests/attacks`; do not edit. Each row is an attack on a
running fairlead or on the part named by its heading, and what it gave. A test tries it again on every run.
"""


def read_areas():
    """The probes by area, in the order of the files' names."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))
    modules = {name: importlib.import_module(f"tests.attacks.{name}") for name in names if name != "test_page"}
    found = {name: module.PROBES for name, module in modules.items() if hasattr(module, "PROBES")}
    return {name.removeprefix("test_").replace("_", " "): probes for name, probes in found.items()}


def write_page():
    """The whole page."""
    areas = read_areas()
    parts = [INTRO, f"{sum(map(len, areas.values())):,} attacks.\n"]
    for area, probes in areas.items():
        rows = [f"| {probe.attack} | {probe.gives} |" for probe in probes.values()]
        parts.append("\n".join([f"## {area.capitalize()}\n", "| attack | what it gave |", "|---|---|", *rows, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(write_page(), "utf-8")
