"""The assumptions of `explain` and the state it reads; tests/e2e/test_explain.py compares it with real requests."""

import json
import threading
from types import SimpleNamespace

import pytest

from router.admin import explain_api
from router.admin.explain import explain
from router.admin.explain_api import answer_question
from router.backends import Backend
from router.errors import BadRequest
from router.exchange.request.unseal import NOTE as UNSEALED
from router.host.event_loop import run_async
from router.operator_api.explain import Question
from router.policy.routing.table import SEARCH
from router.settings import Settings
from router.settings.tables import BackendOptions, Condition, Price, Rule
from router.store.config import backends
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.wire.conversation.sealed_state import StateSealer


@pytest.fixture
def snapshot(home, silent_log):
    """Makes a snapshot from protocols by backend name; each backend is the default in turn."""

    def make(protocols, *, vendor="openai", **settings):
        for name, spoken in protocols.items():
            one = Backend(name=name, root="https://up.example/v1", protocols=spoken, vendor=vendor, auth="none")
            backends.save(home, one)
        return compose(read(home, Settings(**settings)), home, silent_log).snapshot

    return make


@pytest.mark.parametrize(
    ("spoken", "model", "wanted"),
    [
        (("messages", "chat", "responses"), "gpt-5", "chat"),
        (("messages", "chat", "responses"), "claude-x", "messages"),
        (("messages", "chat", "responses"), "Opus", "messages"),
        (("messages",), "gpt-5", "messages"),
        (("responses",), "gpt-5", "responses"),
        (("chat",), "claude-x", "chat"),
    ],
)
def test_the_protocol_of_a_name(snapshot, spoken, model, wanted):
    """For a name alone the usual protocol of such models is assumed, else the first that serves it."""
    found = explain(Question(model=model), snapshot({"up": spoken}, default_backend="up"))
    assert (found.protocol, found.assumed, found.status, found.backend) == (wanted, True, 0, "up")


def test_a_given_protocol_is_kept(snapshot):
    """A protocol that is given is kept, also where the backend speaks another."""
    found = explain(Question(model="gpt-5", protocol="messages"), snapshot({"up": ("responses",)}))
    assert (found.protocol, found.assumed, found.status, found.backend) == ("messages", False, 0, "up")


def test_a_name_that_nothing_serves(snapshot):
    """A model that nothing serves has one refusal, in the protocol assumed first."""
    found = explain(Question(model="claude-x"), snapshot({"up": ("chat",)}))
    assert (found.protocol, found.status, found.backend) == ("messages", 404, "")


def test_a_backend_that_refused_the_probe(snapshot):
    """No request for usage is predicted for a backend that refused one before."""
    body = json.dumps({"model": "gpt-5", "stream": True, "messages": []}).encode()
    question = Question(body=body, protocol="chat")
    state = snapshot({"up": ("chat",)})
    assert explain(question, state).edits == ["usage asked for"]
    assert explain(question, state, {"up"}).edits == []


def test_headers_tell_the_client(snapshot):
    """Of several headers of one name, in any case, the first counts, as in the server."""
    rule = Rule(name="cc", when=Condition(client="claude-code"), backend="other")
    state = snapshot({"up": ("chat",), "other": ("chat",)}, routes=(rule,), default_backend="up")
    headers = [("X-App", " cli "), ("x-app", "other"), ("X-Claude-Code-Session-Id", "1")]
    assert explain(Question(model="gpt-5", headers=headers), state).rule == "cc"
    assert explain(Question(model="gpt-5", headers=headers[1:]), state).rule == ""


def test_a_chat_body_that_is_a_responses_request(snapshot):
    """A Chat body with `input` is explained as Responses, as on the path."""
    state = snapshot({"up": ("chat", "responses")})
    found = explain(Question(body=b'{"model":"gpt-5","input":"hi"}', protocol="chat"), state)
    assert (found.protocol, found.status) == ("responses", 0)


