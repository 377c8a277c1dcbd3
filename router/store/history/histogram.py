"""Histograms of durations in logarithmic buckets, each in one integer, so that adding two is one addition.

Bucket 0 ends at LEAST microseconds, each further one at 2^(1/4) times the end of the one before; the last has no end.
Every fourth end is 10 ms times a power of two, which is where the metrics' buckets end. A bucket is LANE bits wide,
the first at the low end: it can count four thousand million durations before it overflows into the next. A quantile of
a histogram is within 9 % of the true one.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial

# 10 ms / 2^10.
LEAST = 9.765625
LANE = 32
COUNT = 128
_MASK = (1 << LANE) - 1
# The last bucket has no end. Each end is a little higher than computed, since floats are not exact.
_ENDS = tuple(LEAST * 2 ** (number / 4) * (1 + 1e-9) for number in range(COUNT - 1))


#: The number of the bucket that a duration in microseconds falls into.
bucket_of: Callable[[float], int] = partial(bisect_left, _ENDS)


def count_buckets(microseconds: Iterable[float]) -> Counter[int]:
    """Count these durations by the number of their bucket."""
    return Counter(map(bucket_of, microseconds))


def build_histogram(microseconds: Iterable[float]) -> int:
    """Build the histogram of these durations."""
    return sum(count << (LANE * number) for number, count in count_buckets(microseconds).items())


def bucket_end(number: int) -> float:
    """Return where a bucket ends, in microseconds."""
    return LEAST * 2 ** (number / 4)


def pack(histogram: int) -> bytes:
    """Make the stored bytes of a histogram, without the empty buckets at its high end."""
    return histogram.to_bytes((histogram.bit_length() + 7) // 8, "little")


def unpack(stored: bytes) -> int:
    """Read a histogram from its stored bytes."""
    return int.from_bytes(stored, "little")


def list_counts(histogram: int) -> list[int]:
    """List how many durations each bucket holds."""
    return [histogram >> (LANE * number) & _MASK for number in range(COUNT)]


def quantile(histogram: int, share: float) -> float | None:
    """Estimate the duration in microseconds that this share of all does not exceed; None when there are none."""
    counts = list_counts(histogram)
    total = sum(counts)
    if total == 0:
        return None
    rank = share * (total - 1)
    before = 0
    for number, count in enumerate(counts):
        if count and rank < before + count:
            # Evenly spread within the bucket, on its logarithmic scale.
            inside = (rank - before + 0.5) / count
            return bucket_end(number) * 2 ** ((inside - 1) / 4)
        before += count
    return bucket_end(COUNT - 1)
