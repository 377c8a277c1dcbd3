"""Format numbers for display: tokens, money, times, shares."""

#: Stands for a value that is not known.
NONE = "\N{EN DASH}"


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
    if dollars is None:
        return NONE
    if dollars >= 0.995 or dollars == 0:
        return f"${dollars:,.2f}"
    digits = 2
    while digits < 9 and dollars * 10**digits < 10:
        digits += 1
    return f"${dollars:.{digits}f}"


def format_seconds(ms: float | None) -> str:
    """Milliseconds as `4 ms`, `0.9 s` or `12 min`; a dash for None."""
    if ms is None:
        return NONE
    if ms < 99.5:
        return f"{ms:.0f} ms"
    if ms < 100_000:
        return f"{ms / 1000:.1f} s"
    if ms < 7_200_000:
        return f"{ms / 60_000:.0f} min"
    return f"{ms / 3_600_000:.1f} h"


def format_share(part: float | None) -> str:
    """A fraction of 1 as `91 %`; a dash for None."""
    return NONE if part is None else f"{part * 100:.0f} %"
