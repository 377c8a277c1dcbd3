"""Settings from their four sources: default < config file < environment < flag.

An invalid value is an error that names its place and what was expected; it is never replaced by a default. An unknown
key of the file gives a warning.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, NoReturn, cast

import msgspec

from router.errors import CommandError, UsageError
from router.settings.declared import DECLARATIONS, Declaration, Settings
from router.settings.declaring.file_tables import TABLES
from router.settings.kinds import BACKEND, MODEL, Frozen, InvalidValue, clean, display
from router.settings.tables import (
    BACKENDS,
    KEY_OPTIONS,
    MODEL_OPTIONS,
    PRICE,
    ROUTE,
    BackendOptions,
    Condition,
    Edits,
    Entry,
    KeyOptions,
    ModelOptions,
    Price,
    Rule,
    list_entries,
)

Path = tuple[str | int, ...]
Node = Mapping[str, Any]

#: Tables of the file that are read by functions of their own.
_TABLES = ("routes", "backends", "keys", "prices", "models")
#: Names that no client key can have: that of `api_key`, and a word of the operator's paths.
RESERVED_KEYS = ("default", "child")


class ConfigFile(msgspec.Struct, frozen=True):
    """config.toml as it was read."""

    #: Its name in messages.
    name: str
    #: The result of tomllib.
    tree: Node
    #: The line of each key and each table, from 1.
    lines: Mapping[Path, int]

    def __repr__(self) -> str:
        # The tree may hold secrets.
        return f"ConfigFile({self.name!r})"

    def find_line(self, path: Path) -> int:
        """The line of a key, or of the nearest table around it; 0 when unknown."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def format_place(self, path: Path) -> str:
        """`~/.fairlead/config.toml, line 14`."""
        line = self.find_line(path)
        return f"{self.name}, line {line}" if line else self.name


class Source(msgspec.Struct, frozen=True):
    """Where a value comes from."""

    kind: Literal["default", "file", "environment", "flag"]
    #: As `config show` prints it, such as `config.toml, line 14` or `$FAIRLEAD_PORT`.
    text: str


class Loaded(msgspec.Struct, frozen=True):
    """The settings of all sources."""

    settings: Settings
    #: Key -> source.
    sources: Mapping[str, Source]
    #: The unknown keys of the file; `warnings` has a line for each.
    unknown: tuple[Path, ...] = ()
    warnings: tuple[str, ...] = ()


def load(environ: Mapping[str, str], flags: Mapping[str, str], file: ConfigFile | None = None) -> Settings:
    """The settings alone, for callers that show neither sources nor warnings. Raises CommandError."""
    return resolve(environ, flags, file).settings


def resolve(environ: Mapping[str, str], flags: Mapping[str, str], file: ConfigFile | None = None) -> Loaded:
    """Settings from the file, the environment and flags (attribute -> text). Raises CommandError for a bad value."""
    values: dict[str, Any] = {}
    sources = {entry.key: Source("default", "default") for entry in DECLARATIONS}
    reader = _Reader(file) if file else None
    if reader is not None:
        _read_file(reader, values, sources)
    for entry in DECLARATIONS:
        named: tuple[tuple[Literal["environment", "flag"], str, str | None], ...] = (
            ("environment", f"${entry.env}", environ.get(entry.env)),
            ("flag", entry.flag, flags.get(entry.attribute)),
        )
        for kind, where, text in named:
            if text is not None:
                values[entry.attribute] = _parse(entry, where, text, UsageError if kind == "flag" else CommandError)
                if kind == "flag" and entry.kind.hides(text):
                    raise UsageError(
                        f"{where} holds a password, and other users can read a command's arguments.",
                        f"Put it into ${entry.env}, or:   fairlead config set {entry.key} --stdin",
                    )
                sources[entry.key] = Source(kind, where)
    unknown = tuple(reader.unknown) if reader else ()
    warnings = tuple(reader.warnings) if reader else ()
    return Loaded(Settings(**values), sources, unknown, warnings)


