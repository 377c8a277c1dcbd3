"""Which account issued which turn state: a token that Codex repeats within one turn. Bounded, and not kept on disk: one
that is not known is left out, which costs no more than a cache miss."""

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: The most tokens that are known; each serves for one turn.
ENTRIES = 4096


class Issued(NamedTuple):
    """A token, as its hash, and the account that issued it."""

    key: bytes
    backend: str
    account: str


class TurnStates:
    """The most recent turn states. Only their hashes are held: whoever has one could take part in the turn."""

    def __init__(self, entries: int = ENTRIES):
        #: Is told of each that is remembered here, for the other processes of the port.
        self.on_remembered: Callable[[Issued], None] | None = None
        self._issuers: OrderedDict[bytes, tuple[str, str]] = OrderedDict()
        self._entries = entries

    def remember(self, state: bytes, backend: str, account: str) -> None:
        """Remember the account that issued a token."""
        issued = Issued(_hash(state), backend, account)
        known = self._issuers.get(issued.key)
        self.learn(issued)
        if self.on_remembered is not None and known != (backend, account):
            self.on_remembered(issued)

    def learn(self, issued: Issued) -> None:
        """Remember what another process does."""
        self._issuers[issued.key] = issued.backend, issued.account
        self._issuers.move_to_end(issued.key)
        if len(self._issuers) > self._entries:
            self._issuers.popitem(last=False)

    def list_issued(self) -> list[Issued]:
        """All of them, the oldest first."""
        return [Issued(key, *issuer) for key, issuer in self._issuers.items()]

    def is_issued_by(self, state: bytes, backend: str, account: str) -> bool:
        """True for a token of this account."""
        return self._issuers.get(_hash(state)) == (backend, account)


def _hash(state: bytes) -> bytes:
    return hashlib.sha256(state).digest()
