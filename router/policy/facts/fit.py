"""Judges whether a request fits a model, by the least number of tokens that it can have.

The estimate errs to the small side on purpose: a request that is refused for a wrong estimate cannot be sent at all,
and its client throws a part of the conversation away; one that is sent in vain costs a moment.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from router.policy.facts.model_facts import Fact
from router.wire.raw import scan

#: The most bytes that a token stands for, of texts and code in JSON: coding agents' requests have 4.8 to 5.1.
MOST_BYTES_PER_TOKEN = 6
#: Tokens that are counted for each run of base64: of an image, a file, or a signature.
_RUN_TOKENS = 200
# Runs of base64 or hex, whose tokens say nothing of what they cost. Possessive: each character is looked at once.
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_-]++")
_LEAST_ENCODED = 400
# Runs of one character, such as indentation, of which a token holds many.
_REPEATED = re.compile(rb"([^A-Za-z0-9])\1{7,63}+")
# Characters of the longest run that is found at once.
_LONGEST_REPEATED = 64
_ESCAPE = b"\\u"
#: Bytes of an escape such as \\u0431 beyond the two that its character has.
_ESCAPE_BYTES = 4


class Fit(NamedTuple):
    """How a request compares with a model's limit."""

    #: The least number of tokens that it has.
    tokens: int
    limit: Fact

    @property
    def fits(self) -> bool:
        """False when it certainly does not fit."""
        return not isinstance(self.limit.value, int) or self.tokens <= self.limit.value

    @property
    def most(self) -> int:
        """The limit, in tokens."""
        return self.limit.value if isinstance(self.limit.value, int) else self.tokens


def _iter_encoded(body: bytes | bytearray) -> Iterator[int]:
    """The lengths of the runs that may be base64 or hex, found in calls of bounded size."""
    open_run = 0  # of a run that reaches the end of the step before
    for at in range(0, len(body), scan.STEP):
        stop = min(at + scan.STEP, len(body))
        if open_run and _ENCODED.match(body, at, at + 1) is None:
            yield open_run
            open_run = 0
        for found in _ENCODED.finditer(body, at, stop):
            length = found.end() - found.start()
            if found.start() == at:
                length += open_run
            open_run = length if found.end() == stop else 0
            if not open_run:
                yield length
    if open_run:
        yield open_run


def may_exceed(size: int, limit: Fact) -> bool:
    """False when a body of so many bytes is no reason to look closer. Cheap enough for each request."""
    return isinstance(limit.value, int) and size > limit.value * MOST_BYTES_PER_TOKEN


def estimate_least(body: bytes | bytearray) -> int:
    """The least number of tokens that a request can have. Time grows with its size."""
    size = len(body)
    runs = 0
    for length in _iter_encoded(body):
        if length >= _LEAST_ENCODED:
            size -= length
            runs += 1
    size -= scan.count(body, _ESCAPE) * _ESCAPE_BYTES
    for at in range(0, len(body), scan.STEP):
        size -= sum(found.end() - found.start() - 1 for found in _REPEATED.finditer(body, at, at + scan.STEP))
    # A run across the end of a step may not be found.
    size -= len(body) // scan.STEP * _LONGEST_REPEATED
    return max(0, size) // MOST_BYTES_PER_TOKEN + runs * _RUN_TOKENS
