"""Asks the search engine that the user named. Without one nothing here is called, and no host is contacted."""

from collections.abc import Mapping
from typing import NamedTuple

import trio

from router.errors import CommandError
from router.ir import WebSearch
from router.net.client.outbound import Outbound
from router.net.control.request import Answer, ControlError, send
from router.settings import Settings
from router.upstream.credentials import Credentials
from router.wire.search_engines.engines import ENGINES, ask_engine, list_domains, read_results
from router.wire.search_engines.results import Result

#: Seconds that a search may take.
SECONDS = 30.0
# Bytes of the largest answer: a page of results has a tenth of it. Any number of searches may be made at once.
_BYTES = 2 << 20
# A larger answer is read in a thread, one at a time.
_THREAD_BYTES = 65536
_READING = trio.CapacityLimiter(1)
_BUSY: Mapping[int, str] = {429: "too_many_requests"}


class SearchFailed(Exception):
    """A search that gave no results. `code` is the error as Messages names it."""

    def __init__(self, text: str, *, code: str = "unavailable", status: int = 0):
        super().__init__(text)
        self.code = code
        #: The status of the engine's answer, 0 when there was none.
        self.status = status


class Engine(NamedTuple):
    """The engine of a configuration."""

    name: str
    address: str
    #: The key or the reference to one, '' for none.
    key: str
    #: US dollars for 1,000 searches, None when not known.
    price: float | None

    def __repr__(self) -> str:
        return f"Engine({self.name})"

    @property
    def charge(self) -> int | None:
        """What one search costs, in billionths of a US dollar; None when not known."""
        return None if self.price is None else round(self.price * 10**6)


def engine_of(settings: Settings) -> Engine | None:
    """The engine that these settings name; None for none, and for one that lacks its address."""
    name = settings.search_provider
    address = settings.search_base_url or (ENGINES[name].address if name is not None else "")
    if name is None or not address:
        return None
    key = settings.search_key.reveal() if settings.search_key is not None else ""
    return Engine(name, address, key, settings.search_usd_per_1000)


def find_gap(settings: Settings) -> str:
    """What keeps the engine that is named from being asked, with the command that helps; '' for nothing."""
    name = settings.search_provider
    if name is None:
        return ""
    if engine_of(settings) is None:
        return f"search.provider is {name}, which needs its address. Set it:   fairlead config set search.base_url URL"
    if ENGINES[name].needs_key and settings.search_key is None:
        return f"search.provider is {name}, which needs a key. Set it:   fairlead config set search.key --stdin"
    return ""


async def search(
    engine: Engine, query: str, asked: WebSearch, credentials: Credentials, outbound: Outbound
) -> list[Result]:
    """What the engine finds. asked: the limits that the caller set. Raises SearchFailed."""
    try:
        key = (await credentials.key(engine.key)).reveal() if engine.key else ""
        if not key and ENGINES[engine.name].needs_key:
            raise SearchFailed(f"search.key is not set, and {engine.name} needs one")
        if asked.allowed and not list_domains(asked.allowed):
            # Without them the search would find what the caller excludes.
            raise SearchFailed("none of the domains that the search is limited to is one", code="invalid_input")
        question = ask_engine(engine.name, query, asked, key)
        url = engine.address + question.path
        answer = await send(question.method, url, question.headers, question.body, SECONDS, outbound, limit=_BYTES)
    except (ControlError, CommandError) as error:
        raise SearchFailed(f"{engine.name}: {error}") from None
    if not 200 <= answer.status < 300:
        code = _BUSY.get(answer.status, "unavailable")
        raise SearchFailed(f"{engine.name} answered {answer.status}", code=code, status=answer.status)
    found = await _read(engine.name, answer)
    if found is None:
        raise SearchFailed(f"the answer of {engine.name} is no list of results", status=answer.status)
    return found


async def _read(name: str, answer: Answer) -> list[Result] | None:
    if len(answer.body) <= _THREAD_BYTES:
        return read_results(name, answer.body)
    return await trio.to_thread.run_sync(read_results, name, answer.body, limiter=_READING)
