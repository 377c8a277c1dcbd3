"""Writes the manual pages in packaging/man/ from the parsers and the settings: `python packaging/man.py`.

`fairlead.1`, a page for each command (`fairlead-proxy.1`), and `fairlead-config.5` for the settings. They have no date
of their own: it is that of the version in CHANGELOG.md.
"""

import argparse
import datetime
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

from command_tree import Group, Leaf, read_tree

from router import __version__
from router.settings import DECLARATIONS, format_default
from router.settings.declared import Declaration
from router.settings.declaring.file_tables import TABLES
from router.settings.tables import BACKENDS, MODEL_OPTIONS, PRICE, ROUTE, Entry

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "packaging" / "man"
_WIDTH = 78
_ABOUT = "one URL on this machine, every LLM behind it"
_SPECIAL = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    "`": "\\(ga",
    "~": "\\(ti",
    "^": "\\(ha",
    "\N{HORIZONTAL ELLIPSIS}": "...",
    "\N{EN DASH}": "\\(en",
}
#: A configuration that shows each form of a key; the test loads it.
EXAMPLE = """\
port = 3457
default_backend = "groq"

[timeouts]
idle = "2m"

[aliases]
fast = "groq:llama-3.3-70b-versatile"

[[routes]]
name = "long context"
when.tokens_over = 150000
backend = "anthropic"

[backends.groq]
rpm = 30

[prices."qwen3-coder"]
input = 0.5
output = 1.5
"""


def build_pages() -> dict[str, str]:
    """File -> its text, as it should be."""
    tree = read_tree()
    pages = {"fairlead.1": _format_overview(tree), "fairlead-config.5": _format_settings_page()}
    for entry in tree:
        pages[f"fairlead-{entry.name}.1"] = _format_command(entry)
    return pages


def escape(text: str) -> str:
    """A text without markup for roff; `code` stays as it is written."""
    return "".join(_SPECIAL.get(sign, sign if sign.isascii() else f"\\[u{ord(sign):04X}]") for sign in text)


def _mark_up(text: str) -> str:
    """A text for roff, with `code` in bold."""
    return "".join(
        f"\\fB{escape(part)}\\fP" if number % 2 else escape(part) for number, part in enumerate(text.split("`"))
    )


def _fill(text: str) -> list[str]:
    """The lines of a paragraph; none begins as a request of roff would."""
    lines = textwrap.wrap(_mark_up(text), _WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"\\&{line}" if line.startswith(".") else line for line in lines]


def _head(title: str, section: int) -> list[str]:
    about = "fairlead manual" if section == 1 else "fairlead settings"
    return [
        '.\\" Written by `python packaging/man.py`.',
        f'.TH {escape(title).upper()} {section} "{find_date()}" "fairlead {__version__}" "{about}"',
        # Names of variables and commands stay whole, and lines have no gaps.
        ".nh",
        ".ad l",
    ]


def find_date() -> str:
    """The day of this version in CHANGELOG.md. A version that is not released has none: the first of January of the
    license's year stands for it, since a page must have a date, and the same one each time it is written."""
    changes = (ROOT / "packaging" / "CHANGELOG.md").read_text("utf-8")
    found = re.search(rf"^## {re.escape(__version__)} \((\d{{4}}-\d\d-\d\d)\)", changes, re.MULTILINE)
    if found:
        return datetime.date.fromisoformat(found[1]).isoformat()
    year = re.search(r"Copyright \(c\) (\d{4})", (ROOT / "LICENSE").read_text("utf-8"))
    assert year is not None
    return f"{year[1]}-01-01"