def _parse(entry: Declaration, where: str, text: str, error: type[CommandError]) -> Any:
    try:
        return entry.kind.parse_text(text)
    except InvalidValue as wrong:
        shown = "set" if entry.secret or entry.kind.hides(text) else display(text)
        raise error(f"{where} is {shown}; expected {wrong.text}.") from None


def _read_file(reader: "_Reader", values: dict[str, Any], sources: dict[str, Source]) -> None:
    declared = {entry.key: entry for entry in DECLARATIONS}
    known = [Entry(entry.key, entry.kind, entry.help) for entry in DECLARATIONS]
    rest = {key: value for key, value in reader.file.tree.items() if key not in _TABLES}
    secret = {entry.key for entry in DECLARATIONS if entry.secret}
    found = reader.read_table(rest, (), (*known, *TABLES), secret=secret, also=_TABLES)
    for key, value in found.items():
        if key in declared:
            values[declared[key].attribute] = value
            sources[key] = Source("file", f"config.toml, line {reader.file.find_line(tuple(key.split('.')))}")
        else:
            values[key.replace(".", "_")] = value
    _check_aliases(reader, values.get("aliases", {}))
    values["routes"] = _read_routes(reader)
    values["backends"] = _read_backends(reader)
    values["keys"] = _read_keys(reader)
    values["prices"] = _read_prices(reader)
    values["models"] = Frozen(
        {name: ModelOptions(**found) for name, _, found in _read_by_model(reader, "models", MODEL_OPTIONS, "window")}
    )


def _check_aliases(reader: "_Reader", aliases: Mapping[str, str]) -> None:
    for written in reader.file.tree.get("aliases", {}):
        target = aliases[written.lower()]
        if target.lower() == written.lower():
            reader.fail(("aliases", written), "is its own target; an alias stands for another model.")
        if target.lower() in aliases:
            final = aliases[target.lower()]
            reader.fail(
                ("aliases", written),
                f"leads to {display(target)}, itself an alias; an alias is one step, so name the model: "
                f"{display(final)}.",
            )


def _read_routes(reader: "_Reader") -> tuple[Rule, ...]:
    listed: object = reader.file.tree.get("routes", [])
    if not isinstance(listed, list):
        reader.reject(("routes",), listed, "a list of rules, each under [[routes]]")
    rules: list[Rule] = []
    for index, node in enumerate(cast("list[object]", listed)):
        rule = _read_rule(reader, ("routes", index), node)
        if any(rule.name == other.name for other in rules):
            reader.fail(("routes", index, "name"), f"is {display(rule.name)}, as an earlier rule's; expected its own.")
        rules.append(rule)
    return tuple(rules)


def _read_rule(reader: "_Reader", path: Path, node: object) -> Rule:
    if not isinstance(node, dict):
        reader.reject(path, node, "a table")
    found = reader.read_table(cast("Node", node), path, ROUTE)
    edits = _read_edits(reader, path, found)
    when = Condition(**_pick(found, Condition, "when."))
    name = f"route {int(path[-1]) + 1}"
    values: dict[str, Any] = {"name": name, **_pick(found, Rule)}
    rule = Rule(**values, when=when, edits=edits)
    if not rule.backend and not rule.model and not rule.fallback and not rule.caches and edits == Edits():
        reader.fail(
            path, "does nothing; expected a backend, a model, a fallback, a cache or an edit such as set_headers."
        )
    if when.tokens_over is not None and when.tokens_under is not None and when.tokens_under <= when.tokens_over + 1:
        reader.fail(
            (*path, "when", "tokens_under"), f"is {when.tokens_under}; no number is both under it and over tokens_over."
        )
    return rule


def _read_backends(reader: "_Reader") -> Frozen[BackendOptions]:
    found: dict[str, BackendOptions] = {}
    for name, path, values in _read_named(reader, "backends", BACKENDS):
        found[name] = BackendOptions(**_pick(values, BackendOptions), edits=_read_edits(reader, path, values))
    return Frozen(found)


