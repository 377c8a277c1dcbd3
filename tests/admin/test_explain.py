"""What `explain` says beside what requests meet (tests/e2e/test_explain.py): assumptions, and what is remembered."""

import json

import pytest

from router.admin.explain import explain
from router.backends import Backend
from router.operator_api.explain import Question
from router.settings import Settings
from router.settings.tables import BackendOptions, Condition, Rule
from router.store.config import backends
from router.upstream.compose import compose
from router.upstream.configuration import read


@pytest.fixture
def snapshot(home, silent_log):
    """Makes a snapshot from protocols by backend name; every backend is the default in turn."""

    def make(protocols, **settings):
        for name, spoken in protocols.items():
            one = Backend(name=name, root="https://up.example/v1", protocols=spoken, vendor="openai", auth="none")
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
    """The one such models are mostly asked in, else the first in which it is served; it is said to be assumed."""
    found = explain(Question(model=model), snapshot({"up": spoken}, default_backend="up"))
    assert (found.protocol, found.assumed, found.status, found.backend) == (wanted, True, 0, "up")


def test_a_given_protocol_is_kept(snapshot):
    """Also where its backend speaks another."""
    found = explain(Question(model="gpt-5", protocol="messages"), snapshot({"up": ("responses",)}))
    assert (found.protocol, found.assumed, found.status, found.backend) == ("messages", False, 0, "up")


def test_a_name_that_nothing_serves(snapshot):
    """One refusal, in the protocol that was assumed first."""
    found = explain(Question(model="claude-x"), snapshot({"up": ("chat",)}))
    assert (found.protocol, found.status, found.backend) == ("messages", 404, "")


def test_a_backend_that_refused_the_probe(snapshot):
    """It is not asked for usage any more, and explain knows."""
    body = json.dumps({"model": "gpt-5", "stream": True, "messages": []}).encode()
    question = Question(body=body, protocol="chat")
    state = snapshot({"up": ("chat",)})
    assert explain(question, state).edits == ["usage asked for"]
    assert explain(question, state, {"up"}).edits == []


def test_headers_tell_the_client(snapshot):
    """The first of a name counts, in any case, as a server reads it."""
    rule = Rule(name="cc", when=Condition(client="claude-code"), backend="other")
    state = snapshot({"up": ("chat",), "other": ("chat",)}, routes=(rule,), default_backend="up")
    headers = [("X-App", " cli "), ("x-app", "other"), ("X-Claude-Code-Session-Id", "1")]
    assert explain(Question(model="gpt-5", headers=headers), state).rule == "cc"
    assert explain(Question(model="gpt-5", headers=headers[1:]), state).rule == ""


def test_a_chat_body_that_is_a_responses_request(snapshot):
    """As on the path itself."""
    state = snapshot({"up": ("chat", "responses")})
    found = explain(Question(body=b'{"model":"gpt-5","input":"hi"}', protocol="chat"), state)
    assert (found.protocol, found.status) == ("responses", 0)


def test_a_translation_is_foretold(snapshot):
    """Its direction and what it cannot carry over; and the refusal of what it must not leave out."""
    state = snapshot({"up": ("chat",)}, default_backend="up")
    asked = {"model": "gpt-5", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
    found = explain(Question(body=json.dumps(asked).encode(), protocol="messages"), state)
    assert (found.translation, found.losses, found.status) == ("messages->chat", ["top_k=dropped"], 0)
    asked["inference_geo"] = "eu"
    refused = explain(Question(body=json.dumps(asked).encode(), protocol="messages"), state)
    assert (refused.status, refused.error.partition(":")[0]) == (400, "inference_geo")


def test_a_backend_is_translated_as_another_providers(snapshot):
    """What a self-hosted server takes is not known from its address: the user says whose habits it has."""
    asked = {"model": "m", "max_tokens": 5, "top_k": 3, "messages": [{"role": "user", "content": "hi"}]}
    question = Question(body=json.dumps(asked).encode(), protocol="messages")
    plain = explain(question, snapshot({"up": ("chat",)}, default_backend="up"))
    table = {"up": BackendOptions(translate_as="vllm")}
    told = explain(question, snapshot({"up": ("chat",)}, default_backend="up", backends=table))
    assert (plain.losses, told.losses) == (["top_k=dropped"], [])
