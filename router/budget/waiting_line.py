"""The requests that wait for room in a budget, in the order in which they came.

Rules of this file: a request stands in the line of each budget that had no room for it, and stays there until it goes.
It goes before all that came later and need one of these budgets, whether those would fit or not: else small requests
would keep a large one waiting for ever. Budgets that it never lacked are not held up. As each line is in the order of
arrival, whoever waits longest is the first in all of its lines, so that no two wait for each other.
"""

import bisect
import itertools
from collections.abc import Callable, Collection, Iterable
from operator import attrgetter

import trio

from router.policy.budget.reservations import Estimate, Need

_number = attrgetter("number")


class Waiter:
    """A request in the line. since: when it came, seconds since 1970."""

    __slots__ = ("estimate", "keys", "number", "since", "woken")

    def __init__(self, number: int, since: float, estimate: Estimate):
        self.number = number
        self.since = since
        #: What it is expected to use.
        self.estimate = estimate
        #: The budgets in whose lines it stands.
        self.keys: set[str] = set()
        #: Set when it may have room.
        self.woken = trio.Event()

    def wake(self) -> None:
        """Have it look again."""
        self.woken.set()


class WaitingLine:
    """The lines of all budgets of a process."""

    def __init__(self) -> None:
        self._lines: dict[str, list[Waiter]] = {}
        self._numbers = itertools.count()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def enter(self, since: float, estimate: Estimate) -> Waiter:
        """A place for a request that came now; it stands in no line yet."""
        return Waiter(next(self._numbers), since, estimate)

    def stand(self, waiter: Waiter, keys: Iterable[str]) -> None:
        """Have it stand in the lines of these budgets."""
        for key in keys:
            if key not in waiter.keys:
                waiter.keys.add(key)
                bisect.insort(self._lines.setdefault(key, []), waiter, key=_number)

    def leave(self, waiter: Waiter) -> None:
        """Give up its place; the ones behind it look again."""
        for key in waiter.keys:
            line = self._lines[key]
            line.remove(waiter)
            if line:
                line[0].wake()
            else:
                del self._lines[key]
        waiter.keys = set()

    def blocking(self, waiter: Waiter | None, keys: Collection[str]) -> list[str]:
        """Of these budgets, those in which another request goes first. waiter: None for one that has just come."""
        if not self._lines:
            return []
        number = None if waiter is None else waiter.number
        return [key for key in keys if (line := self._lines.get(key)) and (number is None or line[0].number < number)]

    def wake_first(self) -> None:
        """Have the first of each line look again."""
        for line in self._lines.values():
            line[0].wake()

    def wake_ready(self, has_room: Callable[[Estimate], bool]) -> None:
        """Have the first of each line look again, if there is room for it."""
        for line in self._lines.values():
            if has_room(line[0].estimate):
                line[0].wake()

    def wake_all(self) -> None:
        """Have all look again."""
        for line in self._lines.values():
            for waiter in line:
                waiter.wake()

    def needs(self) -> dict[str, Need]:
        """What the first of each line needs, by the key of the budget."""
        return {
            key: Need(line[0].estimate.amounts[key], line[0].since)
            for key, line in self._lines.items()
            if key in line[0].estimate.amounts
        }
