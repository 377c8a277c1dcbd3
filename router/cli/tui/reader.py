"""A text to read in the place of the pane, such as the detail of a request, or a question that is answered with yes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from router.cli.tui.line_list import LineList
from router.cli.tui.picture import Line

if TYPE_CHECKING:
    from textual import events


class Reader(LineList[Line]):
    """Shows a text, and tells its owner when it is left or answered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,enter,question_mark,backspace", "leave"),
        Binding("y", "yes"),
    ]

    def __init__(self, *, copy: Callable[[str], None], leave: Callable[[], None]):
        super().__init__("reader", cursor=False)
        self._copy, self._leave = copy, leave
        self._title = ""
        self._make: Callable[[int], Sequence[Line]] = lambda width: ()
        self._ask: Callable[[], None] | None = None

    @property
    def hints(self) -> str:
        """Its keys."""
        return "y yes   Esc no" if self._ask else "y copy   Esc back"

    def open(self, title: str, make: Callable[[int], Sequence[Line]], ask: Callable[[], None] | None = None) -> None:
        """Show a text. make: its lines for a width. ask: for a question, what is done where the answer is yes."""
        self._title, self._make, self._ask = title, make, ask
        self.top = 0
        self._lay_out()

    def _lay_out(self) -> None:
        lines = [Line(f" {line.text}", line.kind) for line in self._make(max(self.size.width - 1, 24))]
        self.put(lines, lambda line: line, head=[Line(f" {self._title}", "title")])

    def on_resize(self, event: "events.Resize") -> None:
        """Lay it out again."""
        super().on_resize(event)
        self._lay_out()

    def action_leave(self) -> None:
        """Leave it; that is no, where it asked."""
        self._leave()

    def action_yes(self) -> None:
        """Copy the text, or answer yes."""
        if self._ask is not None:
            ask = self._ask
            self._leave()
            ask()
        else:
            self._copy("\n".join(line.text for line in self._make(10_000)))
