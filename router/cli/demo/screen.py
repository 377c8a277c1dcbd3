"""What `fairlead demo` prints, for terminals from 40 columns."""

from router import __version__
from router.cli.common.layout import wrap
from router.cli.demo.requests import PROTOCOLS, Outcome
from router.watch.amounts import format_seconds

#: Columns that every line keeps to where the terminal has them.
WIDTH = 72
_LEGEND = "Down: the request's protocol. Across: the backend's. ok: translated."


def format_head(url: str, about: str, width: int | None) -> list[str]:
    """The lines that say what serves where. width: of the terminal, here and below; None for lines of any length."""
    line = f"fairlead {__version__}   {url}   {about}"
    return [line] if _fits(line, width) else [f"fairlead {__version__}   {url}", f"  {about}"]


def format_outcomes(outcomes: list[Outcome], width: int | None) -> list[str]:
    """A table of the callers' protocols and the backends', with the time of each answer, and then a line for what is
    in none: the tool call, and what was wrong. Where the terminal is too narrow, a line for each."""
    pairs = [outcome for outcome in outcomes if outcome.asked]
    others = [outcome for outcome in outcomes if not outcome.asked or not outcome.ok]
    table = _format_table(pairs)
    if all(_fits(line, width) for line in table):
        lines = [*table, *_wrap(_LEGEND, width, "  "), ""]
    else:
        others, lines = outcomes, []
    labels = max((len(outcome.label) for outcome in others), default=0)
    for outcome in others:
        details = outcome.said or _format_cell(outcome)
        line = f"  ok  {outcome.label.ljust(labels)}   {details}"
        if outcome.ok and _fits(line, width):
            lines.append(line)
        else:
            lines.append(f"  {'ok' if outcome.ok else 'wrong'}  {outcome.label}")
            lines += _wrap(details, width, "      ")
    return lines


def _format_table(outcomes: list[Outcome]) -> list[str]:
    """A row for each caller's protocol, a column for each backend's."""
    cells = {(outcome.asked, outcome.spoken): _format_cell(outcome) for outcome in outcomes}
    names = [name for name in PROTOCOLS if any(name in pair for pair in cells)]
    rows = [["asked in", *names]]
    rows += [[asked, *(cells.get((asked, spoken), "") for spoken in names)] for asked in names]
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "   ".join(cell.ljust(size) for cell, size in zip(row, wide, strict=True)).rstrip() for row in rows]


def _format_cell(outcome: Outcome) -> str:
    if not outcome.ok:
        return "wrong"
    done = "same" if outcome.asked == outcome.spoken else "ok"
    return f"{done} {format_seconds(max(1, outcome.first_byte * 1000))}"


def format_next_steps(width: int | None, notice: str) -> list[str]:
    """The lines that say what can be done now. notice: another line, "" for none."""
    return [
        *_wrap("The demo keeps this terminal. Open a second one to try your own tool:", width),
        "  fairlead run --model demo -- claude",
        "  fairlead run --model demo -- codex",
        "  fairlead run --model demo -- gemini",
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
