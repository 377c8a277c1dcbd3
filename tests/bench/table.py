"""The rows of the benchmark and how they are written down."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum


class Kind(Enum):
    """What a gate is held against."""

    RATIO = "ratio"
    DIFFERENCE = "difference"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measure: its samples by round, in the row's unit, for the floor and for fairlead."""

    name: str
    unit: str
    floor: Sequence[float] = ()
    fairlead: Sequence[float] = ()
    kind: Kind = Kind.RATIO
    gate: float | None = None
    goal: float | None = None
    note: str = ""

    @property
    def figures(self) -> list[float]:
        """What the gate is about, by round: fairlead over the floor, fairlead less the floor, or fairlead alone."""
        if self.kind is Kind.VALUE:
            return list(self.fairlead)
        pairs = zip(self.floor, self.fairlead, strict=False)
        if self.kind is Kind.RATIO:
            return [ours / theirs for theirs, ours in pairs if theirs]
        return [ours - theirs for theirs, ours in pairs]

    @property
    def missed(self) -> bool:
        """True when the median misses the gate."""
        return self.gate is not None and bool(self.figures) and statistics.median(self.figures) > self.gate

    def cells(self) -> list[str]:
        """The row of the table."""
        return [self.name, self._median(self.floor), self._median(self.fairlead), self._compared(), self._bound()]

    def document(self) -> dict[str, object]:
        """All samples, for --json."""
        return {**asdict(self), "kind": self.kind.value, "figures": self.figures, "missed": self.missed}

    def _median(self, samples: Sequence[float]) -> str:
        return f"{_number(statistics.median(samples))} {self.unit}".strip() if samples else "–"

    def _compared(self) -> str:
        if self.note:
            return self.note
        figures = self.figures
        if not figures or self.kind is Kind.VALUE:
            return ""
        median, least = statistics.median(figures), min(figures)
        if self.kind is Kind.RATIO:
            return f"{median:.2f} × (least {least:.2f})"
        return f"{median:+.3g} {self.unit}"

    def _bound(self) -> str:
        if self.gate is None:
            return ""
        goal = "" if self.goal is None else f" ({self.goal:g})"
        return f"≤ {self.gate:g}{goal} {'×' if self.kind is Kind.RATIO else self.unit}"


HEADINGS = ["measure", "floor", "fairlead", "ratio or difference", "gate (goal)"]


def markdown(rows: Sequence[Row]) -> str:
    """The table for packaging/reference/speed.md."""
    lines = [HEADINGS, ["---", "---:", "---:", "---:", "---"], *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    """Three figures, without an exponent."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
