"""What must not be done twice is sent once: an upstream that does the work and closes a kept connection unanswered."""

import json

import pytest

from .budgets import BODY, COMPACTS, configured, proxy
from .samples import CHAT
from .upstream import close, keep, plain
from .wire import ask

RESPONSE = {"model": "model-a", "input": "x"}
#: method, path and body of what may leave something behind.
DONE_ONCE = {
    "images": ("POST", "/v1/images/generations", {"model": "model-a", "prompt": "x"}),
    "batches": ("POST", "/v1/batches", {"input_file_id": "f"}),
    "fine-tuning": ("POST", "/v1/fine_tuning/jobs", {"model": "model-a", "training_file": "f"}),
    "stored": ("POST", "/v1/responses", {**RESPONSE, "store": True}),
    "background": ("POST", "/v1/responses", {**RESPONSE, "background": True}),
    "delete": ("DELETE", "/v1/responses/resp_1", None),
    "put": ("PUT", "/v1/unheard/of", {"a": 1}),
    "patch": ("PATCH", "/v1/unheard/of", {"a": 1}),
    "unknown post": ("POST", "/v1/unheard/of", {"a": 1}),
    "compact": ("POST", "/v1/responses/compact", RESPONSE),
}
REPEATED = {
    "chat": ("POST", CHAT.path, json.loads(BODY)),
    "embeddings": ("POST", "/v1/embeddings", {"model": "model-a", "input": "x"}),
    "not stored": ("POST", "/v1/responses", {**RESPONSE, "store": False}),
    "counting": ("POST", "/v1/responses/input_tokens", RESPONSE),
    "reading": ("GET", "/v1/batches/b", None),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory, listening):
    """A proxy with that upstream."""
    folder = tmp_path_factory.mktemp("once")
    configured(folder, COMPACTS)
    with proxy(folder, listening) as one:
        one.settled("box")
        yield one


def asked(site, up, method, path, body):
    """The answer to a request that goes to a kept connection, which is closed once the request was read; how often it
    came."""
    data = None if body is None else json.dumps(body).encode()
    number = keep(up, lambda: ask(site.port, CHAT.path, BODY), plain(CHAT.whole))
    up.script(close)
    up.default = [plain(b'{"id":"x","usage":{"input_tokens":1,"output_tokens":1}}')]
    found = ask(site.port, path, data, method=method)
    return found, [seen.connection == number for seen in up.seen]


@pytest.mark.parametrize("name", DONE_ONCE)
def test_what_may_have_been_done_is_sent_once(site, upstream, name):
    """502 that says so, and the upstream has seen it once, on whatever connection."""
    found, kept = asked(site, upstream, *DONE_ONCE[name])
    assert found.status == 502
    assert b"It may have carried the request out" in found.body
    assert len(kept) == 1


@pytest.mark.parametrize("name", REPEATED)
def test_what_may_be_repeated_is(site, upstream, name):
    """On a new connection, when the kept one was closed without an answer."""
    found, kept = asked(site, upstream, *REPEATED[name])
    assert found.status == 200
    assert kept in ([True, False], [False])
