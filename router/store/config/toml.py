"""`config.toml` in the home: read with the line of each key; a change keeps all else that the user wrote.

Rules of this file: a change is made under the home's lock, on the file as it is then; the result is parsed as a load
would, and written only when it is valid and has the requested change and no other. tomllib is imported where there is a
file, tomlkit for a change only: both cost start-up time.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import msgspec

from router.errors import CommandError
from router.settings import ConfigFile, Loaded, resolve
from router.settings.kinds import clean
from router.store.config.backends import FOLDER
from router.store.config.toml_lines import locate
from router.store.config.toml_shape import find_fault
from router.store.home.home import Home
from router.store.home.permissions import shown

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

NAME = "config.toml"

_BOM = "\ufeff"
_NOT_SAVED = "nothing was saved: "
_EDIT = "fairlead config edit"
_AT = re.compile(r" \(at (line (\d+), column (\d+)|end of document)\)")


class Change(NamedTuple):
    """One key to write, or to remove with value None. A list under `[[routes]]` is replaced whole."""

    path: tuple[str, ...]
    value: Any


def read(home: Home) -> ConfigFile | None:
    """The file of this home, None when there is none. Raises CommandError naming line and column of a fault."""
    data = home.read(NAME)
    return None if data is None else parse(decode(data, shown(home.at(NAME))), shown(home.at(NAME)))


def load(home: Home, environ: Mapping[str, str], flags: Mapping[str, str] | None = None) -> Loaded:
    """All settings: of the file, which is read again, the environment, and flags (attribute -> text). A reload calls
    this. Raises CommandError."""
    return _warn(home, read(home), environ, flags or {})


def load_text(home: Home, text: str, environ: Mapping[str, str]) -> Loaded:
    """All settings as `load` would give them if this were the text of the file. Raises CommandError."""
    return _warn(home, parse(text.removeprefix(_BOM), shown(home.at(NAME))), environ, {})


def _warn(home: Home, file: ConfigFile | None, environ: Mapping[str, str], flags: Mapping[str, str]) -> Loaded:
    """The settings, with a warning also for each backend that the file names and that does not exist."""
    loaded = resolve(environ, flags, file)
    if file is None:
        return loaded
    from router.store.config.references import list_doubts

    try:
        configured = home.names(FOLDER, ".json")
    except CommandError:
        # Commands that need the backends report this error.
        return loaded
    return msgspec.structs.replace(loaded, warnings=(*loaded.warnings, *list_doubts(file, configured)))


def decode(data: bytes, name: str) -> str:
    """The text of a file; a byte order mark, which some editors write, is left out. Raises CommandError."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CommandError(f"{name}, line {line}: not UTF-8.", "Save it as UTF-8.") from None
    return text.removeprefix(_BOM)


def parse(text: str, name: str) -> ConfigFile:
    """The values of a TOML text with their lines. Raises CommandError."""
    fault = find_fault(text)
    if fault is not None:
        raise CommandError(f"{name}, line {fault.line}: {fault.what}.", "Fix it:   fairlead config edit")
    import tomllib

    try:
        return ConfigFile(name, tomllib.loads(text), locate(text))
    except tomllib.TOMLDecodeError as error:
        raise _explain_syntax(name, text, str(error)) from None
    except RecursionError:
        raise CommandError(f"{name} has brackets nested too deep to be read.") from None
    except ValueError:
        raise CommandError(f"{name} holds a number of more digits than can be read.") from None


def _explain_syntax(name: str, text: str, message: str) -> CommandError:
    found = _AT.search(message)
    what = clean(_AT.sub("", message)).rstrip(".")
    if found is not None and found[2]:
        place = f"line {found[2]}, column {found[3]}"
    else:
        place = f"line {text.rstrip().count(chr(10)) + 1}"
        what += " at the end of the file"
    what = what[:1].lower() + what[1:]
    return CommandError(f"{name}, {place}: invalid TOML ({what}).", "Fix it:   fairlead config edit")


def change(home: Home, changes: Sequence[Change], judge: Callable[[str, str], None] | None = None) -> Loaded:
    """Write keys to the file, created when missing; the settings that the file then gives. judge: gets the texts of
    the file before and after; when it raises, nothing is written. Raises CommandError."""
    import_module("tomlkit")  # before the lock is taken: other commands wait for it
    with home.lock():
        old = before(home)
        new = changed(old, changes, shown(home.at(NAME)))
        try:
            loaded = check(home, new)
        except CommandError as error:
            if _is_sound(old):
                raise _explain_change(error, shown(home.at(NAME))) from None
            raise
        if judge is not None:
            judge(old, new)
        home.write(NAME, new.encode())
        return loaded


def _is_sound(text: str) -> bool:
    try:
        resolve({}, {}, parse(text.removeprefix(_BOM), NAME))
    except CommandError:
        return False
    return True


def _explain_change(error: CommandError, name: str) -> CommandError:
    """The error of a change to a file that is sound without it: its line is in a text that is not saved, and there is
    nothing to mend in the file."""
    text = str(error).removeprefix(_NOT_SAVED)
    if text.startswith(name):
        text = text[len(name) :].partition(": ")[2]
    return CommandError(f"{_NOT_SAVED}{text}", "" if error.hint.endswith(_EDIT) else error.hint)


