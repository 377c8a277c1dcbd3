"""The progress of a download, as one line of a terminal."""

from router.cli.common.progress_line import ProgressLine

_BAR = 10


def format_megabytes(size: int) -> str:
    """`11.2 MB`; small ones in kB."""
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"


class Progress:
    """Writes on stderr; nothing where it is not shown, as in a pipe."""

    def __init__(self, *, shown: bool):
        self._line = ProgressLine(shown=shown)
        self._whole = self._have = 0

    def begin(self, whole: int) -> None:
        """whole: bytes that will come."""
        self._whole = max(whole, 1)

    def add(self, size: int) -> None:
        """So many bytes more came."""
        self._have += size
        full = min(_BAR, self._have * _BAR // self._whole)
        self._line.write(f"  downloading [{'#' * full}{'.' * (_BAR - full)}] {format_megabytes(self._have)}")

    def tell(self, step: str) -> None:
        """What is done takes a while until the next is."""
        if step == "sha256":
            self._line.write("  trying the new version …")

    def end(self) -> None:
        """Take the line away."""
        self._line.write("")
