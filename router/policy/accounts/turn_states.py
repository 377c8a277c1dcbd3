"""Which account issued which turn state: a token that Codex repeats within one turn. Bounded, and not kept on disk: one
that is not known is left out, which costs no more than a cache miss."""

import hashlib
from collections import OrderedDict

#: The most tokens that are known; each serves for one turn.
ENTRIES = 4096


class TurnStates:
    """The most recent turn states. Only their hashes are held: whoever has one could take part in the turn."""

    def __init__(self, entries: int = ENTRIES):
        self._issuers: OrderedDict[bytes, tuple[str, str]] = OrderedDict()
        self._entries = entries

    def remember(self, state: bytes, backend: str, account: str) -> None:
        """Remember the account that issued a token."""
        key = _hash(state)
        self._issuers[key] = backend, account
        self._issuers.move_to_end(key)
        if len(self._issuers) > self._entries:
            self._issuers.popitem(last=False)

    def is_issued_by(self, state: bytes, backend: str, account: str) -> bool:
        """True for a token of this account."""
        return self._issuers.get(_hash(state)) == (backend, account)


def _hash(state: bytes) -> bytes:
    return hashlib.sha256(state).digest()