def before(home: Home) -> str:
    """The file's text, '' when there is none. Raises CommandError."""
    data = home.read(NAME)
    return "" if data is None else _find_mark(data) + decode(data, shown(home.at(NAME)))


def _find_mark(data: bytes) -> str:
    return _BOM if data.startswith(_BOM.encode()) else ""


def write(home: Home, text: str) -> Loaded:
    """Replace the file; call it under the home's lock. Raises CommandError for a text that could not be loaded."""
    loaded = check(home, text)
    home.write(NAME, text.encode())
    return loaded


def check(home: Home, text: str) -> Loaded:
    """The settings that a text for this file gives. Raises CommandError for one that could not be loaded."""
    try:
        return resolve({}, {}, parse(text.removeprefix(_BOM), shown(home.at(NAME))))
    except CommandError as error:
        raise CommandError(f"{_NOT_SAVED}{error}", error.hint) from None


def changed(text: str, changes: Sequence[Change], name: str) -> str:
    """The text with keys written or removed; comments, order, unknown keys and line ends stay. Raises CommandError."""
    mark = _BOM if text.startswith(_BOM) else ""
    body = text.removeprefix(_BOM)
    # Only where every line ends with it: a file with mixed line ends keeps them.
    carriage = "\r\n" in body and body.count("\n") == body.count("\r\n")
    body = body.replace("\r\n", "\n") if carriage else body
    wanted = _apply_changes(parse(body, name).tree, changes)
    result = _edit(body, changes, name)
    if parse(result, name).tree != wanted:
        raise _make_form_error(name)
    return mark + (result.replace("\n", "\r\n") if carriage else result)


def _edit(body: str, changes: Sequence[Change], name: str) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(body)
        if "".join(tomlkit.dumps(document).split()) != "".join(body.split()):
            raise _make_form_error(name)
        for one in changes:
            if one.value is None:
                _remove(cast("dict[str, Any]", document), one.path)
            else:
                _put(document, one)
        return tomlkit.dumps(document)
    except (TOMLKitError, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError):
        # Forms that tomlkit cannot change; the file stays as it is.
        raise _make_form_error(name) from None


def _make_form_error(name: str) -> CommandError:
    return CommandError(
        f"{name} is written in a form that cannot be changed without touching the rest.",
        "Change it by hand:   fairlead config edit",
    )


def _apply_changes(tree: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """The values that the file must have after the changes, computed without the library that writes it."""
    wanted = _copy(tree)
    for one in changes:
        if one.value is None:
            _remove(wanted, one.path)
            continue
        node = wanted
        for key in one.path[:-1]:
            below = node.setdefault(key, {})
            if not isinstance(below, dict):
                raise CommandError(f"{'.'.join(one.path)} cannot be set: {key} is not a table.")
            node = cast("dict[str, Any]", below)
        node[one.path[-1]] = one.value
    return wanted


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _copy(cast("dict[str, Any]", value)) if isinstance(value, dict) else value for key, value in tree.items()
    }


def _remove(tree: dict[str, Any], path: Sequence[str]) -> None:
    """Remove a key, and the tables that are empty then."""
    below = tree.get(path[0])
    if len(path) == 1:
        tree.pop(path[0], None)
    elif isinstance(below, dict):
        inner = cast("dict[str, Any]", below)
        had = len(inner)
        _remove(inner, path[1:])
        if had and not inner:
            tree.pop(path[0])


def _put(document: "TOMLDocument", one: Change) -> None:
    import tomlkit

    node: Any = document
    for depth, key in enumerate(one.path[:-1]):
        if key not in node:
            # Only the innermost table gets a header.
            outer = depth < len(one.path) - 2
            node[key] = tomlkit.inline_table() if _is_inline(node) else tomlkit.table(is_super_table=outer)
        node = node[key]
    value = one.value
    if isinstance(value, dict):
        value = _make_inline_value(cast("dict[str, Any]", value))
    if one.path == ("routes",):
        _put_rules(document, cast("list[dict[str, Any]]", one.value))
    else:
        node[one.path[-1]] = value


def _is_inline(node: Any) -> bool:
    from tomlkit.items import InlineTable

    return isinstance(node, InlineTable)


def _make_inline_value(value: Mapping[str, Any]) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    for key, item in value.items():
        table[key] = _make_inline_value(cast("dict[str, Any]", item)) if isinstance(item, dict) else item
    return table


def _put_rules(document: "TOMLDocument", rules: Sequence[Mapping[str, Any]]) -> None:
    """Write the rules; existing ones keep their text when new ones are only added at the end."""
    import tomlkit
    from tomlkit.items import AoT

    listed = cast("Any", document).get("routes")
    existing = cast("list[Any]", listed.unwrap()) if type(listed) is AoT else []
    count = len(existing)
    if not count or existing != list(rules[:count]):
        count, listed = 0, tomlkit.aot()
        if "routes" not in document and len(document):
            document.add(tomlkit.nl())
        document["routes"] = listed
    for rule in rules[count:]:
        table = tomlkit.table()
        for key, item in rule.items():
            table[key] = _make_inline_value(cast("dict[str, Any]", item)) if isinstance(item, dict) else item
        cast("Any", listed).append(table)