def _read_keys(reader: "_Reader") -> Frozen[KeyOptions]:
    found: dict[str, KeyOptions] = {}
    for name, path, values in _read_named(reader, "keys", KEY_OPTIONS):
        if name in RESERVED_KEYS:
            reader.fail(path, "cannot be used: fairlead has that name itself; choose another.")
        found[name] = KeyOptions(**_pick(values, KeyOptions))
    return Frozen(found)


def _read_named(reader: "_Reader", table: str, known: Sequence[Entry]) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """The tables below one that is keyed by names: each name, its path, and the values by their keys."""
    tables: object = reader.file.tree.get(table, {})
    if not isinstance(tables, dict):
        reader.reject((table,), tables, f"tables such as [{table}.NAME]")
    seen: set[str] = set()
    for written, node in cast("dict[str, object]", tables).items():
        path = (table, written)
        try:
            name = BACKEND.parse_text(written)
        except InvalidValue as wrong:
            expected = wrong.text if table == "backends" else wrong.text.replace("backend's", "key's")
            reader.fail(path, f"cannot be used: expected {expected}.")
        if name in seen:
            reader.fail(path, "cannot be used: it is here twice.")
        seen.add(name)
        if not isinstance(node, dict):
            reader.reject(path, node, f"a table, such as [{table}.{name}]")
        yield name, path, reader.read_table(cast("Node", node), path, known)


def _read_prices(reader: "_Reader") -> Frozen[Price]:
    found: dict[str, Price] = {}
    for name, written, values in _read_by_model(reader, "prices", PRICE, "input and output"):
        found[name] = Price(**values)
        half = found[name].explain_half(written)
        if half:
            # Files with one are older than this warning, and what they hold must keep working.
            reader.warnings.append(f"{reader.file.format_place(('prices', written))}: {half}")
    return Frozen(found)


