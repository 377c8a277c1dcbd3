"""What stands in the place of the pane: a text, a question that is answered with yes; and a line to type into."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.widgets import Input

from router.cli.tui.line_list import LineList
from router.cli.tui.picture import Line

if TYPE_CHECKING:
    from textual import events


class Reader(LineList[Line]):
    """Shows a text, and tells its owner when it is left or answered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "leave"),
        Binding("y", "yes"),
    ]

    def __init__(self, *, copy: Callable[[str], None], leave: Callable[[], None]):
        super().__init__("reader", cursor=False)
        self._copy, self._leave = copy, leave
        self._title = ""
        self._make: Callable[[int], Sequence[Line]] = lambda width: ()
        self._ask: Callable[[], None] | None = None
        self._address = ""

    @property
    def hints(self) -> str:
        """Its keys."""
        return "y yes   Esc no" if self._ask else "y copy   Esc back"

    def open(
        self,
        title: str,
        make: Callable[[int], Sequence[Line]],
        ask: Callable[[], None] | None = None,
        address: str = "",
    ) -> None:
        """Show a text. make: its lines for a width. ask: for a question, what is done where the answer is yes. address:
        what is copied in the place of the text."""
        self._title, self._make, self._ask, self._address = title, make, ask, address
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
            self._copy(self._address or "\n".join(line.text for line in self._make(10_000)))


class Question(Input):
    """A line to type into."""

    def __init__(self) -> None:
        # Selected when the focus comes, what was typed until then would be replaced.
        super().__init__(id="ask", select_on_focus=False)

    def ask(self, question: str, value: str) -> None:
        """Ask for another value, which takes the place of this one as soon as something is typed."""
        self.placeholder = question
        self.value = value
        self.select_all()

    async def on_key(self, event: "events.Key") -> None:
        """Do what a key is for in its turn. By itself the app does so later, when letters that were typed behind it are
        there already."""
        for binding in self._bindings.key_to_bindings.get(event.key, ()):
            event.stop()
            event.prevent_default()
            await self.run_action(binding.action)
