"""The engines, one entry each: Brave (https://api-dashboard.search.brave.com/app/documentation/web-search), Tavily
(https://docs.tavily.com/documentation/api-reference/endpoint/search), Exa (https://docs.exa.ai/reference/search),
Perplexity (https://docs.perplexity.ai/api-reference/search-post) and SearXNG
(https://docs.searxng.org/dev/search_api.html)."""

import re
from collections.abc import Callable
from typing import NamedTuple, cast
from urllib.parse import urlencode

import msgspec

from router.ir import WebSearch
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json
from router.wire.search_engines.results import QUERY_LIMIT, RESULTS, Result, make_result, tidy

#: Domains of a request that are passed on.
DOMAINS = 20
# A name of a host, also in another alphabet, with the beginning of a path. Anything else would be words of the query,
# such as operators of the engine, and may have any length.
_DOMAIN = re.compile(r"[\w.*-]{1,253}+(?:/[\w.~%*/-]{0,200}+)?+")
# Characters that Exa quotes of a page.
_QUOTED = 2000


class Question(NamedTuple):
    """A request to an engine."""

    method: str
    #: Behind the address of the engine.
    path: str
    headers: dict[str, str]
    body: bytes | None


class Engine(NamedTuple):
    """How one engine is asked and read."""

    #: Its own address, '' for one that users run themselves.
    address: str
    needs_key: bool
    #: The question for a query, given what the caller asked for and the key.
    ask: Callable[[str, WebSearch, str], Question]
    #: The list of results of an answer; None where it has none.
    list_results: Callable[[Json], object]
    #: The fields of a result: address, title, text, age.
    fields: tuple[str, str, str, str]


def ask_engine(name: str, query: str, asked: WebSearch, key: str) -> Question:
    """The request that asks an engine. key: '' without one."""
    return ENGINES[name].ask(tidy(query, QUERY_LIMIT), asked, key)


def list_domains(given: tuple[str, ...]) -> list[str]:
    """Of the domains that a caller names those that are names of domains, DOMAINS at most."""
    return [domain for domain in given if _DOMAIN.fullmatch(domain)][:DOMAINS]


def read_results(name: str, body: bytes) -> list[Result] | None:
    """The results in the answer of an engine; None when it has not the form of one."""
    engine = ENGINES[name]
    data = json_values.decode_object(body)
    found = engine.list_results(data) if data is not None else None
    if not isinstance(found, list):
        return None
    results: list[Result] = []
    for entry in cast("list[object]", found):
        form = cast("Json", entry) if isinstance(entry, dict) else {}
        result = make_result(*(form.get(field) for field in engine.fields))
        if result is not None:
            results.append(result)
        if len(results) == RESULTS:
            break
    return results


def _with_sites(query: str, asked: WebSearch) -> str:
    """A query that names its domains itself."""
    allowed = " OR ".join(f"site:{domain}" for domain in list_domains(asked.allowed))
    blocked = " ".join(f"-site:{domain}" for domain in list_domains(asked.blocked))
    return " ".join(part for part in (query, f"({allowed})" if allowed else "", blocked) if part)


def _ask_brave(query: str, asked: WebSearch, key: str) -> Question:
    given = {"q": _with_sites(query, asked), "count": str(RESULTS)}
    country = asked.location.get("country", "")
    if len(country) == 2 and country.isascii() and country.isalpha():
        given["country"] = country.upper()
    headers = {"x-subscription-token": key, "accept": "application/json"}
    return Question("GET", f"/res/v1/web/search?{urlencode(given)}", headers, None)


def _ask_searxng(query: str, asked: WebSearch, key: str) -> Question:
    given = {"q": _with_sites(query, asked), "format": "json"}
    headers = {"accept": "application/json", **({"authorization": f"Bearer {key}"} if key else {})}
    return Question("GET", f"/search?{urlencode(given)}", headers, None)


def _ask_tavily(query: str, asked: WebSearch, key: str) -> Question:
    given: Json = {"query": query, "max_results": RESULTS}
    allowed, blocked = list_domains(asked.allowed), list_domains(asked.blocked)
    given |= {"include_domains": allowed} if allowed else {}
    given |= {"exclude_domains": blocked} if blocked else {}
    return _post("/search", given, {"authorization": f"Bearer {key}"})


def _ask_exa(query: str, asked: WebSearch, key: str) -> Question:
    given: Json = {"query": query, "numResults": RESULTS, "contents": {"text": {"maxCharacters": _QUOTED}}}
    allowed, blocked = list_domains(asked.allowed), list_domains(asked.blocked)
    given |= {"includeDomains": allowed} if allowed else {}
    given |= {"excludeDomains": blocked} if blocked else {}
    return _post("/search", given, {"x-api-key": key})


def _ask_perplexity(query: str, asked: WebSearch, key: str) -> Question:
    # One list either allows or, with a sign, blocks.
    domains = list_domains(asked.allowed) or [f"-{domain}" for domain in list_domains(asked.blocked)]
    given: Json = {"query": query, "max_results": RESULTS}
    given |= {"search_domain_filter": domains} if domains else {}
    return _post("/search", given, {"authorization": f"Bearer {key}"})


def _list_results(data: Json) -> object:
    return data.get("results")


def _list_brave_results(data: Json) -> object:
    """Brave leaves out what it found nothing of."""
    if "web" not in data and data.get("type") == "search":
        return []
    return json_values.get_object(data, "web").get("results")


def _post(path: str, given: Json, headers: dict[str, str]) -> Question:
    return Question("POST", path, {**headers, "content-type": "application/json"}, msgspec.json.encode(given))


ENGINES: dict[str, Engine] = {
    "brave": Engine(
        "https://api.search.brave.com", True, _ask_brave, _list_brave_results, ("url", "title", "description", "age")
    ),
    "tavily": Engine(
        "https://api.tavily.com", True, _ask_tavily, _list_results, ("url", "title", "content", "published_date")
    ),
    "exa": Engine("https://api.exa.ai", True, _ask_exa, _list_results, ("url", "title", "text", "publishedDate")),
    "perplexity": Engine(
        "https://api.perplexity.ai", True, _ask_perplexity, _list_results, ("url", "title", "snippet", "date")
    ),
    "searxng": Engine("", False, _ask_searxng, _list_results, ("url", "title", "content", "publishedDate")),
}
