"""Sets and removes parts of TOML by tomlkit, which keeps the layout of everything else."""

import re
import tomllib
from typing import Any, NamedTuple, cast

from router.setup.formats.document import InvalidDocument, Item, Path, UnsupportedChange, check_kind

_AT = re.compile(r"\(at line (\d{1,9}), column (\d{1,9})\)$")


class TomlFormat(NamedTuple):
    """TOML."""

    title: str = "TOML"

    def parse(self, text: str) -> Any:
        """The value, None for a text without one. Raises InvalidDocument."""
        try:
            # tomllib takes CRLF for a line end too, and a lone CR for an error, as TOML has it.
            return tomllib.loads(text) or None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            found = _AT.search(str(error))
            reason = str(error)[: found.start()].strip() if found else str(error)
            line, column = (int(found[1]), int(found[2])) if found else (0, 0)
            raise InvalidDocument(reason[:1].lower() + reason[1:], line, column) from None

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with a part set; a table that is new stands at the end. Raises InvalidDocument,
        UnsupportedChange."""
        import tomlkit
        from tomlkit.items import InlineTable

        document = _read(text)
        parent: Any = document
        for step in path[:-1]:
            name = _check_key(step)
            if name not in parent:
                parent[name] = tomlkit.table(is_super_table=True)
            parent = check_kind(parent[name], dict, step)
        if isinstance(value, dict):
            made: Any = tomlkit.inline_table() if isinstance(parent, InlineTable) else tomlkit.table()
            made.update(cast("dict[str, Any]", value))
        else:
            made = value
        try:
            parent[_check_key(path[-1])] = made
        except (ValueError, TypeError) as error:
            raise UnsupportedChange(str(error)) from None
        return _write(document)

    def remove(self, text: str, path: Path) -> str:
        """The text without a part that is there. Raises InvalidDocument, UnsupportedChange."""
        document = _read(text)
        parent: Any = document
        for step in path[:-1]:
            parent = parent[_check_key(step)]
        del parent[_check_key(path[-1])]
        return _write(document)


TOML = TomlFormat()


def _check_key(step: object) -> str:
    if isinstance(step, Item):
        raise UnsupportedChange("lists of TOML are not changed")
    return cast("str", step)


def _read(text: str) -> Any:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise InvalidDocument(str(error)) from None


def _write(document: Any) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.dumps(document)
    except TOMLKitError as error:
        raise UnsupportedChange(str(error)) from None
