"""The cost of requests: one without a price is still recorded."""

import sys

from router.settings import Settings
from router.store.history.entry import HistoryEntry
from router.telemetry.pricing import Pricing


def entry(**fields):
    return HistoryEntry(id="x", started=0.0, method="POST", path="/v1/messages", **fields)


def test_a_price_that_cannot_be_had(monkeypatch):
    """A defect in the price data leaves a request unpriced; it is not lost."""
    price = Pricing(Settings).price
    one = entry(model="m", backend="b", root="https://api.openai.com/v1", tokens_in=1)
    assert price(one) == (None, "")
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert price(entry(model="gpt-5", root="https://api.openai.com/v1", tokens_in=1)) == (None, "")
