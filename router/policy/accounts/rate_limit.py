"""The user's own limits of a backend or account: requests and tokens in any minute, least time between two requests.

Times are seconds of one clock. A minute is counted in whole seconds, so that what counts is bounded: it lasts from 60
to 61 seconds, never less. Tokens of a request are estimated when it begins, and put right when it ends.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from router.policy.accounts.portions import Portion
from router.policy.accounts.send_token import SendToken

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


class Portions(NamedTuple):
    """What one process may use of limits that several share."""

    rpm: Portion
    tpm: Portion
    #: Of the least time between two requests.
    token: SendToken


class RateLimit:
    """The limits of one backend or account, and what was sent to it in the last minute."""

    __slots__ = (
        *("_elsewhere", "_last", "_requests", "_tokens"),
        *("counted_requests", "counted_tokens", "limits", "portions"),
    )

    def __init__(self, limits: RateSettings):
        self.limits = limits
        #: None where this process has the limits for itself.
        self.portions: Portions | None = None
        #: What this process counted since its start.
        self.counted_requests = self.counted_tokens = 0
        self._requests, self._tokens = _Minute(), _Minute()
        # What other processes of a team sent, which the two above count too; None before any has.
        self._elsewhere: tuple[_Minute, _Minute] | None = None
        self._last = -1e18

    def wait(self, now: float, tokens: int) -> Wait:
        """When a request of so many tokens may go."""
        limits = self.limits
        waits = [Wait(self._find_next(now), "min_interval")] if limits.interval else []
        if limits.rpm is not None:
            waits.append(Wait(self._requests.free_at(now, 1, limits.rpm), "rpm"))
        if limits.tpm is not None:
            waits.append(Wait(self._tokens.free_at(now, tokens, limits.tpm), "tpm"))
        if self.portions is not None:
            waits += self._wait_for_portions(now, tokens, self.portions)
        last = max(waits, default=Wait(now))
        return last if last.until > now else Wait(now)

    def _find_next(self, now: float) -> float:
        """When the least time since the last request is over."""
        return self._last + self.limits.interval if self.portions is None else self.portions.token.wait(now)

    def _wait_for_portions(self, now: float, tokens: int, portions: Portions) -> list[Wait]:
        limits, used = self.limits, self.used_here(now)
        waits: list[Wait] = []
        if limits.rpm is not None:
            waits.append(Wait(portions.rpm.wait(now, used["rpm"][0], 1), "rpm"))
        if limits.tpm is not None:
            need = min(tokens, max(0, limits.tpm - used["tpm"][0]))
            waits.append(Wait(portions.tpm.wait(now, used["tpm"][0], need), "tpm"))
        return waits

    def count_request(self, now: float, tokens: int) -> None:
        """Count a request that is sent, of so many tokens by estimate."""
        self._last = now
        if self.portions is not None and self.limits.interval:
            self.portions.token.use(now + self.limits.interval)
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
        """Count what another process of a team sent under the same limits."""
        if self._elsewhere is None:
            self._elsewhere = (_Minute(), _Minute())
        for limit, minutes, number in (
            (self.limits.rpm, (self._requests, self._elsewhere[0]), requests),
            (self.limits.tpm, (self._tokens, self._elsewhere[1]), tokens),
        ):
            for minute in minutes if limit is not None and number else ():
                minute.forget(now)
                minute.add(now, number)
        if self.portions is not None:
            if requests > 0:
                self.portions.rpm.release()
            if tokens > 0:
                self.portions.tpm.release()

    def used_elsewhere(self, now: float) -> dict[str, int]:
        """What processes of a team sent that have no portion here, by setting."""
        found: dict[str, int] = {}
        for name, minute in zip(("rpm", "tpm"), self._elsewhere or (), strict=False):
            minute.forget(now)
            found[name] = max(0, minute.total)
        return found

    def used_here(self, now: float) -> dict[str, tuple[int, int]]:
        """As `used`, without what other processes of a team sent."""
        found = self.used(now)
        for name, number in self.used_elsewhere(now).items():
            if name in found:
                found[name] = (max(0, found[name][0] - number), found[name][1])
        return found

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
