"""What of the configuration is part of a request's key: all that may change its answer, and alike in each process."""

import dataclasses
import os
import subprocess
import sys

import msgspec
import pytest

from router.backends import Backend
from router.exchange.answer_cache.question import Part, Question, ask, find_kind, find_part
from router.ir import RoutingFacts
from router.net.client.outbound import DIRECT
from router.policy.routing.table import Route
from router.settings import Frozen, Settings
from router.settings.tables import BackendOptions, Edits, ModelOptions, Rule
from router.upstream.credentials import Credentials
from router.upstream.targets import targets_of
from router.wire import calls

BODY = b'{"model":"m","temperature":0,"messages":[{"role":"user","content":"hi"}]}'
BACKEND = Backend(name="box", root="https://api.groq.com/openai/v1", protocols=("chat",), vendor="groq", auth="none")
CALL = calls.call("/v1/chat/completions")
PLAIN = Settings()


def question(body=BODY, *, backend=BACKEND, settings=PLAIN, edits=None, model="m", asked="m", owner="", tools=False):
    """What `ask` says of a request."""
    route = Route(backend, model, "catalog", edits=edits)
    target = targets_of(backend, settings, Credentials({}, None, lambda _: None), DIRECT)[0]
    facts = RoutingFacts("chat", asked, stream=False)
    options = {"owner": owner, "tools": tools, "headers": (), "call": CALL, "query": ""}
    return ask("chat", body, route, target, facts, settings, **options)


def key(**options):
    found = question(**options)
    assert isinstance(found, Question), found
    return found.request


def changed(**options):
    """The settings with options of the backend."""
    return Settings(backends=Frozen({"box": BackendOptions(**options)}))


OTHER = (
    {"owner": "laptop"},
    {"model": "m2"},
    {"asked": "alias"},
    {"backend": msgspec.structs.replace(BACKEND, name="other")},
    {"backend": msgspec.structs.replace(BACKEND, root="https://other.example/v1")},
    {"backend": msgspec.structs.replace(BACKEND, vendor="openai")},
    {"backend": msgspec.structs.replace(BACKEND, protocols=("messages",))},
    {"settings": Settings(echo_model=False)},
    {"settings": Settings(loss="strict")},
    {"settings": Settings(losses=Frozen({"top_k": "silent"}))},
    {"settings": changed(translate_as="deepseek")},
    {"settings": changed(profile=Frozen({"tool_images": True}))},
    {"settings": changed(edits=Edits(set_fields=Frozen({"seed": 1})))},
    {"edits": Edits(max_tokens=5)},
    {"edits": Edits(set_headers=Frozen({"x-a": "1"}))},
)


@pytest.mark.parametrize("options", OTHER)
def test_another_configuration(options):
    """It has answers of its own."""
    assert key(**options) != key()


def test_no_two_are_alike():
    """Each of these changes is told from the others."""
    assert len({key(**options) for options in OTHER}) == len(OTHER)


def test_alike_in_each_process():
    """An answer is found by the next process: no order of a set, which differs in each, is part of the key."""
    program = "from tests.exchange.answer_cache.test_question import key; print(key().hex())"
    found = set()
    for seed in ("1", "2", "3"):
        environ = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        line = [sys.executable, "-c", program]
        found.add(subprocess.run(line, env=environ, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    assert found == {key().hex()}


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"backend": msgspec.structs.replace(BACKEND, auth="client")}, "own login"),
        ({"model": "m:online"}, "search the web"),
        ({"body": BODY[:-1] + b',"a":"' + b"x" * (1 << 20) + b'"}'}, "larger than 1 MiB"),
        ({"body": BODY[:-1] + b',"n":1,"n":1}'}, "two members of one name"),
        ({"body": BODY.replace(b":0", b":NaN")}, "not exact JSON"),
        ({"edits": Edits(set_fields=Frozen({"temperature": 0.5}))}, "temperature is not 0"),
        ({"edits": Edits(set_fields=Frozen({"store": True}))}, "stored"),
        ({"edits": Edits(remove_fields=("temperature",))}, "does not state"),
    ],
)
def test_what_is_not_kept(options, word):
    """The reason names what is in the way, in what the backend would get."""
    assert word in question(**options)


def test_configured_to_be_kept():
    """A temperature that the configuration sets counts as one that the request states."""
    plain = BODY.replace(b'"temperature":0,', b"")
    assert "does not state" in question(body=plain)
    key(body=plain, edits=Edits(set_fields=Frozen({"temperature": 0.0})))


@pytest.mark.parametrize(
    ("path", "method", "kind"),
    [
        ("/v1/messages", "POST", "messages"),
        ("/v1/messages/count_tokens", "POST", "count"),
        ("/v1/messages/batches", "POST", None),
        ("/v1/chat/completions", "POST", "chat"),
        ("/v1/responses", "POST", "responses"),
        ("/v1/responses/input_tokens", "POST", "count"),
        ("/v1/responses/compact", "POST", None),
        ("/v1/responses/resp_1", "GET", None),
        ("/v1beta/models/m:generateContent", "POST", "gemini"),
        ("/v1/models/m:streamGenerateContent", "POST", "gemini"),
        ("/v1beta/models/m:countTokens", "POST", "count"),
        ("/v1beta/models/m:embedContent", "POST", "embeddings"),
        ("/v1beta/models/m:batchEmbedContents", "POST", "embeddings"),
        ("/v1beta/models/m:predict", "POST", None),
        ("/v1beta/files", "POST", None),
        ("/v1/embeddings", "POST", "embeddings"),
        ("/v1/embeddings", "GET", None),
        ("/v1/completions", "POST", None),
        ("/v1/images/generations", "POST", None),
        ("/v1/files", "POST", None),
    ],
)
def test_kinds(path, method, kind):
    """Which calls are looked at."""
    assert find_kind(calls.call(path), method) == kind


def test_whose_options_count():
    """Those of the rule that applied, then those of the model at the backend, then those of the model."""
    models = {"m": ModelOptions(cache_ttl=1.0), "box:m": ModelOptions(cache_ttl=2.0, cache_max=1)}
    settings = Settings(routes=(Rule(name="r", cache_tools=True), Rule(name="plain", model="m")), models=Frozen(models))
    route = Route(BACKEND, "M", "catalog")

    def part(name):
        return find_part(msgspec.structs.replace(route, rule=name), settings)

    assert part("r") == Part('rule "r"', 3600.0, 64 << 20, True)
    assert part("plain") == part("") == Part("model box:m", 2.0, 1 << 20, False)
    other = msgspec.structs.replace(route, backend=msgspec.structs.replace(BACKEND, name="other"))
    assert find_part(other, settings).name == "model m"
    assert find_part(route, dataclasses.replace(settings, models=Frozen({}))) is None
