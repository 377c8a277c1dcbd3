"""The program on the screen: the top line, the pane that was chosen, its keys. It draws pictures and asks a watcher;
it opens no file and no socket."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar

import msgspec
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Input

from router.cli.common.layout import wrap
from router.cli.tui.keys import BINDINGS, list_keys
from router.cli.tui.line_list import Band, fold
from router.cli.tui.messages import Failed, Pictured, Told
from router.cli.tui.panes.accounts import AccountsPane
from router.cli.tui.panes.analytics import AnalyticsPane
from router.cli.tui.panes.backends import BackendsPane
from router.cli.tui.panes.config import ConfigPane
from router.cli.tui.panes.pane import Pane
from router.cli.tui.panes.requests import RequestsPane
from router.cli.tui.panes.status import StatusPane
from router.cli.tui.picture import Line, Picture, Setting, Source
from router.cli.tui.reader import Question, Reader
from router.cli.tui.setting_change import SettingChange
from router.cli.tui.top_line import find_tab, format_halts, format_tabs, format_top
from router.cli.tui.watcher import Watcher
from router.errors import CommandError
from router.operator_api.status import RunningRequest
from router.store.history.read_requests import RecordedRequest
from router.watch.request_filter import UnknownFilter

if TYPE_CHECKING:
    from textual.timer import Timer

#: Seconds between two looks, and for which something is said in the last line.
LOOK_SECONDS, _SAID_SECONDS = 0.5, 6.0
_CSS = """
Screen, Band, LineList { background: ansi_default; }
Screen { layout: vertical; }
Band { height: 1; }
LineList { height: 1fr; }
#ask { height: 1; border: none; padding: 0; background: ansi_default; }
"""


class FairleadApp(App[None]):
    """`fairlead` on a terminal."""

    CSS = _CSS
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = BINDINGS

    def __init__(self, make_source: Callable[[], Source], *, look_seconds: float = LOOK_SECONDS):
        super().__init__(ansi_color=True)
        self.theme = "ansi-dark"
        #: The picture that is shown, and the one that came last.
        self.picture: Picture | None = None
        self._latest: Picture | None = None
        self.defect: Exception | None = None
        self._paused = self._reads_on = False
        self._top, self._tabs, self._halts = Band("top"), Band("tabs"), Band("halts")
        self._keys = Band("keys")
        self._reader = Reader(copy=self.copy, leave=self.action_leave)
        self._ask = Question()
        self.panes: list[Pane] = [
            *(StatusPane(), RequestsPane(), AnalyticsPane(), AccountsPane(), BackendsPane(), ConfigPane())
        ]
        self._active = 0
        self._answer: Callable[[str], bool] = lambda text: True
        self._said: Timer | None = None
        self._columns = 80
        self.watcher = Watcher(
            make_source,
            show=lambda picture: self.post_message(Pictured(picture)),
            tell=lambda then, came: self.post_message(Told(then, came)),
            fail=lambda error: self.post_message(Failed(error)),
            width=lambda: self._columns,
            pause=look_seconds,
        )

        self._change = SettingChange(self.watcher, ask=self.ask, say=self.say, decide=self._decide)

    def compose(self) -> ComposeResult:
        """The parts from top to bottom."""
        yield self._top
        yield self._tabs
        yield self._halts
        yield from self.panes
        yield self._reader
        yield self._ask
        yield self._keys

    def on_mount(self) -> None:
        """Show the first pane, and begin to look."""
        self._ask.display = self._halts.display = self._reader.display = False
        self.action_pane(self._active)
        # The first frame first.
        self.call_after_refresh(self.watcher.start)

    def on_unmount(self) -> None:
        """Have the watcher end."""
        self.watcher.stop()

    def on_resize(self) -> None:
        """Lay out what does not do so itself."""
        self._columns = self.size.width
        self._draw_frame()

    def on_driver_signal_resume(self) -> None:
        """Draw all of it: after Ctrl-Z and fg the terminal's screen is empty."""
        for widget in self.screen.walk_children():
            widget.refresh()

    @property
    def pane(self) -> Pane:
        """The one that is seen."""
        return self.panes[self._active]

    def _draw_frame(self) -> None:
        """The lines around the pane."""
        width = self.size.width
        mode = "paused, p goes on" if self._paused else ""
        self._top.show([format_top(self.picture, width, mode)])
        self._tabs.show([format_tabs([pane.TITLE for pane in self.panes], self._active, width)])
        self._halts.show(format_halts(self.picture, width))
        if self._said is None:
            hints = self._reader.hints if self._reader.display else self.pane.hints
            self._keys.show([Line(f" {hints}", "dim")])

    # What comes from the watcher

    def on_pictured(self, message: Pictured) -> None:
        """Show it, unless paused."""
        self._latest = message.picture
        if not self._paused:
            self._show(message.picture)

    def _show(self, picture: Picture) -> None:
        self.picture = picture
        for pane in self.panes:
            pane.take(picture)
        self._draw_frame()

    def on_told(self, message: Told) -> None:
        """Go on with what came of a job."""
        self._reads_on = False
        if isinstance(message.came, CommandError):
            hint = " ".join(message.came.hint.split("\n"))
            self.say(f"{message.came} {hint}".strip(), "bad")
        else:
            message.then(message.came)

    def on_failed(self, message: Failed) -> None:
        """End with it; the command says so once the terminal is as it was."""
        self.defect = message.error
        self.exit(return_code=1)

    def on_line_list_moved(self) -> None:
        """At the oldest request that is known, read on."""
        pane = self.pane
        if isinstance(pane, RequestsPane) and pane.at_end and not self._reads_on and not self._paused:
            self._reads_on = True
            self.watcher.ask(lambda source: source.read_older(), lambda _: None)

    # What is said in the last lines

    def say(self, text: str, kind: str = "") -> None:
        """Say something in the place of the keys, for a while."""
        lines = wrap(text, max(24, self.size.width - 1))[:4]
        self._keys.show([Line(f" {line}", kind) for line in lines])
        if self._said is not None:
            self._said.stop()
        self._said = self.set_timer(_SAID_SECONDS, self._end_saying)

    def _end_saying(self) -> None:
        if self._said is not None:
            self._said.stop()
            self._said = None
        self._draw_frame()

    def ask(self, question: str, value: str, answer: Callable[[str], bool]) -> None:
        """Ask for a line of text. answer: takes it, and is True when it can be taken."""
        self._answer = answer
        self._ask.ask(question, value)
        self._ask.display = True
        self._focus(self._ask)

    def _focus(self, widget: Widget) -> None:
        # What is typed on is for it. Textual's own `focus` waits for its turn.
        self.screen.set_focus(widget)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Hand the answer over."""
        if self._answer(event.value):
            self.action_leave()

    def action_leave(self) -> None:
        """Back to the pane, from a question or a text; there, from the filter to all."""
        if self._ask.display:
            self._ask.display = False
            self._focus(self._reader if self._reader.display else self.pane)
        elif self._reader.display:
            self.action_pane(self._active)
        elif self.pane.FILTERS:
            self.pane.filter("")

    def action_leave_or_quit(self) -> None:
        """Back from a text; elsewhere, end."""
        self.action_leave() if self._reader.display else self.exit()

    # Keys

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Over a text and in a question, the keys of the panes do nothing."""
        if self._ask.display:
            return action in ("quit", "leave")
        if self._reader.display:
            return action in ("quit", "leave", "leave_or_quit", "pane", "next_pane", "keys", "detail")
        return True

    def action_pane(self, number: int) -> None:
        """Show a pane."""
        if number >= len(self.panes):
            return
        self._active = number
        for at, pane in enumerate(self.panes):
            pane.display = at == number
        self._reader.display = False
        if self.picture is not None:
            self.pane.take(self.picture)
        self._focus(self.pane)
        self._draw_frame()

    def on_band_clicked(self, message: Band.Clicked) -> None:
        """Show the pane whose name was clicked."""
        number = find_tab(self._tabs.text, message.x) if message.name == "tabs" else None
        if number is not None and not self._ask.display:
            self.action_pane(number)

    def action_next_pane(self, step: int) -> None:
        """Show the next one, or the one before."""
        self.action_pane((self._active + step) % len(self.panes))

    def action_keys(self) -> None:
        """Show what the keys do, or leave that."""
        self.action_leave() if self._reader.display else self._read("Keys", list_keys)

    def action_filter(self) -> None:
        """Ask for a filter."""
        if not self.pane.FILTERS:
            self.action_pane(next(at for at, pane in enumerate(self.panes) if pane.FILTERS))

        def take(text: str) -> bool:
            try:
                self.pane.filter(text)
            except UnknownFilter as error:
                self.say(f"{error}.", "bad")
                return False
            return True

        self.ask("filter: status:5xx model:opus cost>0.10 !demo", "", take)

    def action_pause(self) -> None:
        """Leave the screen as it is, or go on."""
        self._paused = not self._paused
        if not self._paused and self._latest is not None:
            self._show(self._latest)
        self._draw_frame()

    def action_detail(self) -> None:
        """More on what is below the cursor, or back from it."""
        chosen = self.pane.chosen
        if self._reader.display:
            self.action_leave()
        elif isinstance(chosen, RecordedRequest):
            self._explain(chosen)
        elif isinstance(chosen, Setting):
            self._change.ask_value(chosen)
        elif lines := self.pane.describe():
            self._read(self.pane.TITLE, fold(lines))

    def action_why(self) -> None:
        """Why, of the request below the cursor or of the one that ended last."""
        chosen = self.pane.chosen
        if isinstance(chosen, RecordedRequest):
            self._explain(chosen)
        elif isinstance(chosen, RunningRequest):
            self.say("It runs; what happened to it is known when it has ended.")
        elif self.picture is not None and self.picture.requests:
            self._explain(self.picture.requests[0])
        else:
            self.say("No requests recorded yet.")

    def _explain(self, found: RecordedRequest) -> None:
        def show(lines: list[str]) -> None:
            self._read(f"why {found.id}", lambda width: [Line(line) for line in lines])

        width = self.size.width - 1
        self.watcher.ask(lambda source: source.explain_request(found, width), show)

    def _read(
        self,
        title: str,
        lines: Callable[[int], Sequence[Line]],
        ask: Callable[[], None] | None = None,
        address: str = "",
    ) -> None:
        self.pane.display = False
        self._reader.display = True
        self._reader.open(title, lines, ask, address)
        self._focus(self._reader)
        self._end_saying()

    def copy(self, text: str) -> None:
        """Copy through the terminal, and show what was copied: not every terminal does it, and none says so."""
        self.copy_to_clipboard(text)
        first, more, _ = text.partition("\n")
        self.say(f"copied: {first}{' …' if more else ''}")

    def action_copy(self) -> None:
        """Copy the id below the cursor."""
        self._copy_chosen(lambda one: one.id)

    def action_copy_all(self) -> None:
        """Copy the request below the cursor as JSON."""
        self._copy_chosen(lambda one: msgspec.json.encode(one).decode())

    def _copy_chosen(self, write: Callable[[RecordedRequest | RunningRequest], str]) -> None:
        chosen = self.pane.chosen
        if isinstance(chosen, RecordedRequest | RunningRequest):
            self.copy(write(chosen))
        else:
            self.say("Nothing to copy here: y copies the id of a request, Y all of it as JSON.")

    def action_resume(self) -> None:
        """Ask whether to end the halts."""
        if self.picture is None or (self.picture.proxies and not self.picture.halts):
            self.say("Nothing is halted.")
            return
        # Where no proxy runs, only the history knows whether there is one.
        halts = format_halts(self.picture, 10_000, "")
        lines = [Line("Resume traffic? The budget starts again from zero until its day or month ends."), *halts]
        self._decide("Resume", lines, lambda: self.watcher.ask(lambda source: source.resume(), self.say))

    def _decide(self, title: str, lines: Sequence[Line], then: Callable[[], None]) -> None:
        self._read(title, fold(lines), then)

    def action_window(self) -> None:
        """Show the sums of the next window."""
        if self.picture is not None and isinstance(self.pane, AnalyticsPane):
            window = self.pane.find_next_window(self.picture.window)
            self.watcher.ask(lambda source: source.choose_window(window), lambda _: None)

    def action_new(self) -> None:
        """Set a key that has no line yet, such as an alias."""
        if isinstance(self.pane, ConfigPane):
            self._change.ask_new()

    def action_unset(self) -> None:
        """Take the setting below the cursor out of the file."""
        if isinstance(chosen := self.pane.chosen, Setting):
            self._change.plan(chosen.key, None)

    def action_open_page(self) -> None:
        """Open the local page in the browser."""
        self.say("Opening the page …")
        self.watcher.ask(lambda source: source.open_page(), self._show_address)

    def _show_address(self, came: tuple[list[str], str]) -> None:
        said, address = came
        if not address:
            self.say(" ".join(said))
            return
        self._read("Local page", fold([Line(text) for text in (address, "", *said)]), address=address)

    def action_start(self) -> None:
        """Start a proxy in the background."""
        if self.picture is None or self.picture.proxies or self.picture.silent_s:
            self.say("A proxy runs already." if self.picture else "")
            return
        self.say("Starting a proxy …")
        self.watcher.ask(lambda source: source.start_proxy(), self.say)

    def _fatal_error(self) -> None:
        # Textual would show the values of local variables, which may be secrets. The command says what failed.
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        self._exit_renderables.clear()

    @property
    def failure(self) -> Exception | None:
        """The defect that ended it."""
        return self.defect or self._exception
