"""Figures as characters: bars of shares and a curve of the last hour. The figure itself stands beside each."""

from collections.abc import Sequence

_LEVELS = " ▁▂▃▄▅▆▇█"
_FULL, _EMPTY = "█", "░"


def draw_bar(share: float, size: int = 10) -> str:
    """A bar for a share from 0 to 1; something is seen of each share above 0, and of what is left below 1."""
    share = min(max(share, 0.0), 1.0)
    full = round(share * size)
    full = max(full, 1) if share > 0 else full
    full = min(full, size - 1) if share < 1 else full
    return _FULL * full + _EMPTY * (size - full)


def draw_curve(values: Sequence[float], size: int) -> str:
    """A curve of at most so many characters, the newest value last; each stands for several where they are too many."""
    if size <= 0 or not values:
        return ""
    step = -(-len(values) // size)
    first = len(values) % step
    groups = [values[:first]] if first else []
    groups += [values[at : at + step] for at in range(first, len(values), step)]
    sums = [sum(group) for group in groups]
    most = max(sums)
    if most <= 0:
        return _LEVELS[0] * len(sums)
    # The lowest level is for what is not zero.
    return "".join(_LEVELS[0 if one <= 0 else max(1, round(one / most * (len(_LEVELS) - 1)))] for one in sums)
