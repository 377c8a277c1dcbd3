"""Replaces tool names and call ids that another protocol's rules would refuse.

Every replacement is a pure function of the original, so that a history translates to the same bytes every time and the
upstream's prompt cache still matches.
"""

import hashlib
import re
from collections.abc import Callable

_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CALL_ID_LIMIT = 64


class ToolNames:
    """Maps the tool names of one request to legal ones and back."""

    __slots__ = ("_original", "_sent")

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}
        self._original: dict[str, str] = {}

    def encode(self, name: str, limit: int, *, word: bool = False) -> str:
        """The name for the upstream: of legal characters, at most `limit` long, unique in the request. word: it must
        begin with a letter or an underscore."""
        known = self._sent.get(name)
        if known is not None:
            return known
        legal = _ILLEGAL.sub("_", name)
        if word and legal[:1] != "_" and not legal[:1].isalpha():
            legal = f"_{legal}"
        size = 0
        while (not size and (legal != name or len(legal) > limit)) or (legal in self._original and size < 32):
            size += 8
            legal = f"{legal[: limit - 1 - size]}_{_digest(name)[:size]}"
        self._sent[name] = legal
        self._original[legal] = name
        return legal

    def decode(self, name: str) -> str:
        """The caller's name for a name in the upstream's answer."""
        return self._original.get(name, name)


class AnswerCallIds:
    """Gives the calls of one answer ids that no other call of the conversation has.

    Callers pair calls and results by id over a whole conversation, but some upstreams number their calls anew in each
    answer, or give parallel calls one id.
    """

    __slots__ = ("_counts", "_given", "_history", "_new_id")

    def __init__(self, history: frozenset[str], new_id: Callable[[], str]):
        """history: the ids of the calls in the request. new_id: gives 24 hex digits, different ones at each call."""
        self._history = history
        self._new_id = new_id
        self._given: set[str] = set()
        # How often an id was given, by the id without its suffix.
        self._counts: dict[str, int] = {}

    def give(self, call_id: str) -> str:
        """The id for a call: the upstream's, with a suffix (`_2`, `_3` …) where another call has it; a new one for ''.
        It is the same for the same history and answer. To be called once for each call, in order."""
        found = base = call_id or f"call_{self._new_id()}"
        count = self._counts.get(base, 1)
        while self._is_taken(found):
            count += 1
            found = f"{base}_{count}"
        self._counts[base] = count
        self._given.add(found)
        return found

    def _is_taken(self, call_id: str) -> bool:
        if call_id in self._given:
            return True
        # A Messages caller's history has the ids in the form that its protocol allows.
        history = self._history
        return bool(history) and (call_id in history or to_messages_id(call_id) in history)


def to_messages_id(original: str) -> str:
    """A call's id in the form that Messages accepts: ^[A-Za-z0-9_-]+$."""
    legal = _ILLEGAL.sub("_", original)
    return legal if legal == original and legal else f"{legal or 'call'}_{_digest(original)[:6]}"


def to_chat_id(original: str, form: str) -> str:
    """A call's id in the form that a Chat upstream accepts: at most 64 characters, or exactly Mistral's nine."""
    if form == "mistral9":
        number = int(_digest(original), 16)
        digits = ""
        while len(digits) < 9:
            number, rest = divmod(number, 62)
            digits += _DIGITS[rest]
        return digits
    return original if len(original) <= CALL_ID_LIMIT else f"call_{_digest(original)[:24]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
