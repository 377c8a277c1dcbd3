"""Find settings by the names that commands take: `timeouts.idle`, `backends.groq.set_headers.X-Title`."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

from router.errors import CommandError
from router.settings import secret_headers
from router.settings.declared import DECLARATIONS, Declaration
from router.settings.declaring.file_tables import TABLES
from router.settings.fields import Map
from router.settings.kinds import BACKEND, InvalidValue, Kind, clean, display
from router.settings.reading import Path
from router.settings.secret_names import may_be_secret_name
from router.settings.tables import BACKENDS, KEY_OPTIONS, MODEL_OPTIONS, PRICE

_DECLARED = {entry.key: entry for entry in DECLARATIONS}
_MAPS = {entry.key: entry.kind for entry in TABLES if isinstance(entry.kind, Map)}
#: Tables keyed by names -> what has those names, and the kinds of their keys.
_BY_NAME = {
    "backends": ("backend", {entry.key: entry.kind for entry in BACKENDS}),
    "keys": ("key", {entry.key: entry.kind for entry in KEY_OPTIONS}),
}
#: Tables keyed by models -> the kinds of their keys.
_BY_MODEL = {
    "prices": {entry.key: entry.kind for entry in PRICE},
    "models": {entry.key: entry.kind for entry in MODEL_OPTIONS},
}
# Tables whose declared keys are judged by what they hold.
_OWN_TABLES = ("routes", "aliases", "fallback", "losses", "server_tools", *_BY_NAME, *_BY_MODEL)

#: Variables that are not settings: the home, a folder of configuration, and a switch for reports of defects.
# The last two are the installers'.
_OTHER_VARIABLES = (
    *("FAIRLEAD_HOME", "FAIRLEAD_CONFIG_DIR", "FAIRLEAD_TRACEBACK"),
    *("FAIRLEAD_RELEASES_URL", "FAIRLEAD_VERSION", "FAIRLEAD_RUN"),
)


@dataclass(frozen=True, slots=True)
class Key:
    """One key that can be set."""

    #: Its place in config.toml.
    path: tuple[str, ...]
    kind: Kind
    #: None for a key of a table.
    declaration: Declaration | None = None

    def read(self, text: str) -> object:
        """The value to write to config.toml for a text. Raises CommandError, which does not show a secret."""
        try:
            self.kind.parse_text(text)
        except InvalidValue as wrong:
            name = ".".join(self.path)
            if wrong.refused:
                raise CommandError(f"{name} is {display(text)}, which cannot be used: {wrong.text}.") from None
            hidden = (self.declaration and self.declaration.secret) or "set_headers" in self.path
            hidden = hidden or self.kind.hides(text)
            raise CommandError(f"{name} is {'set' if hidden else display(text)}; expected {wrong.text}.") from None
        return self.kind.to_toml(text)


def find_key(name: str) -> Key:
    """The key of that name. Raises CommandError, which names a similar key."""
    if name in _DECLARED:
        return Key(tuple(name.split(".")), _DECLARED[name].kind, _DECLARED[name])
    first, _, rest = name.partition(".")
    if first == "routes":
        raise CommandError("rules cannot be set one by one.", "Write them:   fairlead config edit")
    for table, kind in _MAPS.items():
        if name.startswith(f"{table}.") and name != f"{table}.":
            return _find_entry(tuple(table.split(".")), kind, name.removeprefix(f"{table}."))
    if first in _BY_NAME and rest:
        return _find_option(first, *rest.partition(".")[::2])
    if first in _BY_MODEL and rest:
        return _find_by_model(first, rest)
    kinds = {"losses": "FIELD", "fallback": "GLOB", "server_tools": "TOOL"}
    tables = (f"{table}.{kinds.get(table, 'NAME')}" for table in _MAPS)
    raise _make_unknown_error(
        name, [*_DECLARED, *tables, "backends.NAME.KEY", "keys.NAME.KEY", "prices.MODEL.input", "models.MODEL.window"]
    )


def _find_by_model(table: str, rest: str) -> Key:
    # A model's name may hold dots: what is behind it is one of the keys.
    known = _BY_MODEL[table]
    for key, kind in known.items():
        model = rest.removesuffix(f".{key}")
        if model and model != rest:
            return Key((table, model, *key.split(".")), kind)
    model = rest.rpartition(".")[0]
    raise _make_unknown_error(f"{table}.{rest}", [f"{table}.{model or rest}.{name}" for name in known])


def _find_option(first: str, named: str, option: str) -> Key:
    what, options = _BY_NAME[first]
    try:
        path = (first, BACKEND.parse_text(named))
    except InvalidValue as wrong:
        expected = wrong.text.replace("backend", what)
        raise CommandError(f"{display(named)} is not a valid name of a {what}; expected {expected}.") from None
    if option in options and not isinstance(options[option], Map):
        return Key((*path, *option.split(".")), options[option])
    name, _, rest = option.partition(".")
    table = options.get(name)
    if rest and isinstance(table, Map):
        return _find_entry((*path, name), table, rest)
    prefix = f"{first}.{path[1]}."
    raise _make_unknown_error(
        prefix + option, [prefix + key + (".NAME" if isinstance(kind, Map) else "") for key, kind in options.items()]
    )


def _find_entry(path: tuple[str, ...], kind: Map, name: str) -> Key:
    try:
        return Key((*path, kind.check_name(name)), kind.items)
    except InvalidValue as wrong:
        raise CommandError(f"{'.'.join(path)}.{clean(name)} cannot be used: {wrong.text}.") from None


def _make_unknown_error(name: str, known: list[str]) -> CommandError:
    last = name.rpartition(".")[2]
    near = [key for key in known if key.rpartition(".")[2] == last] or get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"Did you mean {near[0]}?" if near else "List all:   fairlead config show"
    return CommandError(f"unknown setting {clean(name)}.", hint)


def find_unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """A warning for each variable that looks like a setting of fairlead and is none."""
    known = {*(entry.env for entry in DECLARATIONS), *_OTHER_VARIABLES}
    found: list[str] = []
    for name in sorted(environ):
        if name.startswith("FAIRLEAD_") and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.8)
            found.append(
                f"${clean(name)} is ignored: it is not a setting" + (f"; did you mean ${near[0]}?" if near else ".")
            )
    return found


def match_spelling(path: tuple[str, ...], tree: Mapping[str, Any]) -> tuple[str, ...]:
    """The path with the user's names in the case in which the file has them."""
    found: list[str] = []
    node: object = tree
    for depth, key in enumerate(path):
        inside = _as_table(node)
        if depth and key not in inside and "set_fields" not in path:
            key = next((other for other in inside if other.lower() == key.lower()), key)
        found.append(key)
        node = inside.get(key)
    return tuple(found)


