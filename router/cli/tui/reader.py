"""A text to read in the place of the pane, such as the detail of a request, or a question that is answered with yes."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from router.cli.common.layout import wrap, wrap_row
from router.cli.tui.line_list import LineList
from router.cli.tui.picture import Line

if TYPE_CHECKING:
    from textual import events

#: Keys, and what they do.
_KEYS = (
    ("1 … 6, Tab", "the panes: Status, Requests, Analytics, Accounts, Backends, Config"),
    ("↑ ↓ j k", "a line; Page Up, Page Down, g and G go further"),
    ("/", "filter, as for `fairlead log`: status:5xx model:opus cost>0.10 !demo"),
    ("Esc", "back; in a filter, end it"),
    ("Enter", "detail of a request, an account, a backend; change a setting"),
    ("w", "why: the request below the cursor, or the one that ended last"),
    ("y Y", "copy the id, or the whole request as JSON; in a detail, its text"),
    ("p", "pause, and go on"),
    ("t", "Analytics: the last hour, today, 7 days, 30 days"),
    ("u", "Config: take a setting out of config.toml"),
    ("s", "start a proxy in the background, where none runs"),
    ("R", "resume traffic that the guard halted"),
    ("q, Ctrl-C", "leave; the proxy goes on"),
    ("Ctrl-Z", "to the shell; fg comes back"),
)
_NOTES = """
Copying goes through the terminal (OSC 52), over ssh too. tmux needs `set -g set-clipboard on`.
To select with the mouse, hold Shift, or start `fairlead --no-mouse`.
On a terminal where keys do not arrive: TEXTUAL_DISABLE_KITTY_KEY=1
For screen readers and pipes there is `fairlead --plain`, a line per request. What is shown here is also in \
fairlead status, usage, log, why, accounts list, backend list and config show, each with --json."""


def list_keys(width: int) -> list[Line]:
    """The lines of the help."""
    lines = [part for key, about in _KEYS for part in wrap_row(f"{key:<12}", about, width)]
    return [Line(line) for line in [*lines, *(part for line in _NOTES.splitlines() for part in wrap(line, width))]]


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
