"""Pairs the function calls of a Gemini request with their responses, where the caller gave them no ids."""

import hashlib
from collections import defaultdict, deque
from dataclasses import dataclass

from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json


@dataclass(slots=True)
class _Call:
    id: str
    answered: bool = False


class CallIds:
    """The calls of the last answer in the history, and which of them have a response."""

    def __init__(self) -> None:
        # Queues of calls by what they are found by: an id, a name, a name among those without a given id, anything.
        self._waiting: defaultdict[tuple[str, str], deque[_Call]] = defaultdict(deque)

    def begin_answer(self) -> None:
        """Responses that follow belong to the calls of the answer that begins."""
        self._waiting.clear()

    def add_call(self, given: str, name: str, args: Json, place: tuple[int, int]) -> str:
        """The id of a call: the caller's, else one made from what stands there, so that it is the same in the next
        request. place: the ordinals of the content of the model and of the part."""
        call = _Call(given or _make_id(name, args, place))
        for key in (("id", given) if given else ("unnamed", name), ("name", name), ("", "")):
            self._waiting[key].append(call)
        return call.id

    def find_call(self, given: str, name: str) -> str:
        """The id of the call that a response answers; the given one, which may be '', where it answers none.

        A response without an id, and one with an id where the call had none, belongs to the first open call of its
        name; one without an id, failing that, to the first call of any name.
        """
        keys = (("id", given), ("unnamed", name)) if given else (("name", name), ("", ""))
        for key in keys:
            queue = self._waiting.get(key)
            while queue:
                call = queue.popleft()
                if not call.answered:
                    call.answered = True
                    return call.id
        return given


def _make_id(name: str, args: Json, place: tuple[int, int]) -> str:
    said = json_values.encode_json([*place, name, args])
    return f"call_{hashlib.sha256(said.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"