def test_a_translation_is_foretold(snapshot):
    """A translation is shown with its direction and losses, or with the refusal of a field that must not be lost."""
    state = snapshot({"up": ("chat",)}, default_backend="up")
    asked = {"model": "gpt-5", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
    found = explain(Question(body=json.dumps(asked).encode(), protocol="messages"), state)
    assert (found.translation, found.losses, found.status) == ("messages->chat", ["top_k=dropped"], 0)
    asked["inference_geo"] = "eu"
    refused = explain(Question(body=json.dumps(asked).encode(), protocol="messages"), state)
    assert (refused.status, refused.error.partition(":")[0]) == (400, "inference_geo")


def test_a_compaction_is_foretold(snapshot):
    """Where the backend makes none, also one of the same protocol; where it does, the request is passed on."""
    asked = {"model": "m", "input": [{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}]}
    question = Question(body=json.dumps(asked).encode(), protocol="responses")
    made = "compacted by fairlead: the answer is a summary, sealed"
    found = explain(question, snapshot({"up": ("responses",)}, default_backend="up"))
    assert (found.translation, found.edits, found.status) == ("", [], 0)
    options = {"up": BackendOptions(profile={"compacts": False})}
    found = explain(question, snapshot({"up": ("responses",)}, default_backend="up", backends=options))
    assert (found.translation, found.edits) == ("responses->responses", [made])
    found = explain(question, snapshot({"up": ("chat",)}, default_backend="up"))
    assert (found.translation, found.edits) == ("responses->chat", ["translated responses->chat", made])


def test_a_compacted_conversation_is_foretold(snapshot):
    """An item of fairlead's is sent as a message; one that cannot be read is refused, as the request would be."""
    state = snapshot({"up": ("responses",)}, default_backend="up")
    for sealer, expected in ((state.translation_state.seal("up", "m"), 0), (StateSealer(), 400)):
        item = {"type": "compaction", "encrypted_content": sealer.seal_summary("x")}
        body = json.dumps({"model": "m", "input": [item]}).encode()
        found = explain(Question(body=body, protocol="responses"), state)
        assert found.status == expected
        assert (UNSEALED in found.edits) is not bool(expected)


def test_a_backend_is_translated_as_another_providers(snapshot):
    """A self-hosted server is translated for with the provider profile that the user set."""
    asked = {"model": "m", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
    question = Question(body=json.dumps(asked).encode(), protocol="messages")
    plain = explain(question, snapshot({"up": ("chat",)}, default_backend="up"))
    table = {"up": BackendOptions(translate_as="vllm")}
    told = explain(question, snapshot({"up": ("chat",)}, default_backend="up", backends=table))
    assert (plain.losses, told.losses) == (["top_k=dropped"], [])


@pytest.mark.parametrize(
    ("engine", "client", "backend", "status"),
    [("searxng", True, SEARCH, 0), ("searxng", False, "a", 0), (None, True, "a", 400)],
)
def test_a_search_that_the_engine_answers(snapshot, engine, client, backend, status):
    """Claude Code's request for one search is explained as it is served: by the engine that the settings name. That of
    another client goes to the backend, whose model gets the engine as a tool."""
    tool = {"type": "web_search_20250305", "name": "web_search"}
    body = {"model": "a:m", "max_tokens": 5, "messages": [{"role": "user", "content": "cats"}], "tools": [tool]}
    body["tool_choice"] = {"type": "tool", "name": "web_search"}
    headers = [("x-claude-code-session-id", "s"), ("x-app", "cli")] if client else []
    made = snapshot({"a": ("chat",)}, vendor="", search_provider=engine, search_base_url="http://127.0.0.1:1")
    found = explain(Question(model="m", protocol="messages", body=json.dumps(body).encode(), headers=headers), made)
    assert (found.backend, found.status) == (backend, status)
    assert (found.account == "searxng") is (backend == SEARCH)


ASKED = json.dumps({"model": "m-1", "max_tokens": 9, "messages": [{"role": "user", "content": "word " * 900}]}).encode()


def test_what_it_would_cost(snapshot):
    """The user's price by the tokens that are known, or an estimate of those of the input; a name alone costs
    nothing yet."""
    state = snapshot({"up": ("messages",)}, prices={"m-1": Price(input=2.0, output=10.0)}, default_backend="up")
    cost = explain(Question(body=ASKED, protocol="messages", tokens_in=1000, tokens_out=100), state).cost
    assert (cost.tokens_in, cost.tokens_out, cost.source) == (1000, 100, "config.toml")
    assert cost.dollars == pytest.approx(0.003)
    assert cost.output_million == pytest.approx(10)
    guessed = explain(Question(body=ASKED, protocol="messages"), state).cost
    assert 500 < guessed.tokens_in < 2000
    assert guessed.tokens_out is None
    assert guessed.dollars == pytest.approx(guessed.tokens_in * 2e-6)
    assert explain(Question(model="m-1"), state).cost is None


def test_what_has_no_price(snapshot):
    """A model without a known price has a cost that is not known; a server that nobody bills has none."""
    question = Question(body=ASKED, protocol="messages")
    cost = explain(question, snapshot({"up": ("messages",)}, default_backend="up")).cost
    assert (cost.billed, cost.dollars, cost.source) == (True, None, "")
    assert not explain(question, snapshot({"up": ("messages",)}, vendor="ollama", default_backend="up")).cost.billed


@pytest.mark.parametrize(("size", "apart"), [(1000, False), (300_000, True), (3_000_000, True)])
def test_a_large_question_holds_up_nobody(monkeypatch, size, apart):
    """It is decoded in another thread than that of the streams; a small one is not worth the change of threads."""
    seen = []

    def read(body):
        seen.append((len(body), threading.current_thread() is threading.main_thread()))
        raise BadRequest("enough")

    async def read_body(limit, reserve):
        reserve(size)
        return b"x" * size

    async def ask():
        runtime = SimpleNamespace(
            memory=SimpleNamespace(reserve=held.append, release=lambda count: held.append(-count))
        )
        await answer_question(SimpleNamespace(runtime=runtime, read_body=read_body))

    held = []
    monkeypatch.setattr(explain_api, "_read_question", read)
    with pytest.raises(BadRequest):
        run_async(ask)
    assert seen == [(size, not apart)]
    assert sum(held) == 0
