"""Notifies the user of backends that no account can serve for a while, and of those that can serve again."""

import time
from collections.abc import Callable, Sequence

from router.policy.accounts.pool import Member
from router.policy.budget.guard import format_moment
from router.upstream.runtime import Runtime
from router.upstream.services import Service

#: A backend that is ready again sooner is not told of: its requests wait for so long, or are tried again.
LEAST_SECONDS = 30.0
# Accounts that a text names.
_NAMED = 3


class ParkedBackends:
    """The backends without a ready account. clock: seconds since 1970. What the guard halts is told of by itself."""

    def __init__(self, runtime: Runtime, *, clock: Callable[[], float] = time.time):
        self._runtime = runtime
        self._clock = clock
        self._parked: set[str] = set()

    def look(self) -> None:
        """Compare the accounts with what they were at the last call, and tell of changes. Never waits."""
        services = self._runtime.snapshot.services
        self._parked &= services.keys()
        for name, service in services.items():
            members = [member for member in service.pool.members if member.usable]
            if members:
                self._compare(name, service, members)
            else:
                self._parked.discard(name)

    def _compare(self, name: str, service: Service, members: Sequence[Member]) -> None:
        now, notifier = service.queue.clock(), self._runtime.notifier
        first = min(members, key=Member.until)
        left = first.until() - now
        if left <= 0 and name in self._parked:
            self._parked.discard(name)
            notifier.tell("back", name, f"fairlead: {name} can serve again: its account {first.alias} is ready.")
        elif left >= LEAST_SECONDS and name not in self._parked:
            self._parked.add(name)
            notifier.tell("parked", name, self._explain_parked(name, members, now))

    def _explain_parked(self, name: str, members: Sequence[Member], now: float) -> str:
        """Until when each account is closed, the one that is ready first before the others."""
        today = self._clock()
        ranked = sorted(members, key=Member.until)
        parts = [
            f"{one.alias} {one.state(now)} until {format_moment(today + one.until() - now, today)}"
            for one in ranked[:_NAMED]
        ]
        more = f" and {len(ranked) - _NAMED:,} more" if len(ranked) > _NAMED else ""
        return f"fairlead: no account of {name} is ready: {', '.join(parts)}{more}. See: fairlead accounts list {name}"
