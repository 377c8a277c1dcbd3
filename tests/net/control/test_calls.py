"""The control plane against real sockets: catalogs, tiny requests, a running proxy, and what each may refuse."""

import json
from threading import get_ident
from types import SimpleNamespace

import pytest
import trio

from router import __version__
from router.net.client.outbound import Outbound
from router.net.control.calls import (
    NAMES_BYTES,
    ControlError,
    clean,
    fetch_models,
    is_catalog_public,
    post_json,
    probe,
    probe_stream,
)
from router.net.control.request import BODY_LIMIT
from router.settings import Secret

from ...providers import gemini
from ...providers.gemini import GeminiUpstream
from ...spellings import SPELLINGS, leaks
from ..peers import KEY, backend, failure, listed, models

TOKEN = Secret("t" * 43)
_EMPTY = SimpleNamespace(has_more=False, last_id=None)


def test_catalog_in_openai_form(peer):
    """A catalog is read once with the bearer key and fairlead's own user agent; each name comes once, in order."""
    peer.answers["/v1/models"] = listed("b", "a", "b")
    assert models(backend(peer.root)) == ["b", "a"]
    [(_, _, headers, _)] = peer.seen
    assert headers["authorization"] == "Bearer sk-very-secret"
    assert headers["user-agent"] == f"fairlead/{__version__}"
    assert "x-api-key" not in headers


def test_configured_headers_go_along(peer):
    """With the catalog and with a test; they win over a version of ours and never over the key."""
    peer.answers["/v1/models?limit=1000"] = listed("a")
    peer.answers["/v1/messages"] = (200, {}, b'{"content":[{"type":"text","text":"Hi"}]}')
    target = backend(peer.root, vendor="anthropic", protocols=("messages",))
    way = Outbound(headers={"x-title": "fairlead", "anthropic-version": "2099-01-01", "x-api-key": "not-this"})
    assert models(target, outbound=way) == ["a"]
    assert trio.run(lambda: probe(target, KEY, "m", "messages", outbound=way)) == "Hi"
    for _, _, headers, _ in peer.seen:
        assert headers["x-title"] == "fairlead"
        assert headers["anthropic-version"] == "2099-01-01"
        assert headers["x-api-key"] == KEY.reveal()


def test_catalog_in_anthropic_form_has_pages(peer):
    """Anthropic's catalog is read with its header and its version, page after page."""
    peer.answers["/v1/models?limit=1000"] = listed("claude-a", has_more=True, last_id="claude a&b")
    peer.answers["/v1/models?limit=1000&after_id=claude%20a%26b"] = listed("claude-b", has_more=False)
    assert models(backend(peer.root, "anthropic", ("messages",))) == ["claude-a", "claude-b"]
    for _, _, headers, _ in peer.seen:
        assert headers["x-api-key"] == "sk-very-secret"
        assert headers["anthropic-version"] == "2023-06-01"
        assert "authorization" not in headers


def test_catalog_in_googles_form_has_pages(peer):
    """Google's catalog is read with its header, page after page; names come without what stands in front of them, and
    models that answer no request are left out."""
    answers = {"supportedGenerationMethods": ["generateContent", "countTokens"]}
    entries = [
        {"name": "models/gemini-a", "inputTokenLimit": 1048576, **answers},
        {"name": "models/answers-questions", "supportedGenerationMethods": ["generateAnswer"]},
        {"name": "models/embedding-a", "supportedGenerationMethods": ["embedContent"]},
        {"displayName": "nameless"},
        "none",
    ]
    first = {"models": entries, "nextPageToken": "a b&c"}
    last = {"models": [{"name": "models/gemini-a"}, {"name": "gemini-b"}]}
    peer.answers["/v1/models?pageSize=1000"] = (200, {}, json.dumps(first).encode())
    peer.answers["/v1/models?pageSize=1000&pageToken=a%20b%26c"] = (200, {}, json.dumps(last).encode())
    assert models(backend(peer.root, "", ("gemini",))) == ["gemini-a", "embedding-a", "gemini-b"]
    for _, _, headers, _ in peer.seen:
        assert headers["x-goog-api-key"] == "sk-very-secret"
        assert "authorization" not in headers


@pytest.mark.parametrize("entries", [{}, "none", 7])
def test_what_is_no_list_in_googles_form(peer, entries):
    """Models that are no list are no catalog."""
    peer.answers["/v1/models?pageSize=1000"] = (200, {}, json.dumps({"models": entries}).encode())
    with pytest.raises(ControlError, match="did not send a list of models"):
        models(backend(peer.root, "", ("gemini",)))


