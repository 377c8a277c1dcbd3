"""A whole proxy on a store that is nothing but memory: another store is an argument, and no history.db is made."""

import json

import pytest

from tests.store.memory import MemoryStore

from . import budgets
from .processes import Threaded, backend, until
from .upstream import Upstream, plain
from .wire import ask

RESPONSES = "/v1/responses"


class Started:
    """A proxy in front of two upstreams on one store; it can be started anew, which loses its own memory."""

    def __init__(self, folder, protocols=("messages", "chat", "responses")):
        self.store = MemoryStore()
        self._folder = folder
        self.ups = {name: Upstream(models=(f"model-{name}",)) for name in ("a", "b")}
        self._backends = [backend(name, up.root, protocols=protocols) for name, up in self.ups.items()]
        self._begin()

    def _begin(self):
        self.proxy = Threaded(self._folder, backends=self._backends, open_store=self.store.open, default_backend="a")
        assert until(lambda: not self.proxy.serving.runtime.catalogs.loading)

    def again(self):
        """Stop, and start with what the store holds."""
        self.proxy.__exit__()
        self._begin()

    def ask(self, path, fields=None, **options):
        """One request; fields: of its JSON body."""
        body = None if fields is None else json.dumps(fields).encode()
        return ask(self.proxy.port, path, body, **options)

    def operate(self, path, body=None):
        """One call of an operator."""
        token = (self._folder / "home" / "operator.token").read_bytes().strip()
        return ask(self.proxy.port, path, body, (b"Authorization", b"Bearer " + token)).json()

    def close(self):
        """Stop all; nothing was written that is the store's."""
        self.proxy.__exit__()
        for up in self.ups.values():
            up.stop()
        assert not list((self._folder / "home").glob("history.db*"))


@pytest.fixture
def begun(tmp_path):
    found = []

    def begin(**options):
        found.append(Started(tmp_path, **options))
        return found[-1]

    yield begin
    for one in found:
        one.close()


def test_requests_are_recorded(begun):
    """A request is answered, counted, listed as the latest, and handed to the store as one entry."""
    site = begun()
    site.ups["b"].script(plain(b'{"id":"c1","object":"chat.completion","choices":[]}'))
    answer = site.ask("/v1/chat/completions", {"model": "model-b", "messages": []})
    assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"b")
    [entry] = until(lambda: site.store.entries)
    assert (entry.id, entry.backend, entry.status) == (answer.field(b"x-fairlead-request-id").decode(), "b", 200)
    assert site.operate("/status")["history"]["problem"] is None
    assert site.operate("/analytics")["total"]["requests"] == 0
    assert site.proxy.serving.runtime.recorder.recent[-1] is entry


def test_ids_pin_their_backend(begun):
    """A response is read where it was made, also by a proxy that was started later on the same store."""
    site = begun()
    site.ups["b"].script(plain(b'{"id":"resp_s","object":"response","output":[]}'))
    assert site.ask(RESPONSES, {"model": "model-b", "input": "x"}).status == 200
    for _ in range(2):
        site.ups["b"].script(plain(b'{"id":"resp_s","object":"response"}'))
        assert site.ask(f"{RESPONSES}/resp_s").field(b"x-fairlead-backend") == b"b"
        site.again()


def test_stored_responses_are_continued(begun):
    """A conversation that a backend of another protocol cannot store goes on from the store, also after a restart."""
    site = begun(protocols=("chat",))
    site.ups["b"].default = (plain(CHAT),)
    first = site.ask(RESPONSES, {"model": "model-b", "input": "first"}).json()
    assert first["output"][0]["content"][0]["text"] == "said"
    site.again()
    following = {"model": "model-b", "input": "second", "previous_response_id": first["id"]}
    assert site.ask(RESPONSES, following).status == 200
    turns = json.loads(site.ups["b"].seen[-1].body)["messages"]
    assert [(turn["role"], turn["content"]) for turn in turns] == [
        ("user", "first"),
        ("assistant", "said"),
        ("user", "second"),
    ]


CHAT = json.dumps(
    {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "model-b",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "said"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()


def test_a_budget_halts_until_it_is_resumed(begun, tmp_path):
    """Spend and halt are the store's: a proxy that starts later is halted too, and a resume lets requests go again."""
    budgets.configured(tmp_path, "guard.day_usd = 0.1")
    site = begun()
    site.ups["a"].default = (budgets.answer(60),)
    asked = json.loads(budgets.BODY)
    statuses = [site.ask(budgets.PATH, asked).status for _ in range(3)]
    assert statuses == [200, 200, 402]
    [halt] = site.store.halts.values()
    assert "0.1" in halt.reason
    site.again()
    assert site.ask(budgets.PATH, asked).status == 402
    assert site.operate("/status")["guard"]["state"] == "halted"
    assert len(site.operate("/admin/resume", b"")["lifted"]) == 1
    assert site.ask(budgets.PATH, asked).status == 200
    assert site.store.halts == {}
