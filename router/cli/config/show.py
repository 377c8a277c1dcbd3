"""`fairlead config`: the table of its commands; show, get and path are here."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, cast

from router.cli.common.group import run_group
from router.cli.common.layout import find_width, format_table, note, print_json
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending, note_refused
from router.errors import CommandError
from router.settings import DECLARATIONS, ConfigFile, Declaration, Loaded, ProxyAddress, Secret, format_value
from router.settings.declaring.file_tables import TABLES
from router.settings.keys import find_key, find_unknown_variables, match_spelling, redact
from router.settings.kinds import Dollars, Money, clean
from router.settings.reading import Path, format_path
from router.store.config import toml
from router.store.home.home import Home, open_home

_COMMANDS = {
    "show": ("router.cli.config.show:run_show", "show every setting with its value and where it comes from"),
    "get": ("router.cli.config.show:run_get", "print the value of one setting"),
    "set": ("router.cli.config.set:run_set", "change one setting in config.toml"),
    "unset": ("router.cli.config.set:run_unset", "take one setting out of config.toml"),
    "path": ("router.cli.config.show:run_path", "print where config.toml is"),
    "edit": ("router.cli.config.edit:run", "open config.toml in your editor"),
    "export": ("router.cli.config.transfer:run_export", "write the settings to share them, without secrets"),
    "import": ("router.cli.config.transfer:run_import", "read such a file, or claude-code-router's or LiteLLM's"),
}
_TABLES = ("aliases", "fallback", "losses", "server_tools", "routes", "backends", "prices", "models")


def run(argv: list[str]) -> int:
    """Run one of the config commands."""
    return run_group(
        "config", _COMMANDS, argv, examples=["fairlead config set timeouts.idle 2m", "fairlead config show"]
    )


def run_show(argv: list[str]) -> int:
    """Show the settings."""
    parser = Parser(
        "config show",
        "Show every setting with its value and where that comes from: a default, config.toml, or this shell's "
        "environment. Secrets are shown as set or unset.",
        examples=["fairlead config show", "fairlead config show --json"],
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON; times are seconds")
    options = parser.read(argv)
    home = open_home(os.environ)
    try:
        file, loaded = toml.read(home), toml.load(home, os.environ)
    except CommandError:
        note_refused(home)
        raise
    note_pending(home)
    if options.json:
        print_json(_to_json(loaded, file))
        return 0
    print("\n".join(format_table(list_rows(loaded, file), width=find_width())))
    for warning in (*loaded.warnings, *find_unknown_variables(os.environ)):
        note(f"warning: {warning}")
    return 0


def list_rows(loaded: Loaded, file: ConfigFile | None) -> list[tuple[str, str, str]]:
    """Each setting with its value and where that comes from; secrets as set or unset."""
    rows = [
        (entry.key, clean(_format_setting(entry, loaded)) or "unset", loaded.sources[entry.key].text)
        for entry in DECLARATIONS
    ]
    for path, value in _list_leaves(loaded, file):
        unknown = ", unknown" if path in loaded.unknown else ""
        rows.append((format_path(path), clean(_format_plain(value)), f"{_format_source(file, path)}{unknown}"))
    return rows


def _format_setting(entry: Declaration, loaded: Loaded) -> str:
    value = getattr(loaded.settings, entry.attribute)
    return ("set" if value else "unset") if entry.secret else format_value(value)


def _to_json(loaded: Loaded, file: ConfigFile | None) -> dict[str, object]:
    def value(entry: Declaration) -> object:
        held = getattr(loaded.settings, entry.attribute)
        if isinstance(held, ProxyAddress):
            return str(held)
        return ("set" if held else "unset") if entry.secret else held

    tables = [(path, item) for path, item in _list_leaves(loaded, file)]
    return {
        "settings": [
            {"key": entry.key, "value": value(entry), "source": loaded.sources[entry.key].text}
            for entry in DECLARATIONS
        ],
        "tables": [_build_row(file, path, item) for path, item in tables if path not in loaded.unknown],
        "unknown": [_build_row(file, path, item) for path, item in tables if path in loaded.unknown],
        "warnings": [*loaded.warnings, *find_unknown_variables(os.environ)],
    }


def _build_row(file: ConfigFile | None, path: Path, value: object) -> dict[str, object]:
    return {"key": format_path(path), "value": value, "source": _format_source(file, path)}


def _format_source(file: ConfigFile | None, path: Path) -> str:
    return f"config.toml, line {file.find_line(path)}" if file else "config.toml"


def _list_leaves(loaded: Loaded, file: ConfigFile | None) -> Iterator[tuple[Path, Any]]:
    """The keys of the file that are not declared settings: entries of tables, then unknown keys; secrets redacted."""
    if file is None:
        return
    tables = {name: file.tree[name] for name in _TABLES if name in file.tree}
    listed = set(loaded.unknown)
    for entry in TABLES:
        path = tuple(entry.key.split("."))
        if path[0] not in _TABLES:
            yield from ((below, value) for below, value in _flatten(_get_inside(file.tree, path), path) if value != {})
    yield from ((path, redact(path, value)) for path, value in _flatten(tables, ()) if path and path not in listed)
    for path in loaded.unknown:
        node: Any = file.tree
        for key in path:
            node = node[key]
        yield path, redact(path, node)


def _get_inside(node: Any, path: Path) -> Any:
    for key in path:
        node = node.get(key, {})
    return node


def _flatten(node: object, path: Path) -> Iterator[tuple[Path, object]]:
    if isinstance(node, dict) and node:
        for key, value in cast("dict[str, object]", node).items():
            yield from _flatten(value, (*path, key))
    elif isinstance(node, list) and any(isinstance(item, dict) for item in cast("list[object]", node)):
        for index, value in enumerate(cast("list[object]", node)):
            yield from _flatten(value, (*path, index))
    else:
        yield path, node


def _format_plain(value: object) -> str:
    """A value of the file as one line."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value)):
        return ",".join(cast("list[str]", value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def run_get(argv: list[str]) -> int:
    """Print one value."""
    parser = Parser(
        "config get",
        "Print the value of one setting as it holds now; nothing when there is none, set or unset for a secret.",
        examples=["fairlead config get timeouts.idle", "fairlead config get aliases.fast"],
    )
    parser.add_argument("key", metavar="KEY", help="the setting")
    parser.add_argument("--json", action="store_true", help="print it as JSON; times are seconds")
    options = parser.read(argv)
    value = _read_effective(open_home(os.environ), options.key)
    if options.json:
        print_json(None if value == "" else value, indent=None)
    else:
        known = isinstance(value, bool | int | float | tuple)
        print(clean(format_value(cast("object", value)) if known else _format_plain(cast("object", value)), 1 << 20))
    return 0


def _read_effective(home: Home, name: str) -> Any:
    file = toml.read(home)
    loaded = toml.load(home, os.environ)
    tree: Mapping[str, Any] = file.tree if file else {}
    if name in _TABLES:
        return redact((name,), tree.get(name, {} if name != "routes" else []))
    key = find_key(name)
    if key.declaration is None:
        value = _read_table_entry(loaded, tree, key.path)
        return Dollars(value) if isinstance(key.kind, Money) and value != "" else value
    value = getattr(loaded.settings, key.declaration.attribute)
    if key.declaration.secret or isinstance(value, Secret):
        return "set" if value else "unset"
    if isinstance(value, ProxyAddress):
        return str(value)
    return "" if value is None else value


def _read_table_entry(loaded: Loaded, tree: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """The value of a table's entry; for an option that a backend does not set, the general setting."""
    written = match_spelling(path, tree)
    node: Any = tree
    for key in written:
        node = node.get(key) if isinstance(node, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if node is not None:
        return redact(written, node)
    general = ".".join(path[2:])
    entry = next((entry for entry in DECLARATIONS if path[0] == "backends" and entry.key == general), None)
    value = getattr(loaded.settings, entry.attribute) if entry else None
    return "" if value is None else value


def run_path(argv: list[str]) -> int:
    """Print the path of the file, whether it exists or not."""
    parser = Parser("config path", "Print where config.toml is.", examples=["fairlead config path"])
    parser.read(argv)
    print(open_home(os.environ).at(toml.NAME))
    return 0
