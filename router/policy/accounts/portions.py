"""How processes that serve one port share a limit: each holds a portion of it, and asks for more when that is used.

Rules of this file: the portions of a limit never add up to more than the limit. A process that needs more gets what is
needed and an eighth of what is left; where too little is left, the others are asked to give back what they do not use.
What a process held that has ended stays taken for as long as what it had counted would still count.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

# When a process looks again whose portion is used up, unless it hears of more before.
AGAIN_SECONDS = 0.2
_PART = 8

Key = tuple[str, str, str]


class Portion:
    """What one process may use of one limit. ask: is called with what it needs beside its portion. give: gives back
    what it does not use."""

    __slots__ = ("_ask", "_asked", "_give", "held")

    def __init__(self, ask: Callable[[int], None], give: Callable[[], None] = lambda: None):
        self.held = 0
        self._give = give
        self._ask = ask
        self._asked = -1e18

    def wait(self, now: float, used: int, need: int) -> float:
        """When so much more may be used; asks for it where the portion is too small."""
        if used + need <= self.held:
            return now
        if now - self._asked >= AGAIN_SECONDS:
            self._asked = now
            self._ask(used + need - self.held)
        return now + AGAIN_SECONDS

    def grow(self, amount: int) -> None:
        """Hold so much more."""
        self.held += amount
        self._asked = -1e18

    def release(self) -> None:
        """Give back what is not used, since less of the limit is left for the processes that have portions of it."""
        self._give()

    def give_back(self, used: int) -> int:
        """Hold no more than is used; returns what is given back."""
        spare = max(0, self.held - max(0, used))
        self.held -= spare
        return spare


class Grant(NamedTuple):
    """So much more for one process."""

    process: Hashable
    key: Key
    amount: int


class Recall(NamedTuple):
    """One process is to give back what it does not use."""

    process: Hashable
    key: Key


@dataclass(slots=True)
class _Limit:
    limit: int = 0
    held: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    #: Process -> what it still needs, in the order in which they asked.
    needs: dict[Hashable, int] = field(default_factory=dict[Hashable, int])
    #: Processes that were asked to give back and have not answered.
    recalled: set[Hashable] = field(default_factory=set[Hashable])
    #: Until when, and how much, of processes that have ended.
    left: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])

    def find_free(self, now: float) -> int:
        """What nobody holds."""
        self.left = [one for one in self.left if one[0] > now]
        return self.limit - sum(self.held.values()) - sum(amount for _, amount in self.left)


class Arbiter:
    """Who holds what, for one parent."""

    def __init__(self) -> None:
        self._limits: dict[Key, _Limit] = {}

    def ask(self, process: Hashable, key: Key, limit: int, need: int, now: float) -> list[Grant | Recall]:
        """A process needs more: what to tell which. limit: the whole, as the process knows it."""
        one = self._limits.setdefault(key, _Limit())
        one.limit = limit
        one.needs[process] = min(need, limit)
        return self._serve(one, key, now)

    def give_back(self, process: Hashable, key: Key, amount: int, now: float) -> list[Grant | Recall]:
        """A process has answered a recall."""
        one = self._limits.setdefault(key, _Limit())
        one.held[process] = max(0, one.held.get(process, 0) - amount)
        one.recalled.discard(process)
        return self._serve(one, key, now, recalls=False)

    def end(self, process: Hashable, now: float, seconds: Callable[[Key], float]) -> list[Grant | Recall]:
        """A process has ended. seconds: for how long what it used of a limit counts."""
        told: list[Grant | Recall] = []
        for key, one in self._limits.items():
            one.left.append((now + seconds(key), one.held.pop(process, 0)))
            one.needs.pop(process, None)
            one.recalled.discard(process)
            told += self._serve(one, key, now, recalls=False)
        return told

    def _serve(self, one: _Limit, key: Key, now: float, *, recalls: bool = True) -> list[Grant | Recall]:
        told: list[Grant | Recall] = []
        for process, need in [*one.needs.items()]:
            free = one.find_free(now)
            amount = min(free, need + max(0, free - need) // _PART)
            if amount > 0:
                one.held[process] = one.held.get(process, 0) + amount
                told.append(Grant(process, key, amount))
            if amount >= need or (not recalls and not one.recalled):
                # Who got too little asks again.
                del one.needs[process]
            elif recalls:
                others = [other for other, held in one.held.items() if other != process and held > 0]
                told += [Recall(other, key) for other in others if other not in one.recalled]
                one.recalled.update(others)
                one.needs[process] = need - max(0, amount)
                if not one.recalled:
                    del one.needs[process]
        return told
