"""Counts for /metrics, kept on the request path: a few additions a request, and a bounded number of label sets."""

from router.store import history_buckets as buckets
from router.store.history import Entry

#: Label sets (operation, provider, model); the names of models are the callers'. What is too many is OTHER.
LIMIT = 200
OTHER = "(other)"
_OPERATIONS = {
    "/v1/messages": "chat",
    "/v1/chat/completions": "chat",
    "/v1/responses": "chat",
    "/v1/completions": "text_completion",
    "/v1/embeddings": "embeddings",
}
#: Where buckets of token counts end: OpenTelemetry's advice for gen_ai.client.token.usage.
SIZES = tuple(4**power for power in range(14))


class Sizes:
    """A histogram of token counts."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(SIZES) + 1)
        self.sum = 0

    def add(self, tokens: int) -> None:
        """Count one."""
        # 4^n has bit 2n set: the first bucket that ends at or above the count.
        self.counts[min((max(tokens - 1, 0).bit_length() + 1) // 2, len(SIZES))] += 1
        self.sum += tokens


class Times:
    """A histogram of durations. held: by bucket of history_buckets; sum: seconds."""

    __slots__ = ("held", "sum")

    def __init__(self) -> None:
        self.held = [0] * buckets.COUNT
        self.sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.held[buckets.bucket(seconds * 1e6)] += 1
        self.sum += seconds


class Counts:
    """What is counted of one label set. tokens: by type of token. errors: by error class; '' is none."""

    __slots__ = ("durations", "first", "tokens")

    def __init__(self) -> None:
        self.tokens: dict[str, Sizes] = {}
        self.durations: dict[str, Times] = {}
        self.first = Times()

    def add(self, kind: str, tokens: int) -> None:
        """Count the tokens of one type."""
        sizes = self.tokens.get(kind)
        if sizes is None:
            sizes = self.tokens[kind] = Sizes()
        sizes.add(tokens)


class Counters:
    """All label sets since the proxy was started."""

    def __init__(self) -> None:
        self.sets: dict[tuple[str, str, str], Counts] = {}

    def count(self, entry: Entry) -> None:
        """Count one request."""
        key = (_OPERATIONS.get(entry.path, "other"), entry.backend, entry.served or entry.model)
        counts = self.sets.get(key) or self._new(key)
        (counts.durations.get(entry.error) or counts.durations.setdefault(entry.error, Times())).add(entry.total)
        if entry.first_byte is not None:
            counts.first.add(entry.first_byte)
        if entry.tokens_in is not None:
            counts.add("input", entry.tokens_in)
        if entry.tokens_out is not None:
            counts.add("output", entry.tokens_out)
        if entry.cache_read is not None:
            counts.add("cache_read", entry.cache_read)
        if entry.cache_write is not None:
            counts.add("cache_write", entry.cache_write)

    def _new(self, key: tuple[str, str, str]) -> Counts:
        if len(self.sets) >= LIMIT or not key[1]:
            # A model nobody serves is no label: anybody could make up any number of them.
            key = (key[0], key[1], OTHER if key[1] else "")
        return self.sets.setdefault(key, Counts())
