"""Each search engine is asked in its own form, and its answer read as results."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from router.ir import WebPage, WebSearch
from router.settings.search import PROVIDERS
from router.wire.search_engines.engines import DOMAINS, ENGINES, ask_engine, read_results
from router.wire.search_engines.results import QUERY_LIMIT, RESULTS, Result

LIMITS = WebSearch("tools[0]", allowed=("a.com", "b.com"), location={"country": "de", "city": "Ulm"})
BARRED = WebSearch("tools[0]", blocked=("c.com",))
PLAIN = WebSearch("tools[0]")
KEY = "key-of-engine"
PAGE = {"url": "https://a.com/x", "title": "X"}
ANSWERS = {
    "brave": {"type": "search", "web": {"results": [{**PAGE, "description": "said", "age": "2 days"}]}},
    "tavily": {"results": [{**PAGE, "content": "said", "published_date": "2 days"}]},
    "exa": {"results": [{**PAGE, "text": "said", "publishedDate": "2 days"}]},
    "perplexity": {"results": [{**PAGE, "snippet": "said", "date": "2 days"}]},
    "searxng": {"results": [{**PAGE, "content": "said", "publishedDate": "2 days"}]},
}
ASKED = {
    "tavily": ({"query": "a b", "max_results": RESULTS}, "include_domains", "exclude_domains"),
    "exa": (
        {"query": "a b", "numResults": RESULTS, "contents": {"text": {"maxCharacters": 2000}}},
        "includeDomains",
        "excludeDomains",
    ),
    "perplexity": ({"query": "a b", "max_results": RESULTS}, "search_domain_filter", "search_domain_filter"),
}
KEYS = {
    "brave": ("x-subscription-token", KEY),
    "tavily": ("authorization", f"Bearer {KEY}"),
    "exa": ("x-api-key", KEY),
    "perplexity": ("authorization", f"Bearer {KEY}"),
    "searxng": ("authorization", f"Bearer {KEY}"),
}


def test_every_provider_of_the_settings_is_an_engine():
    """A provider that can be set can be asked."""
    assert set(PROVIDERS) == set(ENGINES) == set(ANSWERS)


@pytest.mark.parametrize("name", sorted(ASKED))
def test_engines_that_are_posted_to(name):
    """The query, and the domains in the engine's own fields."""
    plain, allowed, blocked = ASKED[name]
    asked = ask_engine(name, " a\n b ", PLAIN, KEY)
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", "/search", plain)
    assert json.loads(ask_engine(name, "a b", LIMITS, KEY).body) == {**plain, allowed: ["a.com", "b.com"]}
    barred = ["-c.com"] if name == "perplexity" else ["c.com"]
    assert json.loads(ask_engine(name, "a b", BARRED, KEY).body) == {**plain, blocked: barred}


@pytest.mark.parametrize(("name", "path"), [("brave", "/res/v1/web/search"), ("searxng", "/search")])
def test_engines_that_are_asked_by_address(name, path):
    """Domains are words of the query; nothing of the query escapes its parameter."""
    asked = ask_engine(name, "a&count=99#", LIMITS, KEY)
    parts = urlsplit(asked.path)
    given = parse_qs(parts.query)
    assert (asked.method, parts.path, asked.body, parts.fragment) == ("GET", path, None, "")
    assert given["q"] == ["a&count=99# (site:a.com OR site:b.com)"]
    more = {"count": [str(RESULTS)], "country": ["DE"]} if name == "brave" else {"format": ["json"]}
    assert {key: value for key, value in given.items() if key != "q"} == more
    assert parse_qs(urlsplit(ask_engine(name, "a", BARRED, KEY).path).query)["q"] == ["a -site:c.com"]


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_keys_are_in_headers(name):
    """A key stands in the engine's header and nowhere else; without one SearXNG gets no such header."""
    asked = ask_engine(name, "a", PLAIN, KEY)
    field, value = KEYS[name]
    assert asked.headers[field] == value
    assert KEY not in asked.path + (asked.body or b"").decode()
    assert "authorization" not in ask_engine("searxng", "a", PLAIN, "").headers


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_answers_are_read(name):
    """A result has its address, title, text and age."""
    body = json.dumps(ANSWERS[name]).encode()
    assert read_results(name, body) == [Result(WebPage("https://a.com/x", "X", "2 days"), "said")]


@pytest.mark.parametrize("name", sorted(ENGINES))
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"<html>", b'{"results":7,"web":7}', b'{"web":{"results":{}}}'])
def test_other_answers_are_none(name, body):
    """What is no list of results is said to be none, and never taken for an empty one."""
    assert read_results(name, body) is None


def test_brave_leaves_out_what_it_did_not_find():
    """An answer to a search without a part for the web has found nothing there."""
    assert read_results("brave", b'{"type":"search"}') == []


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_bounds(name):
    """However many results there are, few are kept; whatever a caller asks for, few words and domains are sent."""
    answer = json.loads(json.dumps(ANSWERS[name]))
    listed = answer["web"]["results"] if name == "brave" else answer["results"]
    listed[:] = [None, 7, {}, *listed * 500]
    assert len(read_results(name, json.dumps(answer).encode())) == RESULTS
    many = WebSearch("tools[0]", allowed=tuple(f"d{at}.example" for at in range(500)))
    asked = ask_engine(name, "w" * 100_000, many, KEY)
    assert (asked.path + (asked.body or b"").decode()).count(".example") == DOMAINS
    assert len(asked.path) + len(asked.body or b"") < QUERY_LIMIT + 4000
