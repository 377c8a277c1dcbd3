"""Writes README's tables from the declarations they describe: `python tests/readme.py`. test_readme checks them."""

import re
import sys
from pathlib import Path

from router.backends.known import KNOWN
from router.cli import COMMANDS
from router.settings import DECLARATIONS, default_text

README = Path(__file__).parents[1] / "README.md"


def settings() -> str:
    """The table of settings."""
    rows = ["| flag | variable | default | what it does |", "|---|---|---|---|"]
    for entry in DECLARATIONS:
        flag = f"`{entry.flag} {entry.metavar}`".replace("|", "\\|") if entry.flag else ""
        rows.append(f"| {flag} | `{entry.env}` | {default_text(entry)} | {entry.help} |")
    return "\n".join(rows)


def providers() -> str:
    """The table of known providers."""
    rows = ["| name | speaks | key |", "|---|---|---|"]
    for known in KNOWN.values():
        rows.append(f"| `{known.name}` | {', '.join(known.protocols)} | {'needed' if known.needs_key else 'none'} |")
    return "\n".join(rows)


def commands() -> str:
    """The table of commands."""
    rows = ["| command | does |", "|---|---|"]
    rows += [f"| `fairlead {name}` | {about} |" for name, (_, about) in COMMANDS.items()]
    return "\n".join(rows)


BLOCKS = {"settings": settings, "providers": providers, "commands": commands}


def filled(text: str) -> str:
    """The page with its generated blocks as they should be."""
    for name, table in BLOCKS.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not block.search(text):
            sys.exit(f"README has no block {name}")
        text = block.sub(lambda match, table=table: f"{match[1]}{table()}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    README.write_text(filled(README.read_text("utf-8")), "utf-8")
