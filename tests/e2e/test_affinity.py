"""Requests go where the ids they name were issued, also after the proxy was restarted."""

import json

import pytest

from .processes import Proxy, backend
from .upstream import Upstream, plain
from .wire import ask


def made(name, **fields):
    """An object with an id, as an upstream answers with one."""
    return plain(json.dumps({"id": name, **fields}).encode())


def body(**fields):
    return json.dumps(fields).encode()


@pytest.fixture
def pair():
    """Two upstreams that list different models."""
    ups = {name: Upstream(models=(f"model-{name}",)) for name in ("a", "b")}
    for up in ups.values():
        up.default = (made("whatever"),)
    yield ups
    for up in ups.values():
        up.stop()


class Pair:
    """A proxy in front of both, which can be started anew on the same home."""

    def __init__(self, folder, ups, **settings):
        self._folder, self.ups, self._settings = folder, ups, settings
        self.backends = [backend(name, up.root) for name, up in ups.items()]
        self.proxy = None
        self.start()

    def start(self):
        self.proxy = Proxy(self._folder, backends=self.backends, settings=self._settings)
        self.proxy.settled(*(entry["name"] for entry in self.backends if entry["enabled"]))

    def ask(self, *arguments, **options):
        return ask(self.proxy.port, *arguments, **options)

    def served(self, *arguments, **options):
        """Which backend answered."""
        answer = self.ask(*arguments, **options)
        assert answer.status == 200, answer.body
        return answer.field(b"x-fairlead-backend").decode()


@pytest.fixture
def proxied(tmp_path, pair):
    made = Pair(tmp_path, pair)
    yield made
    assert made.proxy.stop() == 0, made.proxy.said()


def test_response_by_path(proxied, pair):
    """A stored response is read and deleted where it was made."""
    pair["b"].script(made("resp_1", object="response", output=[]))
    assert proxied.served("/v1/responses", body(model="model-b", input="x")) == "b"
    assert proxied.ask("/v1/responses/resp_2").status == 400
    assert proxied.served("/v1/responses/resp_1") == "b"
    assert proxied.served("/v1/responses/resp_1/input_items?limit=2") == "b"
    assert proxied.served("/v1/responses/resp_1", method="DELETE") == "b"
