"""Google's API as callers use it, at a backend that speaks it: relayed byte for byte, with errors in Google's form."""

import json
import threading

import pytest

from router.exchange.client_response import relay
from router.wire.protocols import GEMINI

from .processes import Threaded, backend, make_home, until
from .samples import PROTOCOLS
from .traffic import answer_of, events_of
from .upstream import END, Upstream, chunk, close, plain, stream, stream_head, wait_for
from .wire import Client, ask, events, request

OTHERS = ("messages", "chat", "responses")
SAMPLES = {one.name: one for one in PROTOCOLS}
COUNTS = {
    "messages": {"input_tokens": 10, "output_tokens": 5},
    "chat": {"prompt_tokens": 10, "completion_tokens": 5},
    "responses": {"input_tokens": 10, "output_tokens": 5},
}
KEY = "AIza-upstream-key-0123456789"
BODY = json.dumps({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}).encode()
PATH = "/v1beta/models/gemini-x:generateContent"
STREAM = "/v1beta/models/gemini-x:streamGenerateContent"
USAGE = {"promptTokenCount": 18, "candidatesTokenCount": 80, "thoughtsTokenCount": 35, "totalTokenCount": 133}


def chunk_of(text, **more):
    """One chunk of a stream, as Google writes it."""
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0, **more.pop("candidate", {})}
    return json.dumps({"candidates": [candidate], **more, "modelVersion": "gemini-x"}).encode()


def frame(data):
    """One event of a stream of Google's."""
    return b"data: " + data + b"\r\n\r\n"


FIRST = chunk_of("Hel")
LAST = chunk_of("lo", candidate={"finishReason": "STOP"}, usageMetadata=USAGE)
WHOLE = chunk_of("Hello", candidate={"finishReason": "STOP"}, usageMetadata=USAGE)
CUT = stream_head() + chunk(frame(FIRST))


@pytest.fixture(scope="module")
def listening():
    found = Upstream()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy with one backend that speaks Google's API, and one that speaks Messages."""
    folder = tmp_path_factory.mktemp("gemini")
    root = listening.root.removesuffix("/v1")
    backends = [
        backend("goo", f"{root}/v1beta", protocols=["gemini"], auth="key", key=KEY),
        *(backend(name, f"{root}/v1", protocols=[name]) | {"added": 1} for name in OTHERS),
    ]
    settings = {"default_backend": "goo"}
    with Threaded(folder, backends=backends, **settings) as running:
        running.entries, running.home = [], make_home(folder)
        running.call(lambda: running.serving.runtime.recorder.listeners.add(running.entries.append))
        yield running


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


def entry(proxy, answer):
    """What the history gets of an answer."""
    name = answer.field(b"x-fairlead-request-id").decode()
    assert until(lambda: any(one.id == name for one in list(proxy.entries)))
    return next(one for one in proxy.entries if one.id == name)


@pytest.mark.parametrize("version", ["v1beta", "v1", "v1alpha"])
def test_a_request_is_relayed_with_the_version_that_it_has(proxy, upstream, version):
    """Body, version and answer pass byte for byte; the key is the backend's, in Google's header."""
    upstream.script(plain(WHOLE))
    answer = ask(proxy.port, f"/{version}/models/gemini-x:generateContent?$fields=candidates", BODY)
    assert (answer.status, answer.body) == (200, WHOLE)
    seen = upstream.seen[0]
    assert seen.line == f"POST /{version}/models/gemini-x:generateContent?$fields=candidates HTTP/1.1".encode()
    assert (seen.body, seen.field(b"x-goog-api-key"), seen.field(b"authorization")) == (BODY, KEY.encode(), None)
    found = entry(proxy, answer)
    assert (found.tokens_in, found.tokens_out, found.protocol) == (18, 115, "gemini")
    assert (found.path, found.method) == (f"/{version}/models/{{model}}:generateContent", "POST")


def test_a_stream_is_relayed_byte_for_byte(proxy, upstream):
    """Each byte of the stream passes; the usage of its last chunk counts."""
    sent = [frame(FIRST), frame(LAST)]
    upstream.script(stream(sent))
    answer = ask(proxy.port, f"{STREAM}?alt=sse", BODY)
    assert answer.body == b"".join(sent)
    assert upstream.seen[0].line.endswith(b"?alt=sse HTTP/1.1")
    found = entry(proxy, answer)
    assert (found.tokens_in, found.tokens_out, found.error) == (18, 115, "")


