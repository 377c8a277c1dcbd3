"""Counts for /metrics: a few additions a request, some requests at a time, and a bounded number of label sets."""

from collections import Counter
from collections.abc import Iterable, Sequence

from router.store.history import histogram as buckets
from router.store.history.entry import Entry
from router.wire import calls

#: Label sets (operation, provider, model); the names of models are the callers'. What is too many is OTHER.
LIMIT = 200
OTHER = "(other)"
#: Where buckets of token counts end: OpenTelemetry's advice for gen_ai.client.token.usage.
SIZES = tuple(4**power for power in range(14))


class Sizes:
    """A histogram of token counts."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SIZES) + 1)
        self.sum = 0

    def add(self, told: Iterable[int | None]) -> None:
        """Count these, but for those that nobody knows."""
        known = [tokens for tokens in told if tokens is not None]
        self.sum += sum(known)
        for bits, count in Counter([(tokens - 1).bit_length() if tokens else 0 for tokens in known]).items():
            # 4^n has bit 2n set: the first bucket that ends at or above the count.
            self.counts[min((bits + 1) // 2, len(SIZES))] += count


class Times:
    """A histogram of durations. held: by bucket of history_buckets; sum: seconds."""

    __slots__ = ("held", "sum")

    def __init__(self) -> None:
        self.held = [0] * buckets.COUNT
        self.sum = 0.0

    def add(self, durations: Iterable[float | None]) -> None:
        """Count these, but for those that are None."""
        known = [seconds for seconds in durations if seconds is not None]
        self.sum += sum(known)
        for number, count in buckets.counted([seconds * 1e6 for seconds in known]).items():
            self.held[number] += count


class Counts:
    """What is counted of one label set. tokens: by type of token. errors: by error class; '' is none."""

    __slots__ = ("durations", "first", "tokens")

    def __init__(self) -> None:
        self.tokens: dict[str, Sizes] = {}
        self.durations: dict[str, Times] = {}
        self.first = Times()

    def add(self, kind: str, told: Sequence[int | None]) -> None:
        """Count the tokens of one type."""
        sizes = self.tokens.get(kind)
        if sizes is None:
            if not any(tokens is not None for tokens in told):
                return
            sizes = self.tokens[kind] = Sizes()
        sizes.add(told)


class Counters:
    """All label sets since the proxy was started."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str, str], Counts] = {}

    def count(self, entries: Iterable[Entry]) -> None:
        """Count these requests."""
        groups: dict[tuple[str, str, str, str], list[Entry]] = {}
        for entry in entries:
            key = (entry.path, entry.backend, entry.served or entry.model, entry.error)
            groups.setdefault(key, []).append(entry)
        for (path, backend, model, error), found in groups.items():
            labels = (calls.operation(path), backend, model)
            counts = self.sets.get(labels) or self._new(labels)
            times = counts.durations.get(error) or counts.durations.setdefault(error, Times())
            times.add([entry.total for entry in found])
            counts.first.add([entry.first_byte for entry in found])
            counts.add("input", [entry.tokens_in for entry in found])
            counts.add("output", [entry.tokens_out for entry in found])
            counts.add("cache_read", [entry.cache_read for entry in found])
            counts.add("cache_write", [entry.cache_write for entry in found])

    def _new(self, key: tuple[str, str, str]) -> Counts:
        if len(self.sets) >= LIMIT or not key[1]:
            # A model nobody serves is no label: anybody could make up any number of them.
            key = (key[0], key[1], OTHER if key[1] else "")
        return self.sets.setdefault(key, Counts())
