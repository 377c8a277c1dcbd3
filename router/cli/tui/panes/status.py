"""Status: what `fairlead status` says, with the last hour as a curve and each budget with where it is going."""

from router.cli.common.layout import wrap
from router.cli.tui.charts import draw_curve
from router.cli.tui.forecast import forecast_budgets
from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import Line, Picture
from router.watch import amounts

_LABEL = 9


class StatusPane(Pane):
    """How the proxy is, and what runs."""

    TITLE = "Status"
    HINTS = "w why the last   u local page   p pause   ? keys   q leave"

    def __init__(self) -> None:
        super().__init__(cursor=False)

    @property
    def hints(self) -> str:
        """The keys; where no proxy runs, the one that starts it in the place of the one that opens its page."""
        absent = self.picture is not None and not self.picture.proxies and not self.picture.silent_s
        return self.HINTS.replace("u local page", "s start a proxy") if absent else self.HINTS

    def draw(self, picture: Picture) -> None:
        """Put the lines."""
        width = max(self.size.width, 24)
        lines = _offline(picture, width) if not picture.proxies else [_mark(line) for line in picture.status]
        if picture.config_problem and not picture.proxies:
            lines += [Line(part, "bad") for part in wrap(f"problem  {picture.config_problem}", width)]
        lines += _curve(picture, width)
        for line in forecast_budgets(picture):
            lines += [Line(part, line.kind) for part in wrap(line.text, width)]
        if picture.unreadable:
            lines += [Line(part, "bad") for part in wrap(f"history  {picture.unreadable}", width)]
        self.put_text(lines)


def _mark(text: str) -> Line:
    return Line(text, "bad" if text.startswith("problem") else "")


def _offline(picture: Picture, width: int) -> list[Line]:
    if picture.silent_s:
        return [
            Line(line, "warn") for line in wrap("The proxy of this home was asked, and has not answered yet.", width)
        ]
    lines = [Line(line, "bad") for line in wrap(picture.absent, width)]
    lines += [Line(line) for line in wrap(picture.hint, width)] if picture.hint else []
    lines += [Line("s starts one in the background. The history can be read meanwhile."), Line("")]
    if not picture.stored:
        lines += [Line(line) for line in wrap("No backends yet. The first steps:   fairlead init", width)]
    lines += [Line(part) for line in picture.budgets for part in wrap(line, width)]
    return lines


def _curve(picture: Picture, width: int) -> list[Line]:
    """Requests of the last hour, and what they cost."""
    found = picture.minutes
    requests = sum(one.requests for one in found)
    if not requests:
        return []
    errors, cost = sum(one.errors for one in found), sum(one.cost_usd for one in found)
    size = min(60, width - _LABEL)
    most = max(one.requests for one in found)
    said = f"{requests:,} in 60 min, {most:,} in the busiest minute   {errors:,} failed   {amounts.format_money(cost)}"
    curve = draw_curve([one.requests for one in found[-60:]], size)
    return [
        Line("60 min".ljust(_LABEL) + curve),
        *(Line(" " * _LABEL + part) for part in wrap(said, width - _LABEL)),
    ]
