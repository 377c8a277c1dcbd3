"""Variables in a `.env` file, as the dotenv package reads them: a line each, with or without `export` and quotes."""

from typing import Any, NamedTuple

from router.setup.formats.document import Path, UnsupportedChange

_QUOTES = "'\"`"
_EXPORT = "export"
# Characters of a value that needs no quotes, beside letters and digits.
_PLAIN = "-_./:@%+=,~*[]"


class _Entry(NamedTuple):
    """One variable, and where it stands: its line with the end, and its value with the quotes."""

    name: str
    value: str
    start: int
    stop: int
    value_start: int
    value_stop: int


class DotenvFormat(NamedTuple):
    """Variables by name. The last of one name counts; what dotenv does not read is left as it is."""

    title: str = "lines of NAME=value"

    def parse(self, text: str) -> Any:
        """Name -> value, None without any."""
        return {entry.name: entry.value for entry in _list_entries(text)} or None

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with a variable, at its place or at the end. Raises UnsupportedChange."""
        (name,) = path
        shown = _quote(str(value))
        found = [entry for entry in _list_entries(text) if entry.name == name]
        if found:
            return text[: found[-1].value_start] + shown + text[found[-1].value_stop :]
        return text + ("" if not text or text.endswith("\n") else "\n") + f"{name}={shown}\n"

    def remove(self, text: str, path: Path) -> str:
        """The text without the line of a variable that is there."""
        (name,) = path
        last = [entry for entry in _list_entries(text) if entry.name == name][-1]
        return text[: last.start] + text[last.stop :]


DOTENV = DotenvFormat()


def _quote(value: str) -> str:
    if all(sign.isalnum() or sign in _PLAIN for sign in value):
        return value
    if "'" in value or "\n" in value or "\\" in value:
        raise UnsupportedChange("a value with a quote, a backslash or a line break has no one form in such a file")
    return f"'{value}'"


def _list_entries(text: str) -> list[_Entry]:
    entries: list[_Entry] = []
    place = 0
    while place < len(text):
        end = _find_end(text, place)
        entry = _read_entry(text, place, end)
        if entry is not None:
            entries.append(entry)
        place = end if entry is None else entry.stop
    return entries


def _find_end(text: str, place: int) -> int:
    """Where the next line begins."""
    found = text.find("\n", place)
    return len(text) if found < 0 else found + 1


def _read_entry(text: str, start: int, end: int) -> _Entry | None:
    """The variable of a line; its value may go on over further lines in quotes. None for a line without one."""
    line = text[start:end]
    before, equals, _ = line.partition("=")
    words = before.split()
    name = words[-1] if words else ""
    named = name and all(sign.isascii() and (sign.isalnum() or sign in "_.-") for sign in name)
    if not equals or not named or words[:-1] not in ([], [_EXPORT]):
        return None
    at = start + len(before) + 1
    while at < end and text[at] in " \t":
        at += 1
    if at < end and text[at] in _QUOTES:
        close = _find_close(text, at)
        stop = _find_end(text, close + 1) if close else 0
        if close and text[close + 1 : stop].partition("#")[0].strip() == "":
            inside = text[at + 1 : close]
            value = inside.replace("\\n", "\n").replace("\\r", "\r") if text[at] == '"' else inside
            return _Entry(name, value, start, stop, at, close + 1)
    value = text[at:end].partition("#")[0].rstrip()
    return _Entry(name, value, start, end, at, at + len(value))


def _find_close(text: str, at: int) -> int:
    """The quote that ends a value which the one at a place begins; 0 where there is none."""
    place = text.find(text[at], at + 1)
    while place > 0 and text[place - 1] == "\\":
        place = text.find(text[at], place + 1)
    return max(place, 0)
