"""Writes the tables of `fairlead completions` from the parsers, the settings and the known names:
`python packaging/words.py`. They are data, since a shell waits for each TAB: the parsers load what their commands need.
"""

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from command_tree import Group, Leaf, read_tree

from router.backends.known import KNOWN
from router.cli.env import by_file
from router.cli.env.tools import TOOLS
from router.conform.probes.table import GROUPS
from router.demo import MODELS
from router.settings import DECLARATIONS
from router.settings.declaring.file_tables import TABLES
from router.settings.fields import Map
from router.settings.kinds import LEVEL, Kind
from router.settings.shown import format_default
from router.settings.tables import BACKENDS, KEY_OPTIONS, MODEL_OPTIONS, PRICE
from router.setup.table import TOOLS as SETUP_TOOLS

FOLDER = Path(__file__).parents[1] / "router" / "cli" / "completions" / "tables"
_HELP_LENGTH = 60
# The command with an option for each setting.
_PROXY = "proxy"

# What stands for a value in help -> the kind of its completions. One not named here has none.
_METAVARS = {
    "BACKEND": "backend",
    "ALIAS": "alias",
    "MODEL": "model",
    "FILTER": "model",
    "MODEL|FILE": "model or file",
    "REQUEST_ID": "request",
    "TAG": "tag",
    "FILE": "file",
    "PATH": "file",
    "DIR": "file",
    "VAR": "variable",
    "LIST": "protocols",
    "WHEN": ("60m", "24h", "7d", "today"),
}
# The same by command and name of the argument, where the first words of the command decide.
_ARGUMENTS = {
    ("backend add", "name"): "new backend",
    ("backend", "name"): "backend",
    ("accounts add", "alias"): "",
    ("backend", "auth"): ("client",),
    ("backend", "auth_header"): ("bearer", "x-api-key", "api-key", "x-goog-api-key"),
    ("config set", "key"): "key",
    ("config set", "value"): "value",
    ("config get", "key"): "key",
    ("config unset", "key"): "set key",
    ("config import", "form"): ("fairlead", "claude-code-router", "litellm"),
    ("env", "tool"): "tool",
    ("init", "backend"): "new backend",
    ("init", "proxy"): ("background", "once"),
    ("init", "tool"): "tool",
    ("models", "backend"): "backend",
    ("login status", "name"): "",
    ("login refresh", "name"): "login",
    ("login logout", "name"): "login",
    ("login", "name"): "new login",
    ("login", "protocols"): "protocols",
    ("conform", "probes"): tuple(group.name for group in GROUPS),
    ("keys add", "name"): "",
    ("keys print", "tool"): "tool key",
    ("keys", "name"): "client key",
    ("keys", "models"): "models",
    ("keys", "backends"): "backends",
    ("keys", "paths"): ("inference", "models", "all"),
    ("keys", "auth_client"): ("on", "off"),
    ("setup", "tool"): "tool to set up",
    ("setup", "model"): "model",
}
_KEY_SOURCE = re.compile(r'\s*Option\(\("--key')
_SETTINGS = {entry.attribute: entry for entry in DECLARATIONS}
_KINDS = {"model": "model", "default_backend": "backend", "backend": "backend", "fast_model": "model"}


def build_tables() -> dict[str, str]:
    """File -> its text, as it should be."""
    return {
        "commands.py": _format_commands(),
        "proxy_options.py": _format_proxy_options(),
        "settings.py": _format_settings(),
        "names.py": _format_names(),
    }


def shorten(text: str) -> str:
    """The beginning of a help text, as one column of a list holds it."""
    first = re.split(r";| \(", " ".join(text.split()), maxsplit=1)[0]
    if len(first) <= _HELP_LENGTH:
        return first
    return f"{first[:_HELP_LENGTH].rpartition(' ')[0]} ..."


