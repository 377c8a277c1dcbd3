"""What must not be done twice is sent once: an upstream that does the work and breaks off before or within its answer,
on a kept connection or a new one, with all of the request or a part of it."""

import json

import pytest

from .budgets import BODY, COMPACTS, configured, proxy
from .samples import CHAT
from .upstream import close, head, keep, plain, reset
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


LENGTH = (b"Content-Length", b"60")
KEYED = ((b"Idempotency-Key", b"one-work"),)
#: Where an answer breaks off, and how.
ENDS = {
    "before it, closed": (close,),
    "before it, reset": (reset,),
    "within its first line": (b"HTTP/1.1 20", close),
    "within its fields": (b"HTTP/1.1 200 OK\r\nContent-Type: application/js", reset),
    "behind an interim answer": (b"HTTP/1.1 103 Early Hints\r\n\r\n", close),
    "behind its head": (head(b"200 OK", LENGTH), close),
    "within its body": (head(b"200 OK", LENGTH) + b'{"id":"x",', close),
}
#: What is asked, and with which header fields: a key for repeating is the client's and the upstream's affair, and the
#: proxy does not know whether the upstream heeds it.
WORK = {
    "images": (*DONE_ONCE["images"], ()),
    "images with a key": (*DONE_ONCE["images"], KEYED),
    "stored with a key": (*DONE_ONCE["stored"], KEYED),
    "delete": (*DONE_ONCE["delete"], ()),
}


def begin(site, up, *, kept):
    """The number of the connection that the next request goes to, or None for one that is not open yet."""
    if kept:
        return keep(up, lambda: ask(site.port, CHAT.path, BODY), plain(CHAT.whole))
    up.clear()
    return None


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("end", ENDS)
def test_what_breaks_off_is_sent_once(site, upstream, end, kept):
    """The request was read whole, so it may have been carried out, whatever came of the answer."""
    for name, (method, path, body, fields) in WORK.items():
        number = begin(site, upstream, kept=kept)
        upstream.script(*ENDS[end])
        upstream.default = [plain(b'{"id":"second"}')]
        data = None if body is None else json.dumps(body).encode()
        found = ask(site.port, path, data, *fields, method=method)
        assert len(upstream.seen) == 1, name
        # What is none of a model's answers is passed on as it comes: the client sees that it is not whole.
        assert found.status == 502 or (end == "within its body" and not found.whole), name
        assert b"second" not in found.body, name
        # What may not be repeated goes to no connection that the upstream may be closing.
        assert number is None or upstream.seen[0].connection in (number, upstream.accepted), name


@pytest.mark.parametrize("end", [name for name in ENDS if "before" not in name])
def test_an_answer_that_began_is_not_asked_for_again(site, upstream, end):
    """Also where the request may be repeated: on a kept connection the upstream had taken it, and only one account is
    there."""
    begin(site, upstream, kept=True)
    upstream.script(*ENDS[end])
    upstream.default = [plain(CHAT.whole)]
    found = ask(site.port, CHAT.path, BODY)
    assert (len(upstream.seen), found.status) == (1, 502)


@pytest.mark.parametrize("kept", [False, True], ids=["new", "kept"])
@pytest.mark.parametrize("read", [0, 1, 200_000])
@pytest.mark.parametrize("end", [close, reset])
def test_what_was_read_in_part_is_sent_once(site, upstream, end, read, kept):
    """The upstream took some of the body, or its head alone: it may have begun the work."""
    begin(site, upstream, kept=kept)
    upstream.reads = read
    upstream.script(end)
    upstream.default = [plain(b'{"id":"second"}')]
    method, path, body = DONE_ONCE["images"]
    found = ask(site.port, path, json.dumps({**body, "prompt": "x" * 3_000_000}).encode(), *KEYED, method=method)
    assert (len(upstream.seen), found.status) == (1, 502)