def _format_overview(tree: Sequence[Leaf | Group]) -> str:
    lines = [*_head("fairlead", 1), ".SH NAME", f"fairlead \\- {escape(_ABOUT)}"]
    lines += [
        ".SH SYNOPSIS",
        ".B fairlead",
        "\\fICOMMAND\\fP [\\fIARGUMENT\\fP ...]",
        ".br",
        ".B fairlead",
        "[\\fB\\-\\-plain\\fP] [\\fB\\-\\-no\\-mouse\\fP]",
        ".br",
        ".B fairlead \\-\\-version",
    ]
    lines += [".SH DESCRIPTION"]
    lines += _fill(
        "fairlead is a local router for language models. Tools are pointed at one URL on this machine; fairlead sends "
        "each request to the backend that serves its model, with the account that has room, in the protocol that the "
        "backend speaks."
    )
    lines += [
        ".PP",
        *_fill(
            "Without a command, on a terminal, it shows all of it on the whole screen: what runs, the requests, sums, "
            "accounts, backends and settings. ? lists the keys, q leaves. With --plain it prints a line per request, "
            "for screen readers and pipes; with --no-mouse the mouse is left to the terminal."
        ),
    ]
    lines += [".SH COMMANDS"]
    for entry in tree:
        lines += [".TP", f"\\fBfairlead\\-{escape(entry.name)}\\fP(1)", *_fill(f"{entry.about}.")]
    lines += [".SH ENVIRONMENT"]
    lines += [".TP", ".B FAIRLEAD_HOME", *_fill("absolute path of the home (default ~/.fairlead).")]
    lines += [".TP", ".B FAIRLEAD_TRACEBACK", *_fill("1: an internal error is shown with its traceback, for a report.")]
    lines += [".PP", *_fill("Each setting has a variable of its own:"), "see", ".BR fairlead\\-config (5)."]
    lines += [".SH FILES"]
    for path, about in _FILES:
        lines += [".TP", f".I {escape(path)}", *_fill(about)]
    lines += [".SH EXIT STATUS", *_fill("0: done. 1: it failed. 2: the command line is wrong. 130: interrupted.")]
    lines += [".SH EXAMPLES", *_format_code(_FIRST_STEPS)]
    lines += [".SH SEE ALSO", *_format_references([*(f"fairlead-{entry.name}" for entry in tree)], 1, last=False)]
    return "\n".join([*lines, ".BR fairlead\\-config (5)", ""])


_FIRST_STEPS = (
    "fairlead demo",
    "fairlead backend add anthropic --key-stdin",
    "fairlead proxy",
    "fairlead help backend",
)
_FILES = (
    ("~/.fairlead/config.toml", "the settings; hand-edited, or by `fairlead config set`."),
    ("~/.fairlead/backends/", "a file for each backend, with its accounts and their keys, or where these are."),
    ("~/.fairlead/logins/", "a file for each login, with its tokens where no keyring has them."),
    ("~/.fairlead/history.db", "the requests, without their texts; on a local disk where the home is on a network."),
)


def _format_references(names: Sequence[str], section: int, *, last: bool = True) -> list[str]:
    commas = [","] * (len(names) - 1) + ["" if last else ","]
    return [f".BR {escape(name)} ({section}){comma}" for name, comma in zip(names, commas, strict=True)]


def _format_command(entry: Leaf | Group) -> str:
    title = f"fairlead-{entry.name}"
    lines = [*_head(title, 1), ".SH NAME", *_fill(f"{title} - {entry.about}"), ".SH SYNOPSIS"]
    leaves = entry.leaves if isinstance(entry, Group) else [entry]
    for number, leaf in enumerate(leaves):
        lines += [".br"] * (number > 0) + [_format_usage(leaf)]
    if isinstance(entry, Leaf):
        lines += [".SH DESCRIPTION", *_fill(entry.parser.description or ""), ".SH OPTIONS", *_format_arguments(entry)]
        lines += _format_notes(entry)
    else:
        lines += [".SH COMMANDS"]
        for leaf in leaves:
            lines += [f".SS {escape(leaf.name)}", *_fill(leaf.parser.description or ""), *_format_arguments(leaf)]
            lines += _format_notes(leaf)
    lines += [".SH EXAMPLES", *_format_code([line for leaf in leaves for line in _list_examples(leaf)])]
    lines += [".SH SEE ALSO", ".BR fairlead (1),", ".BR fairlead\\-config (5)", ""]
    return "\n".join(lines)


def _format_usage(leaf: Leaf) -> str:
    shown = [f"\\fBfairlead {escape(leaf.name)}\\fP"]
    for action in leaf.positionals:
        name = f"\\fI{escape(str(action.metavar or action.dest))}\\fP"
        several = action.nargs == "*" and not str(action.metavar).startswith("-")
        shown.append(f"[{name}]" if action.nargs == "?" else f"[{name} ...]" if several else name)
    return " ".join([*shown, "[\\fIOPTION\\fP ...]"])


def _format_arguments(leaf: Leaf) -> list[str]:
    lines: list[str] = []
    for action in (*leaf.positionals, *leaf.options):
        about = (action.help or "").replace("%%", "%")
        lines += [".TP", _format_tag(action), *_fill(f"{about}.")]
    return lines