def _read_by_model(
    reader: "_Reader", table: str, known: Sequence[Entry], usual: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The tables below one that is keyed by models: the name in lower case, as it is written, and the values by the
    fields that hold them. usual: the keys that an error names."""
    tables: object = reader.file.tree.get(table, {})
    if not isinstance(tables, dict):
        reader.reject((table,), tables, f'tables such as [{table}."MODEL"]')
    seen: set[str] = set()
    for written, node in cast("dict[str, object]", tables).items():
        path = (table, written)
        try:
            name = MODEL.parse_text(written).lower()
        except InvalidValue as wrong:
            reader.fail(path, f"cannot be used: expected {wrong.text}.")
        if name in seen:
            reader.fail(path, "cannot be used: it is here twice.")
        seen.add(name)
        if not isinstance(node, dict):
            reader.reject(path, node, f'a table, such as [{table}."{clean(name)}"] with {usual}')
        values = reader.read_table(cast("Node", node), path, known)
        yield name, written, {entry.attribute: values[entry.key] for entry in known if entry.key in values}


def _read_edits(reader: "_Reader", path: Path, values: Mapping[str, Any]) -> Edits:
    edits = Edits(**_pick(values, Edits))
    removed = {name.lower() for name in edits.remove_headers}
    for name in edits.set_headers:
        if name.lower() in removed:
            reader.fail((*path, "remove_headers"), f"names {name}, which set_headers sets.")
    for name in edits.remove_fields:
        if name in edits.set_fields:
            reader.fail((*path, "remove_fields"), f"names {name}, which set_fields sets.")
    return edits


def _pick(values: Mapping[str, Any], shape: type, prefix: str = "") -> dict[str, Any]:
    return {entry.attribute: values[entry.key] for entry in list_entries(shape, prefix) if entry.key in values}


class _Reader:
    """Reads the tables of one file by declared keys, and raises errors that name line and key."""

    def __init__(self, file: ConfigFile):
        self.file = file
        self.unknown: list[Path] = []
        self.warnings: list[str] = []

    def read_table(
        self,
        node: Node,
        path: Path,
        known: Sequence[Entry],
        *,
        secret: set[str] | None = None,
        also: Sequence[str] = (),
    ) -> dict[str, Any]:
        """The values of the declared keys in a table: dotted key -> value. also: keys that are read elsewhere, to be
        suggested for an unknown one. Raises CommandError."""
        declared = {tuple(entry.key.split(".")): entry for entry in known}
        found: dict[str, Any] = {}
        for below, value in _list_leaves(node, (), declared):
            where = (*path, *below)
            entry = declared.get(below)
            if entry is not None:
                found[entry.key] = self._parse_value(entry, where, value, hidden=entry.key in (secret or ()))
            elif _leads_to_key(below, declared):
                self.reject(where, value, f"a table with keys such as {_find_first(below, known)}")
            elif path[:1] == ("routes",) and below[0] == "when":
                # A rule without one of its conditions would match requests that it is not meant for.
                asked = ", ".join(entry.key.removeprefix("when.") for entry in known if entry.key.startswith("when."))
                self.fail(where, f"is not a known condition; expected one of {asked}.")
            else:
                self._warn(where, ".".join(below), [*(entry.key for entry in known), *also])
        return found

    def _parse_value(self, entry: Entry, path: Path, value: object, *, hidden: bool) -> Any:
        try:
            return entry.kind.parse_value(value)
        except InvalidValue as wrong:
            where = (*path, *wrong.below)
            if wrong.refused:
                culprit = _get_inside(value, wrong.below)
                named = "" if isinstance(where[-1], str) and wrong.below else f"names {display(culprit)}, which "
                self.fail(where, f"{named}cannot be used: {wrong.text}.")
            self.reject(where, _get_inside(value, wrong.below), wrong.text, hidden=hidden or entry.kind.hides(value))

    def reject(self, path: Path, value: object, expected: str, *, hidden: bool = False) -> NoReturn:
        """Raise CommandError for an invalid value."""
        quiet = hidden or "set_headers" in path
        self.fail(path, f"is {'set' if quiet else display(value)}; expected {expected}.")

    def fail(self, path: Path, text: str) -> NoReturn:
        """Raise CommandError with line, key and text."""
        raise CommandError(
            f"{self.file.format_place(path)}: {format_path(path)} {text}", "Change it:   fairlead config edit"
        )

    def _warn(self, path: Path, key: str, known: Sequence[str]) -> None:
        from difflib import get_close_matches

        near = get_close_matches(key, known, n=1, cutoff=0.6)
        meant = f"; did you mean {near[0]}?" if near else "."
        self.unknown.append(path)
        self.warnings.append(f"{self.file.format_place(path)}: unknown key {format_path(path)}{meant}")


def _list_leaves(
    node: Node, path: tuple[str, ...], known: Collection[tuple[str, ...]]
) -> list[tuple[tuple[str, ...], Any]]:
    """The entries below a table. A table on the path to a declared key is descended into; any other value is a leaf."""
    found: list[tuple[tuple[str, ...], Any]] = []
    for key in node:
        here: tuple[str, ...] = (*path, key)
        table = _as_table(node[key])
        if table is not None and _leads_to_key(here, known):
            found += _list_leaves(table, here, known)
        else:
            found.append((here, node[key]))
    return found


def _as_table(value: object) -> Node | None:
    return cast("Node", value) if isinstance(value, dict) else None


def _leads_to_key(path: tuple[str, ...], known: Collection[tuple[str, ...]]) -> bool:
    return any(len(name) > len(path) and name[: len(path)] == path for name in known)


def _find_first(path: tuple[str, ...], known: Sequence[Entry]) -> str:
    prefix = ".".join(path) + "."
    return next(entry.key.removeprefix(prefix) for entry in known if entry.key.startswith(prefix))


def _get_inside(value: Any, below: Path) -> object:
    for key in below:
        value = value[key]
    return value


def format_path(path: Path) -> str:
    """A path in messages: `timeouts.idle`, `routes 2 when.model`. Rules and entries of lists count from 1."""
    text = ""
    for before, part in zip((None, *path), path, strict=False):
        if isinstance(part, int):
            text += f" {part + 1}"
        else:
            text += ("" if before is None else " " if isinstance(before, int) else ".") + clean(part)
    return text
