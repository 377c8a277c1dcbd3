"""Analytics: the sums of a window as `fairlead usage` has them, curves of the last hour, and what was lost."""

from router.cli.common.layout import wrap, wrap_row
from router.cli.tui.charts import draw_curve
from router.cli.tui.forecast import forecast_budgets
from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import WINDOWS, Line, Picture
from router.settings.kinds import clean
from router.watch import amounts

_LABEL, _LOSSES = 9, 10


class AnalyticsPane(Pane):
    """Requests, tokens, cost, latency and errors."""

    TITLE = "Analytics"
    HINTS = "t window   p pause   ? keys   q leave"

    def __init__(self) -> None:
        super().__init__(cursor=False)

    def draw(self, picture: Picture) -> None:
        """Put the lines."""
        # Late: it brings what knows of all protocols, for which the first frame would wait.
        from router.cli.inspect.usage import format_head, format_tables

        width = max(self.size.width, 24)
        windows = "  ".join(f"[{one}]" if one == picture.window else one for one in WINDOWS)
        lines = [Line(f"t        {windows}", "head")]
        if picture.unreadable:
            lines += [Line(part, "bad") for part in wrap(f"history  {picture.unreadable}", width)]
        if picture.usage is None:
            lines.append(Line("No requests recorded yet."))
        else:
            lines += [Line(text) for text in format_head(picture.usage, picture.window, [], width)]
            lines += _draw_curves(picture, width)
            lines += [Line(part, one.kind) for one in forecast_budgets(picture) for part in wrap(one.text, width)]
            lines += [Line(text) for text in format_tables(picture.usage, width)]
            lines += [Line(text, "warn") for text in _format_losses(picture, width)]
        self.put_text(lines)

    @staticmethod
    def find_next_window(window: str) -> str:
        """The window after this one."""
        return WINDOWS[(WINDOWS.index(window) + 1) % len(WINDOWS)]


def _draw_curves(picture: Picture, width: int) -> list[Line]:
    """Requests, cost and tokens of answers, minute by minute in the last hour; each with its whole."""
    found = picture.minutes[-60:]
    if not any(one.requests for one in found):
        return []
    size = min(60, width - _LABEL - 10)
    curves = (
        ("requests", [float(one.requests) for one in found], f"{sum(one.requests for one in found):,}"),
        ("cost", [one.cost_usd for one in found], amounts.format_money(sum(one.cost_usd for one in found))),
        ("out", [float(one.tokens_out) for one in found], amounts.format_tokens(sum(one.tokens_out for one in found))),
    )
    lines = [Line(f"{name:<{_LABEL}}{draw_curve(values, size)}  {whole}") for name, values, whole in curves]
    return [Line("the last hour, minute by minute", "dim"), *lines]


def _format_losses(picture: Picture, width: int) -> list[str]:
    """What translations could not carry over."""
    if not picture.losses:
        return []
    parts = [f"{clean(name)} {count:,}" for name, count in picture.losses[:_LOSSES]]
    more = len(picture.losses) - _LOSSES
    parts += [f"and {more:,} more"] if more > 0 else []
    return wrap_row("lost in translation".ljust(_LABEL) + "   ", "   ".join(parts), width)
