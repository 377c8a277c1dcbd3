"""What stays in sight in every pane: how the proxy is, what it costs, which pane this is, and a halt in words."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from router.cli.common.layout import GAP, wrap
from router.cli.tui.picture import Line, Picture
from router.policy.accounts.retry import format_duration
from router.policy.budget.guard import format_moment
from router.settings.kinds import clean
from router.watch import amounts

_GLYPHS = {"good": "\N{BLACK CIRCLE}", "warn": "\N{BLACK UP-POINTING TRIANGLE}", "bad": "\N{BALLOT X}"}
_MINUTES = 5
#: Lines of halts; the others are counted.
_HALTS = 3


def format_top(picture: Picture | None, width: int, mode: str) -> Line:
    """The top line; what is less important is left out where it does not fit. mode: what the user should know of the
    screen itself, such as that it is paused."""
    if picture is None:
        return Line(" fairlead   looking for the proxy …")
    kind, state = _judge(picture)
    parts = [f"{_GLYPHS[kind]} {state}"]
    parts += [urlsplit(picture.proxies[0].url).netloc] if picture.proxies else []
    parts += [mode] if mode else []
    parts += [part for part in (_rate(picture), _cost(picture), *_guard(picture), *_remarks(picture)) if part]
    text = " fairlead"
    for part in parts:
        if len(text) + len(GAP) + len(part) > width and len(text) > len(" fairlead"):
            continue
        text += GAP + part
    return Line(text, kind)


def _judge(picture: Picture) -> tuple[str, str]:
    # Late: it brings what knows of all protocols, for which the first frame would wait.
    from router.cli.inspect.status_lines import judge

    if picture.silent_s:
        return "bad", f"no answer from the proxy for {format_duration(picture.silent_s)}"
    if not picture.proxies:
        return "bad", "no proxy is running"
    words = judge(picture.proxies[0])
    if words == "halted" or words.startswith("stalled"):
        return "bad", words
    return ("good" if words.startswith("serving") else "warn"), words


def _rate(picture: Picture) -> str:
    last = picture.minutes[-_MINUTES - 1 : -1]
    rate = amounts.format_rate(sum(one.requests for one in last), 60 * len(last)) if last else ""
    return rate or (f"{picture.running_count:,} running" if picture.running_count else "")


def _cost(picture: Picture) -> str:
    today = picture.today
    if today is None or not today.requests or (today.unpriced and not today.cost_usd):
        return ""
    return f"{amounts.format_money(today.cost_usd)} today"


def _guard(picture: Picture) -> list[str]:
    if not picture.proxies:
        return []
    guard = picture.proxies[0].guard
    if guard.state == "off":
        return ["guard off"]
    shares = [one.spent / one.limit for one in guard.budgets if one.limit]
    return [f"budget {amounts.format_share(max(shares))}" if shares else "guard on"]


def _remarks(picture: Picture) -> list[str]:
    """What should not be forgotten."""
    # Late, as above.
    from router.policy.routing.table import DEMO

    found = [f"{len(picture.proxies)} proxies"] if len(picture.proxies) > 1 else []
    for proxy in picture.proxies[:1]:
        found += ["capture on"] if proxy.capture.on else []
        found += ["demo models answer"] if any(one.name == DEMO for one in proxy.backends) else []
    return found


def format_tabs(titles: Sequence[str], active: int, width: int) -> Line:
    """The panes, each with its key; where not all fit, the names of the others are left out."""
    for names in (titles, [title if at == active else "" for at, title in enumerate(titles)]):
        parts = [f"{at + 1} {name}".rstrip() for at, name in enumerate(names)]
        text = "".join(f"[{part}]" if at == active else f" {part} " for at, part in enumerate(parts))
        if len(text) <= width:
            break
    return Line(text, "title")


def find_tab(tabs: str, x: int) -> int | None:
    """The number of the pane whose name stands at a column of that line; None for what is beside them."""
    # Each begins with its key, one column after the border.
    numbers = [int(char) for char in tabs[: x + 2] if char.isdecimal()]
    return numbers[-1] - 1 if numbers and x < len(tabs) else None


def format_halts(picture: Picture | None, width: int, end: str = " R resumes it.") -> list[Line]:
    """What is halted, why and until when. end: what each line ends with."""
    if picture is None or not picture.halts:
        return []
    lines: list[str] = []
    for halt in picture.halts[:_HALTS]:
        of = "All traffic" if halt.scope == "all" else f"Traffic of {clean(halt.scope)}"
        until = format_moment(halt.until, picture.time)
        why = f"{clean(halt.reason, 300)} ({clean(halt.request)})" if halt.request else clean(halt.reason, 300)
        lines += wrap(f"{of} is halted until {until}: {why}.{end}", max(width, 24))
    more = len(picture.halts) - _HALTS
    return [Line(line, "band") for line in [*lines, *([f"… and {more} more"] if more > 0 else [])]]
