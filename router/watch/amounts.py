"""Format numbers for display: tokens, money, times, shares, rates."""

from router.policy.accounts.retry import format_duration
from router.policy.budget.budgets import format_dollars
from router.policy.budget.prices import REPORTED

#: Stands for a value that is not known.
NONE = "\N{EN DASH}"
_BAR = 10


def format_tokens(count: int | None) -> str:
    """A number of tokens as `950`, `142k` or `3.1M`; a dash for None."""
    if count is None:
        return NONE
    if count < 10_000:
        return f"{count:,}"
    for size, unit in ((10**3, "k"), (10**6, "M"), (10**9, "G")):
        if count < 999.5 * size or unit == "G":
            return f"{count / size:.0f}{unit}" if count >= 10 * size else f"{count / size:.1f}{unit}"
    raise AssertionError


def format_money(dollars: float | None) -> str:
    """US dollars as `$3.41` or `$0.0023`; a dash for None."""
    return NONE if dollars is None else format_dollars(dollars)


def format_cost(dollars: float | None, source: str) -> str:
    """What a request cost and how that is known; `unpriced` for None. source: as it is in the history."""
    if dollars is None:
        return "unpriced"
    return f"cost {format_dollars(dollars)} ({source if source == REPORTED else f'prices of {source}'})"


def format_seconds(ms: float | None) -> str:
    """Milliseconds as `4 ms`, `0.9 s`, `41 s` or `12 min`; a dash for None."""
    if ms is None:
        return NONE
    return f"{ms:.0f} ms" if ms < 99.5 else format_duration(ms / 1000)


def format_share(part: float | None) -> str:
    """A fraction of 1 as `91 %`, `under 1 %` or `over 99 %`; a dash for None."""
    if part is None:
        return NONE
    if 0 < part < 0.01:
        return "under 1 %"
    if 0.995 <= part < 1:
        return "over 99 %"
    return f"{part * 100:.0f} %"


def format_bar(part: float, *, encoding: str | None = "utf-8") -> str:
    """A fraction of 1 as a bar of _BAR characters. encoding: of what reads it; one without blocks gets signs of
    ASCII."""
    full, empty = "\N{FULL BLOCK}", "\N{LIGHT SHADE}"
    try:
        f"{full}{empty}".encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        full, empty = "#", "."
    filled = round(min(1.0, max(0.0, part)) * _BAR)
    return full * filled + empty * (_BAR - filled)


def format_rate(count: int, seconds: float) -> str:
    """How often something happens, as `1,960/min`, `2.5/min` or `46/h`; '' for less than once an hour."""
    per_minute = count * 60 / seconds
    if per_minute >= 10:
        return f"{per_minute:,.0f}/min"
    if per_minute >= 1:
        return f"{per_minute:.1f}/min".replace(".0/", "/")
    return f"{per_minute * 60:.0f}/h" if per_minute * 60 >= 1 else ""