def test_probes_in_googles_form():
    """A test request and a test of a stream go to the paths of Google's API, in its form."""
    with GeminiUpstream() as up:
        target = backend(up.root, "", ("gemini",))
        key = Secret(gemini.KEY)
        assert "gemini-3.8-flash" in trio.run(fetch_models, target, key)
        assert trio.run(lambda: probe(target, key, "gemini-3.8-flash", "gemini")) == gemini.ANSWER
        assert trio.run(lambda: probe_stream(target, key, "gemini-3.8-flash", "gemini")).events > 1
        with pytest.raises(ControlError, match="API key not valid"):
            trio.run(lambda: probe(target, KEY, "gemini-3.8-flash", "gemini"))
        with pytest.raises(ControlError, match="overloaded"):
            trio.run(lambda: probe_stream(target, key, "gemini-3.8-flash-sse-error-first", "gemini"))


def test_catalog_that_never_ends_is_cut(peer):
    """A server that always has another page is not followed for ever."""
    peer.answers["/v1/models"] = listed("a", has_more=True, last_id="a")
    peer.answers["/v1/models?limit=1000&after_id=a"] = listed("a", has_more=True, last_id="a")
    assert models(backend(peer.root)) == ["a"]
    assert len(peer.seen) == 20


def test_a_catalog_of_long_names_is_cut(peer):
    """All names of a catalog together are bounded in bytes; the first ones count, each once."""
    names = [f"{at:05d}-{'x' * 240}" for at in range(10_000)]
    peer.answers["/v1/models"] = listed(*names)
    found = models(backend(peer.root))
    assert found == names[: len(found)]
    assert NAMES_BYTES - 256 < sum(map(len, found)) <= NAMES_BYTES


def test_a_large_catalog_is_read_beside_the_loop(peer, monkeypatch):
    """Its names are checked in a thread: other tasks run meanwhile."""
    seen = []
    monkeypatch.setattr("router.net.control.calls._read_page", lambda *_: seen.append(get_ident()) or (_EMPTY, []))
    peer.answers["/v1/models"] = listed(*(f"model-{at}" for at in range(5000)))
    models(backend(peer.root))
    peer.answers["/v1/models"] = listed("a")
    models(backend(peer.root))
    assert [one == get_ident() for one in seen] == [False, True]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'[{"id":"a"}]', ["a"]),
        (b'{"data":null,"object":"list"}', []),
        (b'{"data":[]}', []),
        (
            b'{"data":[{"id":"a","context_length":NaN,"created":1e999},{"id":"b","max_tokens":18446744073709551616}]}',
            ["a", "b"],
        ),
        (b'{"data":[{"id":"a"},{"id":"\\ud800\x1b"}]}', ["a"]),
    ],
)
def test_other_forms_of_a_catalog(peer, body, names):
    """A bare list, and a server without any model, are read too; absurd values of an entry do not cost the list."""
    peer.answers["/v1/models"] = (200, {}, body)
    assert models(backend(peer.root)) == names


def test_names_that_could_steer_a_terminal_are_left_out(peer):
    """A catalog's names are plain text of at most 256 bytes; others are not listed."""
    peer.answers["/v1/models"] = listed("ok", "", "a\x1b[31m", "a\nb", "a\u202eb", "x" * 257)
    assert models(backend(peer.root)) == ["ok"]


