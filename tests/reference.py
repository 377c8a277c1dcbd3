"""Writes the tables of README and of packaging/reference from the declarations that they describe:
`python tests/reference.py`. test_readme checks them."""

import re
import sys
from pathlib import Path

from router.backends.known import KNOWN
from router.cli import COMMANDS, PURPOSES
from router.conform.probes.table import PROBES
from router.settings import DECLARATIONS, format_default
from router.settings.declaring.file_tables import TABLES
from router.settings.tables import BACKENDS, KEY_OPTIONS, MODEL_OPTIONS, PRICE, ROUTE, Edits, list_entries

ROOT = Path(__file__).parents[1]


def settings() -> str:
    """The table of settings."""
    rows = ["| config key | flag | variable | default | what it does |", "|---|---|---|---|---|"]
    for entry in DECLARATIONS:
        flag = f"`{entry.flag} {entry.metavar}`".replace("|", "\\|") if entry.flag else ""
        rows.append(f"| `{entry.key}` | {flag} | `{entry.env}` | {format_default(entry)} | {entry.help} |")
    return "\n".join(rows)


_FORMS = {
    **{name: name for name in ("text", "number", "time", "size", "table")},
    "switch": "on or off",
    "names": "list",
}


def tables() -> str:
    """The keys of the tables that only config.toml has."""
    rows = ["| table | key | value | what it does |", "|---|---|---|---|"]
    rows += [f"| `[{entry.key}]` | NAME | text | {entry.help} |" for entry in TABLES]
    both = {entry.key for entry in list_entries(Edits)}
    for title, keys in (
        ("[[routes]]", ROUTE),
        ("[backends.NAME]", BACKENDS),
        ("[keys.NAME]", KEY_OPTIONS),
        ('[prices."MODEL"]', PRICE),
        ('[models."MODEL"]', MODEL_OPTIONS),
        ("", list_entries(Edits)),
    ):
        for entry in keys:
            if title and entry.key in both:
                continue
            form = entry.kind.expected if entry.kind.form == "choice" else _FORMS[entry.kind.form]
            where = f"`{title}`" if title else "both"
            rows.append(f"| {where} | `{entry.key}` | {form} | {entry.help} |")
    return "\n".join(rows)


def providers() -> str:
    """The table of known providers."""
    rows = ["| name | speaks | key | asks for |", "|---|---|---|---|"]
    for known in KNOWN.values():
        key, asked = "needed" if known.needs_key else "none", ", ".join(known.variables)
        rows.append(f"| `{known.name}` | {', '.join(known.protocols)} | {key} | {asked} |")
    return "\n".join(rows)


def purposes() -> str:
    """The commands by what they are for."""
    rows = ["| to | commands |", "|---|---|"]
    rows += [f"| {purpose} | {', '.join(f'`{name}`' for name in names)} |" for purpose, names in PURPOSES.items()]
    return "\n".join(rows)


def commands() -> str:
    """The table of commands."""
    rows = ["| command | does |", "|---|---|"]
    rows += [f"| `fairlead {name}` | {COMMANDS[name][1]} |" for names in PURPOSES.values() for name in names]
    return "\n".join(rows)


def probes() -> str:
    """The table of the probes of `fairlead conform`."""
    rows = ["| probe | yes means | runs |", "|---|---|---|"]
    for probe in PROBES.values():
        rows.append(f"| `{probe.id}` | {probe.asks} | {'where it is named' if probe.dear else 'always'} |")
    return "\n".join(rows)


#: Page -> its generated blocks.
PAGES = {
    "README.md": {"commands": purposes},
    "packaging/reference/commands.md": {"commands": commands},
    "packaging/reference/settings.md": {"settings": settings, "tables": tables},
    "packaging/reference/providers.md": {"providers": providers},
    "packaging/reference/cards.md": {"probes": probes},
}


def filled(page: str, text: str) -> str:
    """A page with its generated blocks as they should be."""
    for name, table in PAGES[page].items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not block.search(text):
            sys.exit(f"{page} has no block {name}")
        text = block.sub(lambda match, table=table: f"{match[1]}{table()}\n{match[2]}", text)
    return text


if __name__ == "__main__":
    for page in PAGES:
        path = ROOT / page
        path.write_text(filled(page, path.read_text("utf-8")), "utf-8")
