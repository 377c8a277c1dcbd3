"""How processes that serve one port keep the least time between two requests: one of them holds the token to send.

Rules of this file: who holds the token sends once its time has come, and keeps it until another process asks for it;
then it sends one request more that waits already, if any, and passes the token on with the time of the next. So the
time between two requests is exact over all processes, each comes in turn, and one that is alone asks nobody.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from router.policy.accounts.portions import AGAIN_SECONDS, Key


class SendToken:
    """The token of one limit, as one process sees it. ask: asks the parent for it. pass_on: gives it back to the
    parent, with when the next request may go."""

    __slots__ = ("_ask", "_asked", "_held", "_next", "_pass_on", "_recalled", "_unused")

    def __init__(self, ask: Callable[[], None], pass_on: Callable[[float], None]):
        self._ask = ask
        self._pass_on = pass_on
        self._asked = -1e18
        self._held = self._unused = self._recalled = False
        self._next = 0.0

    def wait(self, now: float) -> float:
        """When a request may go; asks for the token where it is elsewhere."""
        if self._recalled and now > self._next + AGAIN_SECONDS:
            # Another limit keeps this process from using it.
            self._return()
        if self._held:
            return max(now, self._next)
        if now - self._asked >= AGAIN_SECONDS:
            self._asked = now
            self._ask()
        return now + AGAIN_SECONDS

    def use(self, following: float) -> None:
        """A request goes. following: when the next one may."""
        self._next, self._unused = following, False
        if self._recalled:
            self._return()

    def take(self, following: float) -> None:
        """Hold the token from now on."""
        self._held = self._unused = True
        self._recalled = False
        self._next = following

    def recall(self, *, waiting: bool) -> None:
        """Another process asks for it. waiting: whether a request waits here."""
        if self._held and waiting and self._unused:
            self._recalled = True
        elif self._held:
            self._return()

    def _return(self) -> None:
        self._held = self._recalled = False
        self._asked = -1e18
        self._pass_on(self._next)


class Handed(NamedTuple):
    """A process gets a token. following: when a request may go."""

    process: Hashable
    key: Key
    following: float


class Wanted(NamedTuple):
    """A process is to pass a token on."""

    process: Hashable
    key: Key


@dataclass(slots=True)
class _Token:
    holder: Hashable | None = None
    following: float = 0.0
    interval: float = 0.0
    #: Those that asked, in this order.
    asking: list[Hashable] = field(default_factory=list[Hashable])


class TokenArbiter:
    """Who holds which token, for one parent."""

    def __init__(self) -> None:
        self._tokens: dict[Key, _Token] = {}

    def ask(self, process: Hashable, key: Key, interval: float) -> list[Handed | Wanted]:
        """A process wants a token: what to tell which. interval: the least seconds between two requests."""
        one = self._tokens.setdefault(key, _Token())
        one.interval = interval
        if process == one.holder or process in one.asking:
            return []
        one.asking.append(process)
        if one.holder is None:
            return self._hand(one, key)
        # Of several that ask the first one has had the holder told.
        return [Wanted(one.holder, key)] if len(one.asking) == 1 else []

    def give_back(self, process: Hashable, key: Key, following: float) -> list[Handed | Wanted]:
        """A process passes a token on."""
        one = self._tokens.setdefault(key, _Token())
        if process != one.holder:
            return []
        one.holder, one.following = None, following
        return self._hand(one, key)

    def end(self, process: Hashable, now: float) -> list[Handed | Wanted]:
        """A process has ended: it may have sent a request just now."""
        told: list[Handed | Wanted] = []
        for key, one in self._tokens.items():
            if process in one.asking:
                one.asking.remove(process)
            if process == one.holder:
                one.holder, one.following = None, now + one.interval
                told += self._hand(one, key)
        return told

    def _hand(self, one: _Token, key: Key) -> list[Handed | Wanted]:
        if not one.asking:
            return []
        one.holder = one.asking.pop(0)
        told: list[Handed | Wanted] = [Handed(one.holder, key, one.following)]
        return [*told, Wanted(one.holder, key)] if one.asking else told
