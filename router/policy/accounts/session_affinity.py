"""Which account a session is bound to: its prompt is in that account's cache.

Bounded: a binding nobody used for IDLE_SECONDS is forgotten, and the one not used for longest of more than LIMIT.
"""

from dataclasses import dataclass

IDLE_SECONDS = 6 * 3600.0
LIMIT = 2000


@dataclass(slots=True)
class Bound:
    """A session's account, by its alias. used: when it was last asked for. turns: how often. cached: tokens of the
    last answer that were read from or written to the account's cache."""

    account: str
    used: float
    turns: int = 0
    cached: int = 0


class Bindings:
    """The sessions of one backend, the least recently used first."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, Bound] = {}

    def __len__(self) -> int:
        return len(self._known)

    def get(self, session: str, now: float) -> Bound | None:
        """The binding of a session, None for one that is not known any more."""
        binding = self._known.get(session)
        if binding is not None and now - binding.used > IDLE_SECONDS:
            del self._known[session]
            return None
        return binding

    def bind(self, session: str, account: str, now: float) -> Bound:
        """Bind a session, or use its binding once more."""
        binding = self._known.pop(session, None)
        if binding is None or binding.account != account:
            binding = Bound(account, now)
            while len(self._known) >= LIMIT:
                del self._known[next(iter(self._known))]
        binding.used = now
        binding.turns += 1
        self._known[session] = binding
        return binding

    def cached(self, session: str, tokens: int) -> None:
        """Note how much of a session's prompt its account holds."""
        binding = self._known.get(session)
        if binding is not None:
            binding.cached = tokens
