"""Three forms of plain text: a marked block in a script, a file that is one line, and one that is one text."""

from typing import Any, NamedTuple

from router.setup.formats.document import InvalidDocument, Path, find_place

_BEGIN, _END = "# >>> fairlead >>>", "# <<< fairlead <<<"
BLOCK = "block"


class BlockFormat(NamedTuple):
    """A shell script. Its value is a table with the lines of the marked block; the rest of the script is not read."""

    title: str = "a script with one marked block"

    def parse(self, text: str) -> Any:
        """`{"block": lines}`, None without a block. Raises InvalidDocument."""
        found = _find_block(text)
        if found is None:
            return None
        inside = text[found[0] : found[1]].replace("\r\n", "\n").split("\n", 1)[1]
        return {BLOCK: inside.rpartition(_END)[0].rstrip("\n")}

    def set(self, text: str, path: Path, value: Any) -> str:
        """The text with the block, at its place or at the end. Raises InvalidDocument."""
        assert path == (BLOCK,)
        found = _find_block(text)
        shown = f"{_BEGIN}\n{value}\n{_END}\n"
        if found is None:
            return text + ("" if not text or text.endswith("\n") else "\n") + shown
        return text[: found[0]] + shown + text[found[1] :]

    def remove(self, text: str, path: Path) -> str:
        """The text without the block. Raises InvalidDocument."""
        assert path == (BLOCK,)
        found = _find_block(text)
        assert found is not None
        return text[: found[0]] + text[found[1] :]


class LineFormat(NamedTuple):
    """A file whose whole text is one value; only an empty path leads into it."""

    title: str = "one line"

    def parse(self, text: str) -> Any:
        """The line, None for an empty text."""
        return text.strip() or None

    def set(self, text: str, path: Path, value: Any) -> str:
        """The line alone."""
        assert not path
        return f"{value}"

    def remove(self, text: str, path: Path) -> str:
        """An empty text."""
        assert not path
        return ""


class WholeFormat(NamedTuple):
    """A file that is one text; only an empty path leads into it."""

    title: str = "a text"

    def parse(self, text: str) -> Any:
        """The text, None for an empty one."""
        return text or None

    def set(self, text: str, path: Path, value: Any) -> str:
        """The value alone."""
        assert not path
        return f"{value}"

    def remove(self, text: str, path: Path) -> str:
        """An empty text."""
        assert not path
        return ""


SCRIPT = BlockFormat()
LINE = LineFormat()
WHOLE = WholeFormat()


def _find_block(text: str) -> tuple[int, int] | None:
    """Where the block begins, and where the line after it does."""
    begins, ends = text.count(_BEGIN), text.count(_END)
    if not begins and not ends:
        return None
    start, end = text.find(_BEGIN), text.find(_END)
    if (begins, ends) != (1, 1) or end < start:
        raise InvalidDocument("the marks of fairlead's block are not one pair", *find_place(text, max(start, 0)))
    stop = text.find("\n", end)
    return start, len(text) if stop < 0 else stop + 1
