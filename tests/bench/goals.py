"""The goals of the relay's speed, and the table that holds what was measured against them.

Rules of this file: a goal that is a time or a rate was set on another machine, on which the bare relay has the figure
`relay`. Their quotient is the goal as a ratio to the bare relay, on whatever machine; times what the bare relay has in
the same run it is the goal in units. Memory, shares and quotients are compared as they are.
packaging/reference/speed.md tells where each `relay` is from.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached, in the row's unit. relay: what the bare relay has on the machine of the goal, 0 where that
    does not matter. more: whether more is better."""

    figure: float
    relay: float = 0.0
    more: bool = False

    @property
    def ratio(self) -> float:
        """The goal as a ratio to the bare relay; 0 for a goal that is compared as it is."""
        return self.figure / self.relay if self.relay else 0.0


#: By the kind of row that has one.
GOALS = {
    "small": Goal(0.20, relay=0.20),
    "agent": Goal(0.30, relay=0.307),
    "quotient": Goal(2.0),
    "small rate": Goal(4500, relay=4700, more=True),
    "agent rate": Goal(3000, relay=3380, more=True),
    "deltas": Goal(250_000, relay=178_000, more=True),
    "first byte": Goal(0.40, relay=0.335),
    "translated": Goal(0.8, relay=0.307),
    "first translated byte": Goal(0.2, relay=0.10),
    "start": Goal(0.12, relay=0.079),
    "idle": Goal(45),
    "loaded": Goal(65),
    "history": Goal(3.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalRow:
    """One measure: the samples by round of each that took part (`floor`, `nginx`, `base`, `fairlead`)."""

    name: str
    unit: str
    samples: Mapping[str, Sequence[float]]
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """fairlead over the bare relay, by round; of a goal that is compared as it is none."""
        pairs = zip(self.samples.get("floor", ()), self.samples.get("fairlead", ()), strict=False)
        return [ours / theirs for theirs, ours in pairs if theirs > 0 and self._compared]

    @property
    def _compared(self) -> bool:
        return self.goal is None or bool(self.goal.relay)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the goal; None where there is no goal, or no figure."""
        figures = self.ratios if self._compared else self.samples.get("fairlead")
        if self.goal is None or not figures:
            return None
        bound = self.goal.ratio or self.goal.figure
        median = statistics.median(figures)
        return median >= bound if self.goal.more else median <= bound

    @property
    def missed(self) -> bool:
        """True when it has a goal that is not reached."""
        return self.reached is False

    @property
    def here(self) -> float | None:
        """The goal on this machine, in the row's unit."""
        if self.goal is None or not self.goal.relay:
            return None if self.goal is None else self.goal.figure
        floor = self.samples.get("floor")
        return self.goal.ratio * statistics.median(floor) if floor else None

    def cells(self, columns: Iterable[str]) -> list[str]:
        """The row of the table; a column for each of these that took part."""
        found = [self._median(name) for name in columns]
        ours = self.samples.get("fairlead", ())
        best = (max if self.goal is not None and self.goal.more else min)(ours) if ours else None
        ratio = f"{statistics.median(self.ratios):.2f} ×" if self.ratios else ""
        return [self.name, *found, self._format(best), ratio, self._bound(), _WORDS[self.reached]]

    def document(self) -> dict[str, object]:
        """All samples, for --json."""
        return {**asdict(self), "ratios": self.ratios, "here": self.here, "reached": self.reached}

    def _median(self, name: str) -> str:
        samples = self.samples.get(name)
        return self._format(statistics.median(samples) if samples else None)

    def _format(self, value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:,.0f} {self.unit}" if abs(value) >= 100 else f"{value:.3g} {self.unit}".strip()

    def _bound(self) -> str:
        if self.goal is None:
            return ""
        sign = "≥" if self.goal.more else "≤"
        ratio = f" ({self.goal.ratio:.2f} ×)" if self.goal.relay else ""
        return f"{sign} {self._format(self.here)}{ratio}"


_WORDS = {True: "yes", False: "no", None: ""}
_TITLES = {"floor": "bare relay", "base": "before"}


def markdown(rows: Sequence[GoalRow]) -> str:
    """The table of goals for packaging/reference/speed.md."""
    columns = [name for name in ("floor", "nginx", "base", "fairlead") if any(name in row.samples for row in rows)]
    heads = ["measure", *(_TITLES.get(name, name) for name in columns)]
    heads += ["best", "ratio to the bare relay", "goal here (as a ratio)", "reached"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *(row.cells(columns) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
