"""A list of lines that redraws only the lines that changed: a table of Textual's paints itself whole at each change,
which costs ten times as much while requests come in."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar

from rich.cells import set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from router.cli.common.layout import make_printable, wrap
from router.cli.tui.picture import Line

if TYPE_CHECKING:
    from textual import events

#: The terminal's own colours, so that its user's choice holds; the text says the same without them.
_STYLES = {
    "": Style(),
    "title": Style(bold=True),
    "head": Style(dim=True),
    "good": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red"),
    "dim": Style(dim=True),
    "band": Style(bold=True, reverse=True),
}
_WHEEL = 3


class _Drawn(NamedTuple):
    line: Line
    chosen: bool


_EMPTY = _Drawn(Line(""), chosen=False)


def make_strip(line: Line, width: int, *, chosen: bool = False) -> Strip:
    """A line as wide as the screen. Texts of other programs come here: nothing in them is taken for markup."""
    style = _STYLES[line.kind]
    if chosen:
        style += Style(reverse=True)
    return Strip([Segment(set_cell_size(make_printable(line.text), width), style)], width)


def fold(lines: Sequence[Line]) -> Callable[[int], list[Line]]:
    """What folds these lines for a width."""
    return lambda width: [Line(part, line.kind) for line in lines for part in wrap(line.text, width)]


class Band(Widget):
    """Lines that stay where they are: the top line, a halt, the keys."""

    class Clicked(Message):
        """It was clicked. x: the column."""

        def __init__(self, name: str | None, x: int):
            super().__init__()
            self.name, self.x = name, x

    def __init__(self, name: str):
        super().__init__(id=name)
        self._lines: Sequence[Line] = ()

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines, and no band where there are none."""
        if lines == self._lines:
            return
        if len(lines) != len(self._lines) or not self.display:
            self.styles.height = len(lines)
            self.display = bool(lines)
        self._lines = lines
        self.refresh()

    @property
    def text(self) -> str:
        """What it shows."""
        return "\n".join(line.text for line in self._lines)

    def on_click(self, event: "events.Click") -> None:
        """Tell where."""
        self.post_message(self.Clicked(self.id, event.x))

    def render_line(self, y: int) -> Strip:
        """One line, as Textual asks for it."""
        return make_strip(self._lines[y] if y < len(self._lines) else Line(""), self.size.width)


Item = TypeVar("Item")


class LineList(Widget, Generic[Item], can_focus=True):
    """Items, a line each, below lines of a head; with a cursor, or without one to be read as a text."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup,ctrl+b", "page(-1)"),
        Binding("pagedown,ctrl+f,space", "page(1)"),
        Binding("home,g", "end(-1)"),
        Binding("end,G", "end(1)"),
    ]

    class Moved(Message):
        """The cursor, or what is seen, is elsewhere."""

    def __init__(self, name: str, *, cursor: bool = True):
        super().__init__(id=name)
        self._cursor = cursor
        self._head: Sequence[Line] = ()
        self._items: Sequence[Item] = ()
        self._draw: Callable[[Item], Line] = lambda item: Line(str(item))
        self._key: Callable[[Item], object] = id
        #: The item below the cursor, and the first one that is seen.
        self.at, self.top = 0, 0
        self._screen: list[_Drawn] = []

    def put(
        self,
        items: Sequence[Item],
        draw: Callable[[Item], Line],
        *,
        key: Callable[[Item], object] | None = None,
        head: Sequence[Line] = (),
    ) -> None:
        """Show these items. The cursor stays on its item, by its key; at the first one it stays there, so that the
        newest is seen. Without a key it stays on its number."""
        if key is not None and self.at and self.at < len(self._items):
            self._follow(self._key(self._items[self.at]), items, key)
        self._items, self._draw, self._head = items, draw, head
        self._key = key or id
        self.bring_up_to_date()

    def _follow(self, wanted: object, items: Sequence[Item], key: Callable[[Item], object]) -> None:
        was = self.at
        found = next((number for number, item in enumerate(items) if key(item) == wanted), None)
        if found is not None:
            self.at, self.top = found, max(0, self.top + found - was)

    @property
    def chosen(self) -> Item | None:
        """The item below the cursor; None where there is none."""
        return self._items[self.at] if self._cursor and self.at < len(self._items) else None

    @property
    def room(self) -> int:
        """Lines for items."""
        return max(1, self.size.height - len(self._head))

    def bring_up_to_date(self) -> None:
        """Redraw the lines that are not as they should be."""
        last = max(0, len(self._items) - 1)
        self.at = min(max(0, self.at), last)
        if self._cursor:
            self.top = min(max(self.top, self.at - self.room + 1), self.at)
        self.top = min(max(0, self.top), max(0, len(self._items) - self.room))
        new = self._draw_screen()
        width = self.size.width
        changed = [y for y, drawn in enumerate(new) if y >= len(self._screen) or self._screen[y] != drawn]
        whole = len(new) != len(self._screen)
        self._screen = new
        if whole:
            self.refresh()
        elif changed:
            self.refresh(*(Region(0, y, width, 1) for y in changed))

    def _draw_screen(self) -> list[_Drawn]:
        height = self.size.height
        drawn = [_Drawn(line, chosen=False) for line in self._head[:height]]
        for number in range(self.top, min(len(self._items), self.top + height - len(drawn))):
            drawn.append(_Drawn(self._draw(self._items[number]), chosen=self._cursor and number == self.at))
        return drawn + [_EMPTY] * (height - len(drawn))

    def render_line(self, y: int) -> Strip:
        """One line, as Textual asks for it."""
        drawn = self._screen[y] if y < len(self._screen) else _EMPTY
        return make_strip(drawn.line, self.size.width, chosen=drawn.chosen)

    def on_resize(self, _event: "events.Resize") -> None:
        """Lay it out for the new size."""
        self._screen = []
        self.bring_up_to_date()

    def move(self, count: int) -> None:
        """Move the cursor, or the text."""
        if self._cursor:
            self.at += count
        else:
            self.top += count
        self.bring_up_to_date()
        self.post_message(self.Moved())

    def action_move(self, count: int) -> None:
        """A key for one line."""
        self.move(count)

    def action_page(self, count: int) -> None:
        """A key for as much as is seen."""
        self.move(count * max(1, self.room - 1))

    def action_end(self, side: int) -> None:
        """A key for the first or the last one."""
        self.move(side * len(self._items))

    def on_mouse_scroll_down(self, event: "events.MouseScrollDown") -> None:
        """The wheel."""
        event.stop()
        self.move(_WHEEL)

    def on_mouse_scroll_up(self, event: "events.MouseScrollUp") -> None:
        """The wheel."""
        event.stop()
        self.move(-_WHEEL)

    def on_click(self, event: "events.Click") -> None:
        """The item that was clicked."""
        number = self.top + event.y - len(self._head)
        if self._cursor and event.y >= len(self._head) and number < len(self._items):
            self.move(number - self.at)


AnyList = LineList[Any]
