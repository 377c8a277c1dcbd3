"""How much of an account is left: 1 less the largest used share over every limit known.

Rules of this file: a reading counts in full until its own reset, and from then on not at all; a later reading of the
same limit takes its place. Times are seconds of one clock that does not stand still while the machine sleeps. Limits
that a family of models has of its own count for that family beside those of all models. The headers of an answer are
parsed when the headroom is asked for, so that they cost nothing where an account is alone in its pool.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from router.wire.headers.rate_limits import Limit, parse_limits

_LIMITS = 32
FULL = 1.0


class LimitReading(NamedTuple):
    """A limit as an answer last gave it."""

    limit: Limit
    #: When it is free again.
    until: float


class Headroom:
    """What is left of one account."""

    __slots__ = ("_families", "_headers", "_headers_at", "_holds_until", "_readings", "common", "until")

    def __init__(self) -> None:
        self._readings: dict[str, LimitReading] = {}
        self._headers: Mapping[bytes, bytes] | None = None
        self._headers_at = 0.0
        self._families: dict[str, float] = {}
        self._holds_until = math.inf
        #: Until then `common` is right for every model.
        self.until = math.inf
        #: What is left for models without limits of their own, 0 to 1.
        self.common = FULL

    def note_headers(self, headers: Mapping[bytes, bytes], now: float) -> None:
        """Note the headers of an answer that are about limits, to be parsed later."""
        if headers:
            if self._headers is not None and self._headers.keys() != headers.keys():
                self._parse()  # another kind of answer, which may hold other limits
            self._headers, self._headers_at = headers, now
            self._holds_until = self.until = -math.inf

    def note_limits(self, limits: tuple[Limit, ...], now: float) -> None:
        """Note limits as they were at a moment."""
        for limit in limits:
            if limit.name in self._readings or len(self._readings) < _LIMITS:
                self._readings[limit.name] = LimitReading(limit, now + limit.left)
        self._holds_until = self.until = -math.inf

    def share(self, now: float, family: str = "") -> float:
        """What is left, 0 to 1. family: for these models."""
        if now >= self._holds_until:
            self._settle(now)
        return self._families.get(family, self.common) if self._families else self.common

    def readings(self, now: float) -> list[LimitReading]:
        """The limits that still count, the most used first."""
        self._settle(now)
        return sorted(self._readings.values(), key=lambda reading: -reading.limit.used)

    def _parse(self) -> None:
        headers, self._headers = self._headers, None
        if headers is not None:
            self.note_limits(parse_limits(headers).limits, self._headers_at)

    def _settle(self, now: float) -> None:
        """Work out what is left, which is right until the first reading ends."""
        self._parse()
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