def _format_commands() -> str:
    lines = [
        '"""The commands. Written by `python packaging/words.py`."""',
        "",
        "from router.cli.completions.rows import Command, Option",
        "from router.cli.completions.tables.proxy_options import PROXY_OPTIONS",
        "",
        "# fmt: off",
        "# ruff: noqa: E501",
        "#: Group -> what it is for.",
        "GROUPS = {",
    ]
    tree = read_tree()
    lines += [f"    {_quote(entry.name)}: {_quote(entry.about)}," for entry in tree if isinstance(entry, Group)]
    leaves = [leaf for entry in tree for leaf in (entry.leaves if isinstance(entry, Group) else [entry])]
    sources = _list_key_sources(leaves)
    lines += ["}", "#: Where a key is taken from, of each command that stores one.", "KEY_SOURCES = ("]
    lines += [row.removeprefix("    ") for row in sources]
    lines += [")", "#: In the order of the overview.", "COMMANDS = {"]
    for leaf in leaves:
        lines += _format_command(leaf, sources)
    return "\n".join([*lines, "}", ""])


def _format_proxy_options() -> str:
    """The options of the proxy, which are as many as there are settings."""
    [proxy] = [leaf for leaf in read_tree() if isinstance(leaf, Leaf) and leaf.name == _PROXY]
    lines = [
        '"""The options of `fairlead proxy`. Written by `python packaging/words.py`."""',
        "",
        "from router.cli.completions.rows import Option",
        "",
        "# fmt: off",
        "# ruff: noqa: E501",
        "PROXY_OPTIONS = (",
    ]
    return "\n".join([*lines, *(row.removeprefix("    ") for row in _format_options(proxy)), ")", ""])


def _list_key_sources(leaves: Iterable[Leaf]) -> list[str]:
    """The rows of the options that several commands share, and which are written once."""
    rows = next(_format_options(leaf) for leaf in leaves if leaf.name == "accounts add")
    return [row for row in rows if _KEY_SOURCE.match(row)]


def _format_command(leaf: Leaf, sources: list[str]) -> list[str]:
    kinds = ", ".join(_format_value(_find_kind(leaf.name, action)) for action in leaf.positionals)
    lines = [f"    {_quote(leaf.name)}: Command({_quote(leaf.about)}, ({kinds}{',' * bool(kinds)}), ("]
    rows = _format_options(leaf) if leaf.name != _PROXY else ["        *PROXY_OPTIONS,"]
    if not rows:
        return [lines[0] + ")),"]
    first = rows.index(sources[0]) if sources[0] in rows else 0
    if rows[first : first + len(sources)] == sources:
        rows[first : first + len(sources)] = ["        *KEY_SOURCES,"]
    return [*lines, *rows, "    )),"]


def _format_options(leaf: Leaf) -> list[str]:
    lines: list[str] = []
    for action in leaf.options[:-1]:  # all have --help
        kind = None if action.nargs == 0 else _find_kind(leaf.name, action)
        again = ", again=True" if _repeats(action) else ""
        names = ", ".join(map(_quote, action.option_strings))
        lines.append(f"        Option(({names},), {_format_value(kind)}, {_quote(shorten(_clean(action)))}{again}),")
    return lines


def _repeats(action: argparse.Action) -> bool:
    # argparse names its kinds of actions by classes of its own only.
    return type(action).__name__ in ("_AppendAction", "_CountAction")


