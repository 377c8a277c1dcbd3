"""Gives the calls of one answer ids that no other call of the conversation has.

Callers pair calls and results by id over a whole conversation, but some upstreams number their calls anew in each
answer, or give parallel calls one id.
"""

from router.wire.neutral.context import Context
from router.wire.neutral.identifiers import to_messages_id


class AnswerCallIds:
    """The ids of one answer's calls."""

    __slots__ = ("_counts", "_ctx", "_given")

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._given: set[str] = set()
        # How often an id was given, by the id without its suffix.
        self._counts: dict[str, int] = {}

    def give(self, call_id: str) -> str:
        """The id for a call: the upstream's, with a suffix (`_2`, `_3` …) where another call has it; a new one for ''.
        It is the same for the same history and answer. To be called once for each call, in order."""
        found = base = call_id or f"call_{self._ctx.new_id()}"
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
        history = self._ctx.call_ids
        return bool(history) and (call_id in history or to_messages_id(call_id) in history)
