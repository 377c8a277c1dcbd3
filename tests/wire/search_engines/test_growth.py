"""What engines answer was written by anyone: reading it costs work in proportion to its size."""

import json

import pytest

from router.wire.search_engines.engines import ENGINES, read_results
from router.wire.search_engines.results import RESULTS, TEXT_LIMIT, format_results, tidy

from ...growth import grows_evenly

PAGE = {"url": "https://a.com/x", "title": "X"}


def answer(name, entries):
    """The answer of an engine with these results."""
    found = {"results": entries}
    return json.dumps({"type": "search", "web": found} if name == "brave" else found).encode()


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_results_that_are_none(name):
    """Entries without a web address, of which there may be any number, are left out one by one."""
    bad = [{"url": "javascript:x"}, {"url": "https://"}, {"url": 5}, {}, None, [], "x", {"url": "http://[/"}]
    grows_evenly(lambda count: answer(name, bad * count), lambda body: read_results(name, body), 2000)
    assert read_results(name, answer(name, bad * 10)) == []


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_more_results_than_are_asked_for(name):
    """The first ones are kept, and the work is that of decoding."""
    # Both are over the size from which JSON is read in windows.
    grows_evenly(lambda count: answer(name, [PAGE] * count), lambda body: read_results(name, body), 40_000)
    assert len(read_results(name, answer(name, [PAGE] * 100))) == RESULTS


@pytest.mark.parametrize("text", ["a b ", "\u202e\x1b", " \n", "\u00e4\U0001f600", "\ud800"], ids=range(5))
def test_texts(text):
    """One is cut before it is looked through, whatever it is made of."""
    grows_evenly(lambda count: text * count, lambda one: tidy(one, TEXT_LIMIT), 200_000)
    assert len(tidy(text * 200_000, TEXT_LIMIT).encode()) <= TEXT_LIMIT


def test_what_a_model_is_told():
    """It is bounded, however much the engine wrote."""
    entry = {**PAGE, "title": "T" * 10_000, "content": "c" * 100_000, "publishedDate": "d" * 10_000}
    found = read_results("searxng", answer("searxng", [entry] * 100))
    assert len(format_results("q", found).encode()) < RESULTS * (TEXT_LIMIT + 1000)
