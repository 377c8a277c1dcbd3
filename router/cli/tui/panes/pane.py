"""What all panes have: a title, keys, and a picture that they draw."""

from typing import Any, ClassVar

from router.cli.tui.line_list import LineList
from router.cli.tui.picture import Line, Picture


class Pane(LineList[Any]):
    """One of the six. It draws the last picture while it is seen."""

    TITLE: ClassVar[str]
    #: The keys of the pane, for the last line.
    HINTS: ClassVar[str]
    #: It takes a filter.
    FILTERS: ClassVar[bool] = False

    def __init__(self, *, cursor: bool):
        super().__init__(self.TITLE.lower(), cursor=cursor)
        self.picture: Picture | None = None

    def take(self, picture: Picture) -> None:
        """Take a picture, and draw it if the pane is seen."""
        self.picture = picture
        if self.display:
            self.draw(picture)

    @property
    def hints(self) -> str:
        """The keys that do something now."""
        return self.HINTS

    def draw(self, picture: Picture) -> None:
        """Put the lines of a picture."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw the last picture again: another width, or another filter."""
        if self.picture is not None:
            self.draw(self.picture)

    def on_resize(self, event: Any) -> None:
        """Lines may depend on the width."""
        super().on_resize(event)
        self.redraw()

    def put_text(self, lines: list[Line]) -> None:
        """Show lines that are read as a text."""
        self.put(lines, lambda line: line)

    def filter(self, text: str) -> None:
        """Show what fits alone. Raises UnknownFilter."""

    def describe(self) -> list[Line]:
        """More on what is below the cursor; nothing where there is none."""
        return []
