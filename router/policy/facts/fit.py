"""Judges whether a request fits a model, by the least number of tokens that it can have.

The estimate errs to the small side on purpose: a request that is refused for a wrong estimate cannot be sent at all,
and its client throws a part of the conversation away; one that is sent in vain costs a moment.
"""

import re
from typing import NamedTuple

from router.policy.facts.model_facts import Fact

#: The most bytes that a token stands for, of texts and code in JSON: coding agents' requests have 4.8 to 5.1.
MOST_BYTES_PER_TOKEN = 6
#: Tokens that are counted for each run of base64: of an image, a file, or a signature.
_RUN_TOKENS = 200
# Runs of base64 or hex, whose tokens say nothing of what they cost. Possessive: each character is looked at once.
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_-]++")
_LEAST_ENCODED = 400
# Runs of one character, such as indentation, of which a token holds many.
_REPEATED = re.compile(rb"([^A-Za-z0-9])\1{7,63}+")
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


def may_exceed(size: int, limit: Fact) -> bool:
    """False when a body of so many bytes is no reason to look closer. Cheap enough for each request."""
    return isinstance(limit.value, int) and size > limit.value * MOST_BYTES_PER_TOKEN


def estimate_least(body: bytes | bytearray) -> int:
    """The least number of tokens that a request can have. Time grows with its size."""
    size = len(body)
    runs = 0
    for found in _ENCODED.finditer(body):
        length = found.end() - found.start()
        if length >= _LEAST_ENCODED:
            size -= length
            runs += 1
    size -= body.count(_ESCAPE) * _ESCAPE_BYTES
    size -= sum(found.end() - found.start() - 1 for found in _REPEATED.finditer(body))
    return max(0, size) // MOST_BYTES_PER_TOKEN + runs * _RUN_TOKENS
