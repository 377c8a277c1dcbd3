"""The progress of a download, as one line of a terminal."""

import sys

from router.cli.common.layout import find_width

_BAR = 10


def format_megabytes(size: int) -> str:
    """`11.2 MB`; small ones in kB."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


class Progress:
    """Writes on stderr; nothing where it is not shown, as in a pipe."""

    def __init__(self, *, shown: bool):
        self._shown = shown
        self._whole = self._have = 0
        self._line = ""

    def begin(self, whole: int) -> None:
        """whole: bytes that will come."""
        self._whole = max(whole, 1)

    def add(self, size: int) -> None:
        """So many bytes more came."""
        self._have += size
        full = min(_BAR, self._have * _BAR // self._whole)
        self._write(f"  downloading [{'#' * full}{'.' * (_BAR - full)}] {format_megabytes(self._have)}")

    def tell(self, step: str) -> None:
        """What is done takes a while until the next is."""
        if step == "sha256":
            self._write("  trying the new version …")

    def end(self) -> None:
        """Take the line away."""
        self._write("")

    def _write(self, line: str) -> None:
        line = line[: (find_width(sys.stderr) or 80) - 1]
        if self._shown and line != self._line:
            # Over the line before: back to its begin, and spaces for what it had more.
            padding = " " * max(0, len(self._line) - len(line))
            print(f"\r{line}{padding}", end="" if line else "\r", file=sys.stderr, flush=True)
            self._line = line