def _clean(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _find_kind(command: str, action: argparse.Action) -> str | tuple[str, ...]:
    if action.choices is not None:
        return tuple(map(str, action.choices))
    for where in (command, command.partition(" ")[0]):
        if (where, action.dest) in _ARGUMENTS:
            return _ARGUMENTS[where, action.dest]
    declared = _SETTINGS.get(action.dest)
    if declared is not None and declared.flag in action.option_strings:
        return _find_setting_kind(declared.key, declared.kind, declared.metavar)
    return _METAVARS.get(str(action.metavar or ""), "")


def _find_setting_kind(key: str, kind: Kind, metavar: str = "") -> str | tuple[str, ...]:
    if kind is LEVEL:
        return ("0", "1", "2")
    if kind.form in ("choice", "switch"):
        return tuple(kind.expected.replace(" or ", ", ").split(", "))
    if metavar == "FILE":
        return "file"
    if key == "fallback":
        return "model"
    return _KINDS.get(key, "")


def _format_settings() -> str:
    lines = [
        '"""The settings. Written by `python packaging/words.py`."""',
        "",
        "from router.cli.completions.rows import Setting, Table",
        "",
        "# fmt: off",
        "# ruff: noqa: E501",
        "DECLARED = {",
    ]
    for entry in DECLARATIONS:
        kind = None if entry.secret else _find_setting_kind(entry.key, entry.kind, entry.metavar)
        lines.append(_format_setting(entry.key, kind, entry.help, format_default(entry)))
    lines += ["}", "#: Below `backends.NAME.`", "OF_BACKEND = {"]
    for entry in BACKENDS:
        key = entry.key + "." * isinstance(entry.kind, Map)
        lines.append(_format_setting(key, _find_setting_kind(entry.key, entry.kind), entry.help))
    lines += ["}", "#: Below `keys.NAME.`", "OF_KEY = {"]
    lines += [
        _format_setting(entry.key, _find_setting_kind(entry.key, entry.kind), entry.help) for entry in KEY_OPTIONS
    ]
    lines += ["}", "#: Below `prices.MODEL.`", "OF_PRICE = {"]
    lines += [_format_setting(entry.key, _find_setting_kind(entry.key, entry.kind), entry.help) for entry in PRICE]
    lines += ["}", "#: Below `models.MODEL.`", "OF_MODEL = {"]
    lines += [
        _format_setting(entry.key, _find_setting_kind(entry.key, entry.kind), entry.help) for entry in MODEL_OPTIONS
    ]
    lines += ["}", "#: Tables whose keys are names: the kind of the names, and of the values.", "TABLES = {"]
    for entry in TABLES:
        assert isinstance(entry.kind, Map)
        names = {"aliases": "alias of a model", "fallback": "model", "losses": "", "server_tools": ""}.get(entry.key)
        if names is None:
            names = "tag" if ".tags." in entry.key else "account"
        items = "model" if entry.key in ("aliases", "fallback") else _find_setting_kind("", entry.kind.items)
        lines.append(
            f"    {_quote(entry.key)}: Table({_quote(names)}, {_format_value(items)}, {_quote(shorten(entry.help))}),"
        )
    return "\n".join([*lines, "}", ""])


def _format_setting(key: str, kind: str | tuple[str, ...] | None, about: str, default: str = "") -> str:
    return f"    {_quote(key)}: Setting({_format_value(kind)}, {_quote(default)}, {_quote(shorten(about))}),"


def _format_names() -> str:
    lines = [
        '"""Names that fairlead knows. Written by `python packaging/words.py`."""',
        "",
        "# fmt: off",
    ]
    lines += _format_pairs("PROVIDERS", ((known.name, known.title) for known in KNOWN.values()))
    lines += _format_pairs("TOOLS", ((tool.name, tool.title) for tool in (*TOOLS, *by_file.TOOLS)))
    lines += _format_pairs("SETUP_TOOLS", ((tool.name, tool.title) for tool in SETUP_TOOLS))
    lines.append("#: Provider -> models of it that are known without asking.")
    lines.append("PROVIDER_MODELS: dict[str, tuple[str, ...]] = {")
    lines += [f"    {_quote(known.name)}: {_format_value(known.models)}," for known in KNOWN.values() if known.models]
    return "\n".join([*lines, "}", "DEMO_MODELS = (", *(f"    {_quote(name)}," for name in MODELS), ")", ""])


def _format_pairs(name: str, pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name} = {{", *(f"    {_quote(key)}: {_quote(about)}," for key, about in pairs), "}"]


def _format_value(value: str | tuple[str, ...] | None) -> str:
    if value is None:
        return "None"
    if isinstance(value, str):
        return _quote(value)
    return f"({', '.join(map(_quote, value))}{',' * (len(value) == 1)})"


def _quote(text: str) -> str:
    """A text as the formatter writes it."""
    if '"' in text and "'" not in text:
        return repr(text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write(tables: Mapping[str, str]) -> None:
    """Replace the files."""
    for name, text in tables.items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(build_tables())
