"""Counts the requests that are refused before they are looked at, and chooses the few that are recorded.

Anybody who reaches the port can send any number of them: a page that the user has open needs no key. So each costs a
count, and a bounded number a minute is recorded as other requests are: enough to find with `why` what a tool of the
user's own does wrong, whatever else comes meanwhile.
"""

from collections import Counter

#: Why a request was refused.
CROSS_SITE, HOST, NO_KEY, WRONG_KEY = "cross-site", "host", "no key", "wrong key"
METHOD, MALFORMED, PATH = "method", "malformed", "unknown path"
REASONS = (CROSS_SITE, HOST, NO_KEY, WRONG_KEY, METHOD, MALFORMED, PATH)
#: Requests of one reason and kind of client that are recorded within a minute, and of all.
EACH, ALL = 10, 60
_SECONDS = 60.0


class GateRefusals:
    """The refusals of one proxy."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._recorded: Counter[tuple[str, str]] = Counter()
        self._since = -_SECONDS

    @property
    def counts(self) -> dict[str, int]:
        """How many were refused since the start, by reason; in the order of REASONS."""
        return {reason: self._counts[reason] for reason in REASONS if self._counts[reason]}

    def count(self, reason: str, client: str, now: float) -> bool:
        """Count one; True when it is to be recorded. client: its kind, of which there are few. now: seconds, of a
        clock that does not go back."""
        self._counts[reason] += 1
        if now - self._since >= _SECONDS:
            self._since = now
            self._recorded.clear()
        key = (reason, client)
        if self._recorded.total() >= ALL or self._recorded[key] >= EACH:
            return False
        self._recorded[key] += 1
        return True