def test_gemini_names_are_those_requests_use(peer):
    """Gemini lists `models/NAME`; requests say NAME."""
    peer.answers["/v1/models"] = listed("models/gemini-3-pro")
    assert models(backend(peer.root, "gemini")) == ["gemini-3-pro"]
    assert models(backend(peer.root, "groq")) == ["models/gemini-3-pro"]


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (
            b'{"error":{"message":"Bad key sk-very-secret","code":"invalid_api_key","type":"x"}}',
            "invalid_api_key",
            "Bad",
        ),
        (b'{"type":"error","error":{"type":"authentication_error","message":"no"}}', "authentication_error", "no"),
        (b'{"error":"plain"}', "", "plain"),
        (b'{"message":"top","code":7}', "", "top"),
        (b'{"detail":"Not authenticated"}', "", "Not authenticated"),
        (b'{"error":{"message":"a\\u001b[2Jb\\u202ec"}}', "", "a [2Jbc"),
        (b"", "", "answered 401 and gave no reason"),
        (b"just text", "", "just text"),
        (b"<html><body>portal</body></html>", "", "a web page"),
        (b"[" * 100_000, "", "[[["),
    ],
)
def test_refusal_is_in_the_providers_words(peer, body, code, text):
    """A refusal carries status, code and message, cut to a line, without the key and control characters."""
    peer.answers["/v1/models"] = (401, {}, body)
    error = failure(lambda: fetch_models(backend(peer.root), KEY))
    assert (error.status, error.code) == (401, code)
    assert text in str(error)
    assert str(error) == clean(str(error))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_refusal_does_not_repeat_the_key(peer, spelling):
    """The terminal, the status and the history get it in no spelling."""
    body = f'{{"error":{{"message":"bad {SPELLINGS[spelling](KEY.reveal())}"}}}}'.encode()
    peer.answers["/v1/models"] = (401, {}, body)
    error = failure(lambda: fetch_models(backend(peer.root), KEY))
    assert not leaks(KEY.reveal(), str(error).encode())


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ((302, {"location": "https://login.example/x?y"}, b""), r"redirects to login.example \(302\)"),
        ((200, {"content-type": "text/html"}, b"<!doctype html>"), "sent a web page, not an API's answer"),
        ((200, {}, b"  <html>"), "sent a web page"),
        ((200, {}, b"hello"), "answered, but not in JSON"),
        ((200, {}, b'{"models":[]}'), "did not send a list of models"),
        ((200, {}, b'{"data":[{"name":"a"}]}'), "did not send a list of models"),
        ((200, {}, b'{"error":{"message":"inside"}}'), "inside"),
        ((200, {}, b" " * (BODY_LIMIT + 1)), "sent more than 8 MiB"),
    ],
)
def test_answer_that_is_no_catalog_says_what_was_seen(peer, answer, text):
    """What is no catalog is an error with its status and what it was; a redirect is named and not followed."""
    peer.answers["/v1/models"] = answer
    error = failure(lambda: fetch_models(backend(peer.root), KEY))
    assert error.status == (None if len(answer[2]) > BODY_LIMIT else answer[0])
    with pytest.raises(ControlError, match=text):
        raise error
    assert len(peer.seen) == 1


def test_open_catalog_is_told_from_a_closed_one(peer):
    """Whether a catalog needs the key is found out, since an open one does not prove the key."""
    target = backend(peer.root)
    peer.answers["/v1/models"] = lambda headers: listed("a") if "authorization" in headers else (401, {}, b"{}")
    assert trio.run(is_catalog_public, target) is False
    peer.answers["/v1/models"] = listed("a")
    assert trio.run(is_catalog_public, target) is True
    peer.answers["/v1/models"] = (503, {}, b"{}")
    assert trio.run(is_catalog_public, target) is None


ANSWERS = {
    "messages": ("/v1/messages", {"content": [{"type": "text", "text": "Hi"}]}),
    "chat": ("/v1/chat/completions", {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}),
    "responses": ("/v1/responses", {"output": [{"type": "reasoning"}, {"content": [{"text": "Hi"}]}]}),
}


@pytest.mark.parametrize("protocol", ANSWERS)
def test_tiny_request(peer, protocol):
    """A probe is a real request of 16 tokens in the protocol, and gives back what the model said."""
    path, answer = ANSWERS[protocol]
    peer.answers[path] = (200, {}, json.dumps(answer).encode())
    assert trio.run(probe, backend(peer.root), KEY, "some-model", protocol) == "Hi"
    [(method, _, headers, body)] = peer.seen
    assert (method, headers["content-type"]) == ("POST", "application/json")
    assert headers.get("anthropic-version") == ("2023-06-01" if protocol == "messages" else None)
    sent = json.loads(body)
    assert sent["model"] == "some-model"
    assert sent.get("max_tokens", sent.get("max_output_tokens")) == 16


def test_tiny_request_to_openai(peer):
    """OpenAI's newer models know max_completion_tokens only."""
    path, answer = ANSWERS["chat"]
    peer.answers[path] = (200, {}, json.dumps(answer).encode())
    trio.run(probe, backend(peer.root, "openai"), KEY, "gpt-5", "chat")
    assert json.loads(peer.seen[0][3])["max_completion_tokens"] == 16


def test_answer_of_another_form_fails_the_probe(peer):
    """A 200 that is not the protocol's answer does not count as one; one without text does."""
    peer.answers["/v1/messages"] = (200, {}, b'{"choices":[]}')
    error = failure(lambda: probe(backend(peer.root), KEY, "m", "messages"))
    assert "does not have the form of this protocol" in str(error)
    peer.answers["/v1/messages"] = (200, {}, b'{"content":[]}')
    assert trio.run(probe, backend(peer.root), KEY, "m", "messages") == ""


def test_streamed_answer_is_read_to_its_end(peer):
    """A streamed answer comes back whole, with its status and the time to its first byte."""
    peer.answers["/v1/messages"] = (200, {"content-type": "text/event-stream"}, b"data: 1\n\n")
    answer = trio.run(post_json, f"{peer.root}/messages", {"accept": "text/event-stream"}, b"{}")
    assert (answer.status, answer.body) == (200, b"data: 1\n\n")
    assert answer.first_byte > 0
