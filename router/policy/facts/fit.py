"""How a request compares with the limit of a model."""

from typing import NamedTuple

from router.policy.facts.model_facts import Fact
from router.policy.facts.token_estimates import LEAST_BYTES_PER_TOKEN


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
    return isinstance(limit.value, int) and size > limit.value * LEAST_BYTES_PER_TOKEN
