"""Requests: those that run, which grow while they do, and below them those that ended, the newest first."""

from collections.abc import Sequence

from router.cli.common.layout import NONE
from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import Line, Picture
from router.cli.watch.request_line import format_head, format_line, format_running_line
from router.operator_api.status import RunningRequest
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.store.history.read_requests import RecordedRequest
from router.watch.request_filter import RequestFilter, parse_filter

Either = RunningRequest | RecordedRequest


class RequestsPane(Pane):
    """The requests. While the cursor is on the first one it stays there, and new ones push the others down; elsewhere
    it stays on its request, and the head counts what came above."""

    TITLE = "Requests"
    HINTS = "/ filter   Enter detail   p pause   y copy id   ? keys   q leave"
    FILTERS = True

    def __init__(self) -> None:
        super().__init__(cursor=True)
        self._filter = RequestFilter("", ())
        self._fitting: Sequence[RecordedRequest] = ()
        #: The newest request, and how many there were, when the cursor left the first one.
        self._left: str | None = None
        #: What `_fitting` was made from.
        self._made: tuple[Sequence[RecordedRequest], RequestFilter] | None = None

    def filter(self, text: str) -> None:
        """Show the requests that fit. Raises UnknownFilter."""
        self._filter = parse_filter(text)
        self.at = self.top = 0
        self.redraw()

    def draw(self, picture: Picture) -> None:
        """Put the requests."""
        self._fit(picture.requests)
        now, width = picture.asked, self.size.width
        # What is not known of them yet is no reason to hide them, but for words that can be held against them.
        running = [one for one in picture.running if self._fits_running(one)]

        def draw_one(one: Either) -> Line:
            if isinstance(one, RunningRequest):
                return Line(f" {format_running_line(one, now, width - 1)}", "good")
            return Line(f" {format_line(one, width - 1)}", "bad" if one.error or one.status >= 400 else "")

        items: list[Either] = [*running, *self._fitting]
        head = [Line(self._format_state(picture, len(running)), "dim"), Line(f" {format_head(width - 1)}", "head")]
        if not items:
            head.append(Line(_explain_nothing(picture, self._filter.text)))
        self.put(items, draw_one, key=lambda one: one.id, head=head)

    def _fit(self, requests: Sequence[RecordedRequest]) -> None:
        if self._made is None or self._made[0] is not requests or self._made[1] is not self._filter:
            self._made = (requests, self._filter)
            self._fitting = [one for one in requests if self._filter.fits(one)] if self._filter.tests else requests

    def _fits_running(self, one: RunningRequest) -> bool:
        words = self._filter.text.lower().split()
        known = f"{one.id} {one.model} {one.client} {one.tag} {one.backend}/{one.account}".lower()
        return all(word in known for word in words)

    def _format_state(self, picture: Picture, running: int) -> str:
        shown, whole = len(self._fitting), len(picture.requests)
        text = f" {running:,} running   {shown:,} ended" if shown == whole else f" {shown:,} of {whole:,} ended"
        if self._filter.text:
            text += f"   / {self._filter.text}"
        if new := self._count_new():
            text += f"   \N{BLACK UP-POINTING TRIANGLE} {new:,} new above, g goes there"
        return text

    def _count_new(self) -> int:
        """How many ended since the cursor left the first line."""
        if self.at == 0:
            self._left = None
            return 0
        if self._left is None:
            self._left = self._fitting[0].id if self._fitting else ""
        return next((at for at, one in enumerate(self._fitting) if one.id == self._left), 0)

    def on_line_list_moved(self) -> None:
        """The head counts from here."""
        self.redraw()

    @property
    def at_end(self) -> bool:
        """True with the cursor on the oldest request that is known."""
        return bool(self._fitting) and isinstance(self.chosen, RecordedRequest) and self.chosen is self._fitting[-1]

    def describe(self) -> list[Line]:
        """What is known of a request that runs."""
        one: Either | None = self.chosen
        if not isinstance(one, RunningRequest):
            return []
        lines = [Line(f"{one.id}   {clean(one.model) or NONE}   runs for {format_duration(one.age_s)}"), Line("")]
        told = (
            ("client", one.client or one.tag),
            ("asked", f"{one.backend}/{one.account}" if one.backend else "nobody yet"),
            ("attempts", str(one.attempts)),
            ("tokens", "" if one.tokens is None else f"about {one.tokens:,} so far"),
            ("now", f"waits for {one.waits}" if one.waits else "answering"),
        )
        return lines + [Line(f"{name:<10} {clean(text)}") for name, text in told if text]


def _explain_nothing(picture: Picture, text: str) -> str:
    if text and picture.requests:
        return " None of them fits. Esc in the filter clears it."
    if not picture.proxies:
        return " No requests recorded yet, and no proxy is running: s starts one."
    return " No requests recorded yet. Point a tool at the proxy:   fairlead env"
