"""What `fairlead demo` prints, for terminals from 40 columns."""

from router import __version__
from router.cli.common.layout import wrap
from router.cli.demo.requests import Outcome
from router.watch.amounts import format_seconds

#: Columns that every line keeps to where the terminal has them.
WIDTH = 72


def format_head(url: str, about: str, width: int | None) -> list[str]:
    """The lines that say what serves where. width: of the terminal, here and below; None for lines of any length."""
    line = f"fairlead {__version__}   {url}   {about}"
    return [line] if _fits(line, width) else [f"fairlead {__version__}   {url}", f"  {about}"]


def format_outcomes(outcomes: list[Outcome], width: int | None) -> list[str]:
    """One line per request, with aligned counts; two where the terminal is too narrow, or the answer was wrong."""
    labels = max(len(outcome.label) for outcome in outcomes)
    told = _describe([outcome for outcome in outcomes if outcome.ok])
    lines: list[str] = []
    for outcome in outcomes:
        details = told.get(outcome.label, outcome.said)
        line = f"  ok  {outcome.label.ljust(labels)}   {details}"
        if outcome.ok and _fits(line, width):
            lines.append(line)
        else:
            lines.append(f"  {'ok' if outcome.ok else 'wrong'}  {outcome.label}")
            lines += _wrap(details, width, "      ")
    return lines


def _describe(outcomes: list[Outcome]) -> dict[str, str]:
    """Label -> what is told of it, with right-aligned counts."""
    counted = [outcome for outcome in outcomes if not outcome.said]
    events = max((len(str(outcome.events)) for outcome in counted), default=0)
    times = {outcome.label: format_seconds(max(1, outcome.first_byte * 1000)) for outcome in counted}
    wide = max(map(len, times.values()), default=0)
    told = {o.label: f"{o.events:>{events}} events   {times[o.label]:>{wide}}" for o in counted}
    if counted:
        told[counted[0].label] += " to first byte"
    return told


def format_next_steps(width: int | None, notice: str) -> list[str]:
    """The lines that say what can be done now. notice: another line, "" for none."""
    return [
        *_wrap("The demo keeps this terminal. Open a second one to try your own tool:", width),
        "  fairlead run --model demo -- claude",
        "  fairlead run --model demo -- codex",
        *_wrap("For good, or by variables:   fairlead setup, fairlead env", width),
        *_wrap("Add real backends:   fairlead init", width),
        *(_wrap(notice, width) if notice else []),
        "",
        *_wrap("Serving. Ctrl-C stops the demo, or in the second terminal: fairlead stop", width),
    ]


def _fits(line: str, width: int | None) -> bool:
    return width is None or len(line) <= min(width, WIDTH)


def _wrap(text: str, width: int | None, indent: str = "") -> list[str]:
    return wrap(text, None if width is None else min(width, WIDTH), indent)
