"""How much of an account is left: 1 less the largest used share over every limit known.

Rules of this file: a reading counts in full until its own reset, and from then on not at all; a later reading of the
same limit takes its place. Times are seconds of one clock that does not stand still while the machine sleeps. What a
family of models has of its own counts for that family beside what all share. Answers are read when somebody asks, so
that an account alone in its pool costs nothing.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from router.wire.headers.rate_limits import Limit, parse_limits

_LIMITS = 32
FULL = 1.0


class Reading(NamedTuple):
    """A limit as it was last told. until: when it is free again."""

    limit: Limit
    until: float


class Headroom:
    """What is left of one account. common: of models without limits of their own; until: then it must be worked out
    anew, also where a family has some."""

    __slots__ = ("_families", "_holds_until", "_readings", "_said", "_told_at", "common", "until")

    def __init__(self) -> None:
        self._readings: dict[str, Reading] = {}
        self._said: Mapping[bytes, bytes] | None = None
        self._told_at = 0.0
        self._families: dict[str, float] = {}
        self._holds_until = self.until = math.inf
        self.common = FULL

    def note(self, said: Mapping[bytes, bytes], now: float) -> None:
        """Take note of what an answer's headers tell (`limit_headers`)."""
        if said:
            if self._said is not None and self._said.keys() != said.keys():
                self._read()  # another kind of answer, which may tell of other limits
            self._said, self._told_at = said, now
            self._holds_until = self.until = -math.inf

    def take(self, limits: tuple[Limit, ...], now: float) -> None:
        """Take note of limits that were told at a moment."""
        for limit in limits:
            if limit.name in self._readings or len(self._readings) < _LIMITS:
                self._readings[limit.name] = Reading(limit, now + limit.left)
        self._holds_until = self.until = -math.inf

    def share(self, now: float, family: str = "") -> float:
        """What is left, 0 to 1. family: of which models."""
        if now >= self._holds_until:
            self._settle(now)
        return self._families.get(family, self.common) if self._families else self.common

    def readings(self, now: float) -> list[Reading]:
        """The limits that still count, the fullest first."""
        self._settle(now)
        return sorted(self._readings.values(), key=lambda reading: -reading.limit.used)

    def _read(self) -> None:
        said, self._said = self._said, None
        if said is not None:
            self.take(parse_limits(said).limits, self._told_at)

    def _settle(self, now: float) -> None:
        """Work out what is left, to hold until the first reading goes."""
        self._read()
        self._readings = {name: one for name, one in self._readings.items() if one.until > now}
        holds, used, families = math.inf, 0.0, dict[str, float]()
        for limit, until in self._readings.values():
            holds = min(holds, until)
            if limit.family:
                families[limit.family] = max(limit.used, families.get(limit.family, 0.0))
            else:
                used = max(used, limit.used)
        self.common = FULL - used
        self._families = {family: FULL - max(used, own) for family, own in families.items()}
        self._holds_until, self.until = holds, -math.inf if families else holds
