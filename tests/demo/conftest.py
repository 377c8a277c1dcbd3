"""The demo upstream on a real socket, in a thread of its own, and the official SDKs pointed at it."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import anthropic
import httpx
import openai
import pytest
import trio

from router.demo import Demo

from ..patience import PATIENCE


class Running:
    """A demo served by a thread until stopped."""

    def __init__(self) -> None:
        self.url = ""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._serve,))

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(PATIENCE)

    def stop(self) -> None:
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    async def _serve(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            async with trio.open_nursery() as nursery:
                self.url = await nursery.start(Demo(word_delay=0).serve)
                self._ready.set()


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    running = Running()
    running.start()
    yield running.url
    running.stop()


@pytest.fixture(scope="session")
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def claude(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="demo", max_retries=0, timeout=PATIENCE) as client:
        yield client


@pytest.fixture(scope="session")
def gpt(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="demo", max_retries=0, timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def broken_off() -> AbstractContextManager:
    """Expects the error of a stream that breaks off: the SDKs let that of their HTTP library through."""
    return pytest.raises(Exception, match=r"(?i)reset|closed|aborted|connection")
