"""Which account a session is bound to: its prompt is in that account's cache.

Bounded: a binding that was not used for IDLE_SECONDS is forgotten, and of more than LIMIT the one not used for longest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

IDLE_SECONDS = 6 * 3600.0
LIMIT = 2000


@dataclass(slots=True)
class SessionBinding:
    """The account of a session."""

    #: Its alias.
    account: str
    #: When it was last asked for.
    used: float
    #: How often it was asked for.
    turns: int = 0
    #: Tokens of the last answer that were read from or written to the account's cache.
    cached: int = 0


class SessionAffinity:
    """The sessions of one backend, the least recently used first."""

    __slots__ = ("_bindings", "find_elsewhere", "on_bound")

    def __init__(self, find_elsewhere: Callable[[str], str] | None = None) -> None:
        """find_elsewhere: the account that another process bound a session to, '' for none; None where there are no
        others."""
        #: Called with a session, its account and the one before, '' for none, when it is bound to another one.
        self.on_bound: Callable[[str, str, str], None] | None = None
        self._bindings: dict[str, SessionBinding] = {}
        self.find_elsewhere = find_elsewhere

    def __len__(self) -> int:
        return len(self._bindings)

    def get(self, session: str, now: float) -> SessionBinding | None:
        """The binding of a session; None for one that was forgotten, or never bound."""
        binding = self._bindings.get(session)
        if binding is not None and now - binding.used > IDLE_SECONDS:
            del self._bindings[session]
            binding = None
        if binding is None and self.find_elsewhere is not None and (account := self.find_elsewhere(session)):
            binding = self._begin(session, account, now)
        return binding

    def bind(self, session: str, account: str, now: float) -> SessionBinding:
        """Bind a session, or use its binding once more."""
        binding = self._bindings.pop(session, None)
        if binding is None or binding.account != account:
            if self.on_bound is not None:
                self.on_bound(session, account, "" if binding is None else binding.account)
            binding = self._begin(session, account, now)
        binding.used = now
        binding.turns += 1
        self._bindings[session] = binding
        return binding

    def _begin(self, session: str, account: str, now: float) -> SessionBinding:
        while len(self._bindings) >= LIMIT:
            del self._bindings[next(iter(self._bindings))]
        binding = self._bindings[session] = SessionBinding(account, now)
        return binding

    def list_used(self, since: float) -> Iterator[tuple[str, SessionBinding]]:
        """The sessions that were asked for since a moment, the latest first."""
        for session in reversed(self._bindings):
            binding = self._bindings[session]
            if binding.used < since:
                return
            yield session, binding

    def adopt(self, session: str, account: str) -> None:
        """Bind a session that has a binding to the account that another process moved it to."""
        binding = self._bindings.get(session)
        if binding is not None and binding.account != account:
            self._bindings[session] = SessionBinding(account, binding.used, binding.turns)

    def take_over(self, session: str, account: str, now: float) -> None:
        """Bind a session as another process has bound it."""
        binding = self._bindings.pop(session, None)
        if binding is None or binding.account != account:
            binding = self._begin(session, account, now)
        binding.used = now
        self._bindings[session] = binding

    def account_of(self, session: str) -> str:
        """The account of a session, '' for none."""
        binding = self._bindings.get(session)
        return "" if binding is None else binding.account

    def list_accounts(self) -> list[tuple[str, str]]:
        """All sessions with their accounts, the least recently used first."""
        return [(session, binding.account) for session, binding in self._bindings.items()]

    def restore(self, session: str, binding: SessionBinding) -> None:
        """Bind a session as before, since no other account served it."""
        if session in self._bindings:
            self._bindings[session] = binding

    def note_cached(self, session: str, tokens: int) -> None:
        """Note how much of a session's prompt its account holds."""
        binding = self._bindings.get(session)
        if binding is not None:
            binding.cached = tokens
