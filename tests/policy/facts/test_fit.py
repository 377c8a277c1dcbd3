"""Whether a request fits a model, and which are looked at."""

import pytest

from router.policy.facts.fit import Fit, may_exceed
from router.policy.facts.model_facts import Fact

LIMIT = Fact(1000, "allocated by the server")


@pytest.mark.parametrize(("tokens", "fits"), [(999, True), (1000, True), (1001, False)])
def test_as_many_tokens_as_the_limit_fit(tokens, fits):
    """One more does not."""
    assert Fit(tokens, LIMIT).fits is fits
    assert Fit(tokens, LIMIT).most == 1000


def test_most_requests_are_not_looked_at():
    """Their bytes cannot be as many tokens as the limit, however dense the text is."""
    assert not may_exceed(1500, LIMIT)
    assert may_exceed(1501, LIMIT)