def _as_table(node: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", node) if isinstance(node, Mapping) else {}


def redact(path: Path, value: Any) -> Any:
    """A value of the file for display: a possible secret is replaced by `set`."""
    if isinstance(value, dict):
        return {key: redact((*path, key), item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [redact(path, item) for item in cast("list[Any]", value)]
    if isinstance(value, bool) or value is None:
        return value
    names = [part for part in path if isinstance(part, str)]
    # Declared keys may contain such words too (max_tokens): only names that the user chose are judged.
    own = ".".join(names) in _DECLARED or names[0] in _OWN_TABLES
    judged = names[-1:] if "set_fields" in names[:-1] else [] if own else names
    if names == ["api_key"] or any(may_be_secret_name(name) for name in judged):
        return "set"
    # Also below a misspelled key, such as set_header; the lists of names to remove are no tables.
    headers = any("header" in name.lower() for name in names[:-1])
    if headers and secret_headers.is_secret_header(names[-1], str(value)):
        return "set"
    declared = _DECLARED.get(".".join(names))
    if declared is not None and declared.kind.hides(value):
        return "set"
    if isinstance(value, str) and names[0] not in ("aliases", "fallback") and secret_headers.is_secret_value(value):
        return "set"
    return value if isinstance(value, int | float | str) else str(value)