def _format_tag(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    shown = f"\\fI{escape(str(value))}\\fP"
    if not action.option_strings:
        return shown
    names = ", ".join(f"\\fB{escape(name)}\\fP" for name in action.option_strings)
    if action.nargs == 0:
        return names
    return f"{names} [{shown}]" if action.nargs == "?" else f"{names} {shown}"


def _list_blocks(leaf: Leaf) -> Iterable[tuple[str, list[str]]]:
    """What a help page has below the options: heading -> its lines."""
    for block in (leaf.parser.epilog or "").replace("%%", "%").split("\n\n"):
        heading, *below = block.split("\n")
        yield heading.rstrip(":"), [line.strip() for line in below]


def _list_examples(leaf: Leaf) -> list[str]:
    return [line for heading, below in _list_blocks(leaf) if heading in ("example", "examples") for line in below]


def _format_notes(leaf: Leaf) -> list[str]:
    lines: list[str] = []
    for heading, below in _list_blocks(leaf):
        if heading not in ("example", "examples"):
            lines += [".PP", *_fill(f"{heading[:1].upper()}{heading[1:]}: {' '.join(below)}.")]
    return lines


def _format_code(code: Iterable[str]) -> list[str]:
    return [".nf", *(f"\\&{escape(line)}" if line[:1] in (".", "'") else escape(line) for line in code), ".fi"]


def _format_settings_page() -> str:
    title = "fairlead-config"
    lines = [*_head(title, 5), ".SH NAME", f"{escape(title)} \\- settings of fairlead", ".SH SYNOPSIS"]
    lines += [".I \\(ti/.fairlead/config.toml", ".SH DESCRIPTION"]
    lines += _fill(
        "Each setting is a key of config.toml, an environment variable and an option of `fairlead proxy`. The option "
        "wins, then the variable, then the file. Times take a unit (120s, 2m). A running proxy takes up a change "
        "without ending its streams, but for the settings that say otherwise. `fairlead config set` changes one and "
        "keeps comments and order."
    )
    lines += [".SH SETTINGS"]
    for entry in DECLARATIONS:
        lines += _format_setting(entry)
    lines += [".SH TABLES", *_fill("These can be set in the file only.")]
    for entry in TABLES:
        lines += [".TP", f"\\fB[{escape(entry.key)}]\\fP \\fINAME\\fP", *_fill(f"{entry.help}.")]
    for heading, about, entries in (
        ("[[routes]]", "Rules, tried in their order; the first that applies decides.", ROUTE),
        ("[backends.NAME]", "Options of one backend.", BACKENDS),
        ('[prices."MODEL"]', "The price of one model.", PRICE),
        ('[models."MODEL"]', "What you know of one model; BACKEND:MODEL for one backend alone.", MODEL_OPTIONS),
    ):
        lines += [f".SS {escape(heading)}", *_fill(about), *_format_entries(entries)]
    lines += [".SH EXAMPLES", *_format_code(EXAMPLE.splitlines())]
    lines += [".SH SEE ALSO", ".BR fairlead (1),", ".BR fairlead\\-config (1)", ""]
    return "\n".join(lines)


def _format_setting(entry: Declaration) -> list[str]:
    lines = [".TP", f"\\fB{escape(entry.key)}\\fP = \\fI{escape(entry.metavar)}\\fP", *_fill(f"{entry.help}.")]
    default = format_default(entry)
    said = [f"Default {default}."] if default else []
    said.append(f"${entry.env}{f', {entry.flag}' if entry.flag else ''}.")
    if entry.restart:
        said.append("A change needs a restart.")
    return [*lines, ".br", *_fill(" ".join(said))]


def _format_entries(entries: Iterable[Entry]) -> list[str]:
    lines: list[str] = []
    for entry in entries:
        form = entry.kind.expected if entry.kind.form == "choice" else _FORMS[entry.kind.form]
        lines += [".TP", f"\\fB{escape(entry.key)}\\fP (\\fI{escape(form)}\\fP)", *_fill(f"{entry.help}.")]
    return lines


_FORMS = {
    "text": "text",
    "number": "number",
    "time": "time",
    "size": "size",
    "switch": "on or off",
    "names": "list",
    "table": "table",
    "json": "value",
}


def write(pages: dict[str, str]) -> None:
    """Replace the pages, and remove those of commands that are no more."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.[0-9]"):
        path.unlink()
    for name, text in pages.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(build_pages())