def test_a_caller_who_asks_for_no_events_gets_an_array(proxy, upstream):
    """Without alt=sse the chunks come as the elements of one JSON array, while the upstream sends events."""
    upstream.script(stream([frame(FIRST), frame(LAST)]))
    answer = ask(proxy.port, f"{STREAM}?%24alt=json%3Benum-encoding%3Dint", BODY)
    assert answer.field(b"content-type") == b"application/json"
    assert json.loads(answer.body) == [json.loads(FIRST), json.loads(LAST)]
    assert b"alt=sse" in upstream.seen[0].line
    assert b"enum" not in upstream.seen[0].line
    assert entry(proxy, answer).tokens_out == 115


def test_a_blocked_prompt_is_a_whole_answer(proxy, upstream):
    """A stream with promptFeedback alone has ended well: Google sends no finish reason then."""
    blocked = frame(json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": USAGE}).encode())
    upstream.script(stream([blocked]))
    answer = ask(proxy.port, f"{STREAM}?alt=sse", BODY)
    assert answer.body == blocked
    assert entry(proxy, answer).error == ""


@pytest.mark.parametrize("way", ["ended", "closed"])
def test_a_stream_without_an_end_is_broken(proxy, upstream, way):
    """A stream that ends before any finish reason ends as broken for the client: an error in an event and by itself,
    then the connection breaks."""
    upstream.script(CUT + END) if way == "ended" else upstream.script(CUT, close)
    with Client(proxy.port) as client:
        client.send(request(f"{STREAM}?alt=sse", BODY))
        answer = client.answer()
    assert not answer.whole
    first, said, raw = answer.body.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")
    assert first == b"data: " + FIRST
    assert said == b"data: " + raw
    error = json.loads(raw)["error"]
    assert (error["code"], error["status"]) == (502, "INTERNAL")


def test_a_broken_array_ends_with_the_error(proxy, upstream):
    """In an array the error is the last element, and the connection breaks behind the bracket."""
    upstream.script(CUT, close)
    answer = ask(proxy.port, STREAM, BODY)
    assert not answer.whole
    first, last = json.loads(answer.body)
    assert first == json.loads(FIRST)
    assert last["error"]["status"] == "INTERNAL"


def test_an_error_event_of_the_upstream_breaks_the_connection(proxy, upstream):
    """Some clients see an error in a stream only when the connection breaks behind it."""
    said = frame(b'{"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}')
    upstream.script(stream([frame(FIRST), said]))
    answer = ask(proxy.port, f"{STREAM}?alt=sse", BODY)
    assert (answer.body, answer.whole) == (frame(FIRST) + said, False)
    assert entry(proxy, answer).error == "upstream_error_event"


@pytest.fixture
def pinged(monkeypatch):
    """Pings come every 50 ms; set once three were sent."""
    event, sent, ping = threading.Event(), [], GEMINI.dialect.ping

    def count(self, begun):
        sent.append(begun)
        if len(sent) == 3:
            event.set()
        return ping(begun)

    monkeypatch.setattr(relay, "PING_SECONDS", 0.05)
    monkeypatch.setattr(type(GEMINI.dialect), "ping", count)
    return event


@pytest.mark.parametrize("spoken", ["gemini", *OTHERS])
@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_nothing_but_data_and_blank_lines_is_sent(proxy, upstream, pinged, spoken, broken):
    """Pings and faults of every backend's stream reach a caller in the lines that all clients of this API read."""
    model, first, rest = "gemini-x", CUT, [frame(LAST)]
    if spoken != "gemini":
        found = events_of(SAMPLES[spoken], COUNTS[spoken])
        at = -3 if spoken == "chat" else -2  # before the finish
        model, first, rest = f"{spoken}:model-a", stream_head() + b"".join(map(chunk, found[:at])), found[at:]
    upstream.script(first, wait_for(pinged), close if broken else b"".join(map(chunk, rest)) + END)
    answer = ask(proxy.port, f"/v1beta/models/{model}:streamGenerateContent?alt=sse", BODY)
    assert answer.whole is not broken
    assert b"\r\n\r\n\r\n\r\n" in answer.body
    lines = [line for line in answer.body.split(b"\r\n") if line]
    if broken:
        raw = lines.pop()
        assert lines[-1] == b"data: " + raw
        assert "error" in json.loads(raw)
    assert all(line.startswith(b"data: {") for line in lines)
    assert all(json.loads(line[6:]) for line in lines)


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_an_array_is_json_whatever_happens(proxy, upstream, pinged, broken):
    """Pings are space between the elements, and an error is the last of them."""
    upstream.script(CUT, wait_for(pinged), close if broken else chunk(frame(LAST)) + END)
    answer = ask(proxy.port, STREAM, BODY)
    first, last = json.loads(answer.body)
    assert first == json.loads(FIRST)
    assert ("error" in last, answer.whole) == (broken, not broken)


@pytest.mark.parametrize(
    ("path", "method", "status", "word"),
    [
        ("/v1beta/models/gemini-x:writePoem", "POST", 404, "NOT_FOUND"),
        ("/v1beta/models/gemini-x", "POST", 404, "NOT_FOUND"),
        (PATH, "GET", 405, "INVALID_ARGUMENT"),
        (STREAM, "DELETE", 405, "INVALID_ARGUMENT"),
        ("/v1beta/models/a%3Fb:generateContent", "POST", 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/a//b:generateContent", "POST", 400, "INVALID_ARGUMENT"),
        ("/v1beta/models/a%25b:generateContent", "POST", 400, "INVALID_ARGUMENT"),
        ("/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", "GET", 501, "UNIMPLEMENTED"),
    ],
)
def test_errors_are_in_googles_form(proxy, path, method, status, word):
    """What fairlead refuses itself has the code, the message and the status word."""
    answer = ask(proxy.port, path, BODY if method == "POST" else None, method=method)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["status"]) == (status, status, word)
    assert error["message"]


def test_a_key_in_the_query_goes_nowhere(proxy, upstream):
    """The parameter key is the caller's credential: it is left out of what is sent upstream."""
    upstream.script(plain(WHOLE))
    assert ask(proxy.port, f"{PATH}?key=AIza-callers-own&$fields=x", BODY).status == 200
    assert upstream.seen[0].line == f"POST {PATH}?$fields=x HTTP/1.1".encode()
    assert upstream.seen[0].field(b"x-goog-api-key") == KEY.encode()


def test_lists_of_models_have_googles_shape(proxy):
    """On /v1beta, and on /v1 for a request that is marked as Google's."""
    for path, fields in (
        ("/v1beta/models?pageSize=1000", ()),
        ("/v1/models", ((b"x-goog-api-client", b"gl-python"),)),
        ("/v1/models?key=abc", ()),
    ):
        found = ask(proxy.port, path, None, *fields).json()
        assert "models/model-a" in [one["name"] for one in found["models"]]
    assert ask(proxy.port, "/v1beta/models/model-a").json()["name"] == "models/model-a"
    assert "data" in ask(proxy.port, "/v1/models").json()


@pytest.mark.parametrize("verb", ["countTokens", "embedContent", "batchEmbedContents"])
def test_other_verbs_pass(proxy, upstream, verb):
    """Counts and embeddings are relayed to a backend that speaks this API."""
    said = b'{"totalTokens": 3}' if verb == "countTokens" else b'{"embedding": {"values": [0.5]}}'
    upstream.script(plain(said))
    answer = ask(proxy.port, f"/v1beta/models/gemini-x:{verb}", BODY)
    assert (answer.status, answer.body) == (200, said)
    assert upstream.seen[0].line == f"POST /v1beta/models/gemini-x:{verb} HTTP/1.1".encode()


def test_other_collections_pass(proxy, upstream):
    """Files, caches and operations go to the backend that speaks this API, as they are."""
    upstream.script(plain(b'{"files": []}'))
    upstream.script(plain(b'{"name": "cachedContents/c1"}'))
    assert ask(proxy.port, "/v1beta/files?pageSize=3").body == b'{"files": []}'
    assert ask(proxy.port, "/v1beta/cachedContents", b'{"model": "models/gemini-x"}').status == 200
    assert [one.line.split()[1] for one in upstream.seen] == [b"/v1beta/files?pageSize=3", b"/v1beta/cachedContents"]


def test_a_wrong_key_of_the_backend_is_an_account_failure(proxy, upstream):
    """A 400 that says that the key is not valid cools the account, and is passed on as it is."""
    error = {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT"}
    upstream.script(plain(json.dumps({"error": error}).encode(), b"400 Bad Request"))
    answer = ask(proxy.port, PATH, BODY)
    assert answer.status == 400
    assert entry(proxy, answer).tries[-1].status == 400


def text_in(answers):
    """The text of some answers or chunks in Google's form."""
    contents = [one["candidates"][0]["content"] for one in answers]
    return "".join(part.get("text", "") for content in contents for part in content.get("parts", ()))


@pytest.mark.parametrize("form", ["whole", "events", "array"])
@pytest.mark.parametrize("spoken", OTHERS)
def test_a_caller_is_served_by_backends_of_other_protocols(proxy, upstream, spoken, form):
    """A request of Google's API is translated to each other protocol, and its answer, stream or array back."""
    sample = SAMPLES[spoken]
    whole = plain(answer_of(sample, COUNTS[spoken]))
    upstream.script(whole if form == "whole" else stream(events_of(sample, COUNTS[spoken])))
    verb = "generateContent" if form == "whole" else "streamGenerateContent"
    query = "?alt=sse" if form == "events" else ""
    answer = ask(proxy.port, f"/v1beta/models/{spoken}:model-a:{verb}{query}", BODY)
    assert answer.status == 200, answer.body
    assert answer.field(b"x-fairlead-translation") == f"gemini->{spoken}".encode()
    if form == "events":
        assert all(line[:6] in (b"data: ", b"") for line in answer.body.split(b"\r\n"))
        found = [json.loads(data) for _, data in events(answer.body)]
    else:
        found = json.loads(answer.body)
        found = found if form == "array" else [found]
    assert text_in(found) or (spoken, form) == ("responses", "whole")  # the sample says nothing
    assert found[-1]["candidates"][0]["finishReason"] == "STOP"
    assert found[-1]["usageMetadata"]["promptTokenCount"] == 10
    assert upstream.seen[0].line == f"POST {sample.path} HTTP/1.1".encode()
    noted = entry(proxy, answer)
    assert (noted.tokens_in, noted.tokens_out) == (10, 5)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("caller", OTHERS)
def test_callers_of_other_protocols_are_served_by_this_one(proxy, upstream, caller, streamed):
    """A request of each other protocol is translated to Google's API, model and verb in the path."""
    upstream.script(stream([frame(FIRST), frame(LAST)]) if streamed else plain(WHOLE))
    turns = {"input": "hi"} if caller == "responses" else {"messages": [{"role": "user", "content": "hi"}]}
    body = {"model": "goo:gemini-x", **turns, "stream": streamed}
    body |= {"max_tokens": 50} if caller == "messages" else {}
    answer = ask(proxy.port, SAMPLES[caller].path, json.dumps(body).encode())
    assert answer.status == 200, answer.body
    assert answer.whole
    assert answer.field(b"x-fairlead-translation") == f"{caller}->gemini".encode()
    verb = "streamGenerateContent?alt=sse" if streamed else "generateContent"
    assert upstream.seen[0].line == f"POST /v1beta/models/gemini-x:{verb} HTTP/1.1".encode()
    assert json.loads(upstream.seen[0].body)["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]
    assert b"Hello" in answer.body or b"Hel" in answer.body
    noted = entry(proxy, answer)
    assert (noted.tokens_in, noted.tokens_out, noted.error) == (18, 115, "")


@pytest.mark.parametrize("spoken", OTHERS)
def test_a_broken_stream_of_another_protocol_breaks_off(proxy, upstream, spoken):
    """A translated stream that breaks ends as this protocol's do: the error twice, and a broken connection."""
    sample = SAMPLES[spoken]
    upstream.script(stream_head() + b"".join(map(chunk, sample.events[:-2])), close)
    answer = ask(proxy.port, f"/v1beta/models/{spoken}:model-a:streamGenerateContent?alt=sse", BODY)
    assert not answer.whole
    *_, said, raw = answer.body.removesuffix(b"\r\n\r\n").split(b"\r\n\r\n")
    assert said == b"data: " + raw
    assert json.loads(raw)["error"]["status"] == "INTERNAL"


@pytest.mark.parametrize(
    ("status", "sent", "word"),
    [
        (429, 429, "RESOURCE_EXHAUSTED"),
        (401, 401, "UNAUTHENTICATED"),
        (529, 503, "UNAVAILABLE"),
        (400, 400, "INVALID_ARGUMENT"),
    ],
)
def test_errors_of_another_protocol_come_in_googles_form(proxy, upstream, status, sent, word):
    """A translated error has Google's status, and RetryInfo where the wait is known."""
    said = {"type": "error", "error": {"type": "api_error", "message": "no"}}
    lines = ((b"Retry-After", b"7"),) if status == 429 else ()
    for _ in range(3):
        upstream.script(plain(json.dumps(said).encode(), b"%d No" % status, *lines))
    answer = ask(proxy.port, "/v1beta/models/messages:model-a:generateContent", BODY)
    error = answer.json()["error"]
    assert (answer.status, error["code"], error["status"]) == (sent, sent, word)
    if status == 429:
        assert error["details"] == [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7s"}]
