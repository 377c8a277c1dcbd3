"""The search engine of a configuration: what it needs is said, and none is asked that lacks it."""

import pytest

from router.settings import Secret, Settings
from router.upstream.search import engine_of, find_gap


@pytest.mark.parametrize(
    ("given", "gap"),
    [
        ({}, ""),
        ({"search_key": Secret("k"), "search_base_url": "https://a"}, ""),
        ({"search_provider": "searxng"}, "search.base_url"),
        ({"search_provider": "searxng", "search_base_url": "http://127.0.0.1:8888"}, ""),
        ({"search_provider": "brave"}, "search.key"),
        ({"search_provider": "brave", "search_key": Secret("env:BRAVE_API_KEY")}, ""),
    ],
)
def test_what_an_engine_lacks_is_said(given, gap):
    """With the setting that is missing; without an address there is no engine."""
    settings = Settings(**given)
    assert gap in find_gap(settings)
    assert bool(find_gap(settings)) == bool(gap)
    assert (engine_of(settings) is None) == ("search_provider" not in given or gap == "search.base_url")


def test_a_price_is_one_of_a_thousand():
    """In billionths of a US dollar for one search; unknown where it is not set."""
    settings = Settings(search_provider="searxng", search_base_url="https://a", search_usd_per_1000=5.0)
    assert engine_of(settings).charge == 5_000_000
    assert engine_of(Settings(search_provider="brave")).charge is None
