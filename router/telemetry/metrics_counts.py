"""Counts for /metrics: some requests are added at a time, and the number of label sets is bounded."""

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from router.store.history import histogram as buckets
from router.store.history.columns import COLUMNS
from router.store.history.entry import HistoryEntry
from router.wire import calls

#: The most label sets (operation, provider, model), as callers choose the names of models; further models are counted
#: together as OTHER.
LIMIT = 200
OTHER = "(other)"
# Type of token, and the function that gets its count from an entry.
_TOKENS = [(column.metric, attrgetter(column.field)) for column in COLUMNS if column.metric]
#: Where buckets of token counts end, as OpenTelemetry recommends for gen_ai.client.token.usage.
TOKEN_EDGES = tuple(4**power for power in range(14))


class TokenHistogram:
    """A histogram of token counts."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        #: How many counts are in the bucket that ends at each of TOKEN_EDGES, and how many are above the last.
        self.counts = [0] * (len(TOKEN_EDGES) + 1)
        self.sum = 0

    def add(self, counts: Iterable[int | None]) -> None:
        """Count these, except those that are unknown (None)."""
        known = [tokens for tokens in counts if tokens is not None]
        self.sum += sum(known)
        for bits, count in Counter([(tokens - 1).bit_length() if tokens else 0 for tokens in known]).items():
            # 4^n has bit 2n set: the first bucket that ends at or above the count.
            self.counts[min((bits + 1) // 2, len(TOKEN_EDGES))] += count


class DurationHistogram:
    """A histogram of durations, in seconds."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        #: How many durations are in each bucket of store/history/histogram.py.
        self.counts = [0] * buckets.COUNT
        self.sum = 0.0

    def add(self, durations: Iterable[float | None]) -> None:
        """Count these, except those that are None."""
        known = [seconds for seconds in durations if seconds is not None]
        self.sum += sum(known)
        for number, count in buckets.count_buckets([seconds * 1e6 for seconds in known]).items():
            self.counts[number] += count


class LabelCounts:
    """The counts of one label set."""

    __slots__ = ("durations", "first", "tokens")

    def __init__(self) -> None:
        #: By type of token.
        self.tokens: dict[str, TokenHistogram] = {}
        #: By class of error; '' for requests without one.
        self.durations: dict[str, DurationHistogram] = {}
        #: Times to the first byte.
        self.first = DurationHistogram()

    def add(self, kind: str, counts: Sequence[int | None]) -> None:
        """Count the tokens of one type."""
        histogram = self.tokens.get(kind)
        if histogram is None:
            if not any(tokens is not None for tokens in counts):
                return
            histogram = self.tokens[kind] = TokenHistogram()
        histogram.add(counts)


class Counters:
    """All label sets since the proxy was started."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str, str], LabelCounts] = {}
        #: Tokens that caches should have had and did not, by why.
        self.cache_lost: Counter[str] = Counter()
        #: Requests that the cache of answers was asked for, by what it gave, and what it saved, in billionths of a US
        #: dollar.
        self.answer_cache: Counter[str] = Counter()
        self.saved_cost = 0

    def count(self, entries: Iterable[HistoryEntry]) -> None:
        """Count these requests."""
        groups: dict[tuple[str, str, str, str], list[HistoryEntry]] = {}
        for entry in entries:
            key = (entry.path, entry.backend, entry.served_model, entry.error)
            groups.setdefault(key, []).append(entry)
            if entry.cache_reason is not None:
                self.cache_lost[entry.cache_reason] += entry.cache_lost or 0
            if entry.answer_cache is not None:
                self.answer_cache[entry.answer_cache] += 1
                self.saved_cost += entry.saved_cost or 0
        for (path, backend, model, error), found in groups.items():
            labels = (calls.operation(path), backend, model)
            counts = self.sets.get(labels) or self._add_set(labels)
            times = counts.durations.get(error) or counts.durations.setdefault(error, DurationHistogram())
            times.add([entry.total for entry in found])
            counts.first.add([entry.first_byte for entry in found])
            for kind, tokens_of in _TOKENS:
                counts.add(kind, [*map(tokens_of, found)])

    def _add_set(self, key: tuple[str, str, str]) -> LabelCounts:
        if len(self.sets) >= LIMIT or not key[1]:
            # The name of a model that no backend serves is no label, since callers may send any number of such names.
            key = (key[0], key[1], OTHER if key[1] else "")
        return self.sets.setdefault(key, LabelCounts())
