"""Remembers the searches that a model asked for together with the client's own tools.

The client gets its calls at once and comes back with their results. By the id of one of these calls the searches and
what they found are put back into the conversation, which a model may not leave unanswered. The memory is bounded, and
without it a conversation only lacks these searches.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from router.ir import Text, ToolCall, ToolResult, Turn
from router.wire.raw.json import json_values

ENTRIES, BYTES = 256, 8 << 20
_OVERHEAD = 400


class _Searches(NamedTuple):
    calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    size: int


class SearchMemory:
    """The last searches, by the id of a client's call beside them."""

    def __init__(self, entries: int = ENTRIES, size: int = BYTES):
        self._entries: OrderedDict[str, _Searches] = OrderedDict()
        self._most = entries
        self._room = size

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, name: str, others: Sequence[str], queries: Mapping[str, str], texts: Mapping[str, str]) -> None:
        """Remember searches. name: of their tool. others: the client's calls beside them. queries, texts: by the id of
        each search, what was searched for and found."""
        calls = tuple(ToolCall(one, name, json_values.encode_json({"query": query})) for one, query in queries.items())
        results = tuple(ToolResult(one, (Text(texts[one]),)) for one in queries)
        size = _OVERHEAD + sum(len(text.encode()) for text in (*queries.values(), *texts.values()))
        self._drop(others[0])
        self._entries[others[0]] = _Searches(calls, results, size)
        self._room -= size
        while self._entries and (len(self._entries) > self._most or self._room < 0):
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        found = self._entries.pop(key, None)
        self._room += 0 if found is None else found.size

    def recall(self, turns: Sequence[Turn]) -> tuple[Turn, ...]:
        """The turns with the searches that belong to them."""
        if not self._entries:
            return tuple(turns)
        made = list(turns)
        for at, turn in enumerate(turns[:-1]):
            found = self._find(turn) if turn.role == "assistant" else None
            follows = made[at + 1]
            if found is None or not any(type(block) is ToolResult for block in follows.blocks):
                continue
            made[at] = Turn(turn.role, (*turn.blocks, *found.calls), turn.path)
            made[at + 1] = Turn(follows.role, (*found.results, *follows.blocks), follows.path)
        return tuple(made)

    def _find(self, turn: Turn) -> _Searches | None:
        for block in turn.blocks:
            if type(block) is ToolCall and (found := self._entries.get(block.id)) is not None:
                # Large requests are translated in a thread, and the entry may be evicted meanwhile.
                with suppress(KeyError):
                    self._entries.move_to_end(block.id)
                return found
        return None
