"""Finds the line of each key in a TOML text, which tomllib does not tell.

Rules of this file: the text has been accepted by tomllib, so nothing is checked here and nothing is converted; the path
of a key in an array of tables or an inline array contains the index of its element; the line of a table is the first
one that opens it.
"""

Path = tuple[str | int, ...]

_BARE = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
_QUOTES = ('"', "'")


def locate(text: str) -> dict[Path, int]:
    """Path -> line, from 1. The text must be one that tomllib accepts."""
    return _Scan(text.replace("\r\n", "\n")).read_document()


class _Scan:
    """One scan of a text."""

    def __init__(self, text: str):
        self.text = text
        #: The position in the text.
        self.at = 0
        self.line = 1
        self.counted = 0
        #: The path of the last header.
        self.table: Path = ()
        self.lines: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}

    def read_document(self) -> dict[Path, int]:
        """Scan the whole text."""
        while self._skip(" \t\n"):
            if self.text[self.at] == "[":
                self._read_header()
            else:
                self._read_pair(self.table)
        return self.lines

    def _read_header(self) -> None:
        doubled = self.text.startswith("[[", self.at)
        self.at += 2 if doubled else 1
        keys = self._read_keys()
        self.at += 2 if doubled else 1
        path = self._resolve(keys[:-1])
        last = (*path, keys[-1])
        if doubled:
            self._note(last)
            self.arrays[last] = self.arrays.get(last, -1) + 1
        # A plain header below an array of tables means its newest element.
        self.table = (*last, self.arrays[last]) if last in self.arrays else last
        self._note(self.table)

    def _resolve(self, keys: list[str]) -> Path:
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._note(path)
            if path in self.arrays:
                path = (*path, self.arrays[path])
        return path

    def _read_pair(self, table: Path) -> None:
        path = table
        for key in self._read_keys():
            path = (*path, key)
            self._note(path)
        self.at += 1  # the =
        self._read_value(path)

    def _read_value(self, path: Path) -> None:
        self._skip(" \t")
        first = self.text[self.at]
        if first in _QUOTES:
            self._skip_string()
        elif first == "[":
            self._read_array(path)
        elif first == "{":
            self._read_inline_table(path)
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}\n#":
                self.at += 1

    def _read_array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self._skip(" \t\n,") and self.text[self.at] != "]":
            self._note((*path, index))
            self._read_value((*path, index))
            index += 1
        self.at += 1

    def _read_inline_table(self, path: Path) -> None:
        self.at += 1
        while self._skip(" \t\n,") and self.text[self.at] != "}":
            self._read_pair(path)
        self.at += 1

    def _read_keys(self) -> list[str]:
        """The parts of a dotted key; stops at what follows it."""
        found: list[str] = []
        while True:
            self._skip(" \t")
            start = self.at
            if self.text[start] in _QUOTES:
                self._skip_string()
                found.append(_unquote(self.text[start : self.at]))
            else:
                while self.text[self.at] in _BARE:
                    self.at += 1
                found.append(self.text[start : self.at])
            self._skip(" \t")
            if self.text[self.at] != ".":
                return found
            self.at += 1

    def _skip_string(self) -> None:
        quote = self.text[self.at]
        if self.text.startswith(quote * 3, self.at):
            return self._skip_long_string(quote)
        self.at += 1
        while self.text[self.at] != quote:
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += 1
        return None

    def _skip_long_string(self, quote: str) -> None:
        self.at += 3
        while not self.text.startswith(quote * 3, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += 3
        # One or two quotes may come right before the closing three.
        while self.text.startswith(quote, self.at):
            self.at += 1

    def _skip(self, blanks: str) -> bool:
        """Skip blanks and, where lines may end, comments; False at the end of the text."""
        text = self.text
        while self.at < len(text):
            if text[self.at] in blanks:
                self.at += 1
            elif text[self.at] == "#" and "\n" in blanks:
                end = text.find("\n", self.at)
                self.at = len(text) if end < 0 else end
            else:
                return True
        return False

    def _note(self, path: Path) -> None:
        self.line += self.text.count("\n", self.counted, self.at)
        self.counted = self.at
        self.lines.setdefault(path, self.line)


def _unquote(quoted: str) -> str:
    import tomllib

    return next(iter(tomllib.loads(f"{quoted} = 0")))
