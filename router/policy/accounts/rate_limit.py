"""The user's own limits of a backend or account: requests and tokens in any minute, least time between two requests.

Times are seconds of one clock. A minute is counted in whole seconds, so that what counts is bounded: it lasts from 60
to 61 seconds, never less. Tokens of a request are estimated when it begins, and put right when it ends.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

MINUTE = 60


@dataclass(frozen=True, slots=True)
class RateSettings:
    """What the user allows."""

    #: Requests a minute, None for no limit.
    rpm: int | None = None
    #: Tokens a minute, None for no limit.
    tpm: int | None = None
    #: The least seconds between two requests.
    interval: float = 0.0

    @property
    def any(self) -> bool:
        """True when there is something to keep to."""
        return self.rpm is not None or self.tpm is not None or self.interval > 0


class Wait(NamedTuple):
    """When a request may go."""

    #: On the clock of the caller.
    until: float
    #: The setting that holds it until then, '' when it may go at once.
    limit: str = ""


class _Minute:
    """Counts of the last minute, by second."""

    __slots__ = ("_seconds", "total")

    def __init__(self) -> None:
        self._seconds: deque[list[int]] = deque()
        self.total = 0

    def forget(self, now: float) -> None:
        while self._seconds and self._seconds[0][0] + MINUTE + 1 <= now:
            self.total -= self._seconds.popleft()[1]

    def add(self, now: float, number: int) -> None:
        second = int(now)
        if self._seconds and self._seconds[-1][0] >= second:
            self._seconds[-1][1] += number
        else:
            self._seconds.append([second, number])
        self.total += number

    def free_at(self, now: float, number: int, limit: int) -> float:
        """When `number` more fit; what is more than the limit by itself fits into an empty minute."""
        self.forget(now)
        left = self.total
        if left <= 0 or left + number <= limit:
            return now
        for second, counted in self._seconds:
            left -= counted
            if left <= 0 or left + number <= limit:
                return second + MINUTE + 1.0
        return now


class RateLimit:
    """The limits of one backend or account, and what was sent to it in the last minute."""

    __slots__ = ("_last", "_requests", "_tokens", "counted_requests", "counted_tokens", "limits")

    def __init__(self, limits: RateSettings):
        self.limits = limits
        #: What this process counted since its start.
        self.counted_requests = self.counted_tokens = 0
        self._requests, self._tokens = _Minute(), _Minute()
        self._last = -1e18

    def wait(self, now: float, tokens: int) -> Wait:
        """When a request of so many tokens may go."""
        limits = self.limits
        waits = [Wait(self._last + limits.interval, "min_interval")] if limits.interval else []
        if limits.rpm is not None:
            waits.append(Wait(self._requests.free_at(now, 1, limits.rpm), "rpm"))
        if limits.tpm is not None:
            waits.append(Wait(self._tokens.free_at(now, tokens, limits.tpm), "tpm"))
        last = max(waits, default=Wait(now))
        return last if last.until > now else Wait(now)

    def count_request(self, now: float, tokens: int) -> None:
        """Count a request that is sent, of so many tokens by estimate."""
        self._last = now
        if self.limits.rpm is not None:
            self._requests.forget(now)
            self._requests.add(now, 1)
            self.counted_requests += 1
        self.correct_tokens(now, tokens)

    def correct_tokens(self, now: float, tokens: int) -> None:
        """Count so many tokens more (or fewer), which were used beyond the estimate."""
        if self.limits.tpm is not None and tokens:
            self._tokens.forget(now)
            self._tokens.add(now, tokens)
            self.counted_tokens += tokens

    def count_elsewhere(self, now: float, requests: int, tokens: int) -> None:
        """Count what another process sent under the same limits."""
        for limit, minute, number in (
            (self.limits.rpm, self._requests, requests),
            (self.limits.tpm, self._tokens, tokens),
        ):
            if limit is not None and number:
                minute.forget(now)
                minute.add(now, number)

    def share(self, now: float) -> float:
        """What is left of this minute, 0 to 1."""
        return min((max(0.0, 1 - used / limit) for used, limit in self.used(now).values()), default=1.0)

    def used(self, now: float) -> dict[str, tuple[int, int]]:
        """What is in use and the limit, by the setting of each limit a minute."""
        found: dict[str, tuple[int, int]] = {}
        for name, limit, minute in (
            ("rpm", self.limits.rpm, self._requests),
            ("tpm", self.limits.tpm, self._tokens),
        ):
            if limit is not None:
                minute.forget(now)
                found[name] = (max(0, minute.total), limit)
        return found
