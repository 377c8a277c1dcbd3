"""The keys of the app, and the text that tells them."""

from textual.binding import Binding, BindingType

from router.cli.common.layout import wrap, wrap_row
from router.cli.tui.picture import Line

# With priority: what changes where the next key goes. Without, it goes by way of the pane, and keys that are typed
# at once overtake it.
BINDINGS: list[BindingType] = [
    Binding("q", "leave_or_quit", priority=True),
    Binding("ctrl+q", "quit"),
    Binding("ctrl+z", "suspend_process"),
    Binding("ctrl+c", "quit", priority=True),
    *(Binding(str(number + 1), f"pane({number})", priority=True) for number in range(6)),
    Binding("tab", "next_pane(1)", priority=True),
    Binding("shift+tab", "next_pane(-1)", priority=True),
    Binding("question_mark", "keys", priority=True),
    Binding("slash", "filter", priority=True),
    Binding("enter", "detail", priority=True),
    Binding("w", "why"),
    Binding("y", "copy"),
    Binding("Y", "copy_all"),
    Binding("p", "pause"),
    Binding("R", "resume"),
    Binding("s", "start"),
    Binding("t", "window"),
    Binding("u", "open_page"),
    Binding("d,delete", "unset"),
    Binding("n", "new", priority=True),
    Binding("escape", "leave", priority=True),
]

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
    ("n d", "Config: set a key that has no line yet; take one out of config.toml"),
    ("u", "open the local page in the browser, as `fairlead ui`"),
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
