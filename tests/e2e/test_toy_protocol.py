"""A fourth protocol is a folder (tests/toy) and one entry: it is served like the other three, and to and from them.

Its model and its stream flag stand in the path, its limits have headers of their own, and so have its errors their
form.
"""

import base64
import itertools
import json

import pytest

from router.wire import protocols

from ..toy import TOY
from .processes import Threaded, backend, make_home, until
from .samples import PROTOCOLS
from .traffic import answer_of, events_of
from .upstream import Upstream, close, plain, stream
from .wire import ask, events

NAMES = ("messages", "chat", "responses", "toy")
SAMPLES = {one.name: one for one in PROTOCOLS}
COUNTS = (("tokens_in", 10), ("tokens_out", 5))
USAGE = {
    "messages": {"input_tokens": 10, "output_tokens": 5},
    "chat": {"prompt_tokens": 10, "completion_tokens": 5},
    "responses": {"input_tokens": 10, "output_tokens": 5},
}
METER = {"seen": 10, "made": 5}
#: As long as a caller can send it: an id, a model and texts that JSON could write otherwise.
SAID = "Caf\u00e9 \u2028 once"
TURNS = {
    "messages": {"max_tokens": 50, "messages": [{"role": "user", "content": SAID}]},
    "chat": {"max_tokens": 50, "messages": [{"role": "user", "content": SAID}]},
    "responses": {"max_output_tokens": 50, "input": SAID, "store": False},
    "toy": {"most": 50, "turns": [{"by": "caller", "say": SAID}]},
}


@pytest.fixture(scope="module")
def listening():
    found = Upstream()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy whose one upstream stands there once a protocol, under the protocol's name."""
    protocols.add(TOY)
    try:
        backends = [backend(name, listening.root, protocols=[name]) for name in NAMES]
        backends.append(backend("keyed", listening.root, protocols=["toy"], auth="key", key="toy-key-0123456789"))
        backends.append(backend("edited", listening.root, protocols=["toy"]))
        folder = tmp_path_factory.mktemp("toy")
        config = make_home(folder) / "config.toml"
        config.touch(mode=0o600)
        config.write_text('[backends.edited]\neffort = "high"\nmax_tokens = 20\n')
        with Threaded(folder, backends=backends, echo_model="off") as running:
            running.entries, running.home = [], make_home(folder)
            running.call(lambda: running.serving.runtime.recorder.listeners.add(running.entries.append))
            yield running
    finally:
        protocols.remove("toy")


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


def request_of(caller, model, *, streamed):
    """Path and body of a request."""
    if caller == "toy":
        return f"/v1/toy/{model}" + (":stream" if streamed else ""), json.dumps(TURNS["toy"]).encode()
    body = {"model": model, **TURNS[caller], **({"stream": True} if streamed else {})}
    return SAMPLES[caller].path, json.dumps(body).encode()


def answer_in(spoken, *, streamed, said=SAID):
    """What an upstream answers."""
    if spoken == "toy":
        if streamed:
            parts = [{"bit": said[:3]}, {"bit": said[3:]}, {"end": "done", "meter": METER}]
            return stream([b"data: %b\n\n" % json.dumps(part).encode() for part in parts])
        return plain(json.dumps({"no": "n1", "from": "model-a", "say": said, "end": "done", "meter": METER}).encode())
    sample = SAMPLES[spoken]
    return stream(events_of(sample, USAGE[spoken])) if streamed else plain(answer_of(sample, USAGE[spoken]))


def entry(proxy, answer):
    """What the history gets of an answer."""
    name = answer.field(b"x-fairlead-request-id").decode()
    assert until(lambda: any(one.id == name for one in list(proxy.entries)))
    return next(one for one in proxy.entries if one.id == name)


def text_of(caller, answer, *, streamed):
    """What an answer says; a stream must come to the end that its protocol has."""
    if not streamed:
        data = answer.json()
        if caller == "toy":
            assert data["end"] == "done"
            return data["say"]
        if caller == "messages":
            return "".join(block["text"] for block in data["content"])
        if caller == "chat":
            return data["choices"][0]["message"]["content"]
        return "".join(part["text"] for item in data["output"] for part in item["content"])
    found = [json.loads(data) for _, data in events(answer.body) if data != b"[DONE]"]
    if caller == "toy":
        assert found[-1]["end"] == "done"
        return "".join(event.get("bit", "") for event in found)
    if caller == "messages":
        assert found[-1]["type"] == "message_stop"
        return "".join(event.get("delta", {}).get("text", "") for event in found)
    if caller == "chat":
        choices = [choice for event in found for choice in event["choices"]]
        return "".join(choice["delta"].get("content") or "" for choice in choices)
    assert found[-1]["type"] == "response.completed"
    return "".join(event["delta"] for event in found if event["type"] == "response.output_text.delta")


def error_in(caller, data):
    """The message of an error in the caller's form."""
    return data["trouble"]["why"] if caller == "toy" else data["error"]["message"]


WITH_TOY = [pair for pair in itertools.product(NAMES, NAMES) if "toy" in pair]


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(("caller", "spoken"), WITH_TOY)
def test_it_is_served(proxy, upstream, caller, spoken, streamed):
    """Relayed and translated both ways, streamed and not: the request as its backend wants it, the answer as its
    caller does, and the same counts in the history."""
    upstream.script(answer_in(spoken, streamed=streamed))
    answer = ask(proxy.port, *request_of(caller, f"{spoken}:model-a", streamed=streamed))
    assert (answer.status, answer.whole) == (200, True), answer.body
    [seen] = upstream.seen
    path, sent = seen.line.split()[1].decode(), json.loads(seen.body)
    assert path == request_of(spoken, "model-a", streamed=streamed)[0]
    if spoken == "toy":
        assert sent == TURNS["toy"]
        assert seen.field(b"x-toy-version") == (None if caller == "toy" else b"1")
    else:
        assert (sent["model"], sent.get("stream", False)) == ("model-a", streamed)
    if caller == spoken:
        assert answer.body == answer_in(spoken, streamed=streamed).partition(b"\r\n\r\n")[2] or streamed
    if spoken == "toy":
        assert text_of(caller, answer, streamed=streamed) == SAID
    elif spoken != "responses" or streamed:
        assert text_of(caller, answer, streamed=streamed).startswith("H")
    found = entry(proxy, answer)
    assert (found.protocol, found.model, found.served, found.stream) == (
        *(caller, f"{spoken}:model-a", "model-a", streamed),
    )
    assert [(name, getattr(found, name)) for name, _ in COUNTS] == list(COUNTS)
    assert not found.estimated
    assert answer.field(b"x-fairlead-translation") == (None if caller == spoken else f"{caller}->{spoken}".encode())


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("caller", NAMES)
def test_its_errors(proxy, upstream, caller, streamed):
    """An error of a toy upstream is one in its caller's form, with the caller's status; within a 200 too."""
    body = b'{"trouble":{"word":"where","why":"No such model here."}}'
    upstream.script(plain(body, b"404 Not Found"))
    answer = ask(proxy.port, *request_of(caller, "toy:model-a", streamed=streamed))
    assert (answer.status, error_in(caller, answer.json())) == (404, "No such model here.")
    upstream.script(stream([b"data: " + body + b"\n\n"]) if streamed else plain(body))
    answer = ask(proxy.port, *request_of(caller, "toy:model-a", streamed=streamed))
    assert (answer.status, error_in(caller, answer.json())) == (404, "No such model here.")


@pytest.mark.parametrize("spoken", NAMES)
def test_its_callers_errors(proxy, upstream, spoken):
    """A toy caller gets every error in its form: those of other upstreams, and fairlead's own, with its request id."""
    said = {"message": "No such thing.", "type": "not_found_error", "code": None, "param": None}
    other = {
        "messages": {"type": "error", "error": said},
        "toy": {"trouble": {"word": "where", "why": said["message"]}},
    }
    upstream.script(plain(json.dumps(other.get(spoken, {"error": said})).encode(), b"404 Not Found"))
    answer = ask(proxy.port, *request_of("toy", f"{spoken}:model-a", streamed=False))
    assert (answer.status, answer.json()["trouble"]["why"]) == (404, "No such thing.")
    own = ask(proxy.port, *request_of("toy", "nobody:model", streamed=False))
    assert own.status == 404
    assert "nobody" in own.json()["trouble"]["why"]
    assert own.field(b"x-toy-id") == own.field(b"x-fairlead-request-id")


def test_a_stream_that_breaks(proxy, upstream):
    """It ends with the protocol's own error event, without a clean end."""
    upstream.script(stream([b'data: {"bit":"on"}\n\n']).removesuffix(b"0\r\n\r\n"), close)
    answer = ask(proxy.port, *request_of("toy", "toy:model-a", streamed=True))
    assert not answer.whole
    assert "before the answer was complete" in json.loads(events(answer.body)[-1][1])["trouble"]["why"]


def test_its_limits(proxy, upstream):
    """They are read for the history, and callers of others find them under their names, and the other way round."""
    fields = (
        (b"Toy-Limit-Tokens-Limit", b"100"),
        (b"Toy-Limit-Tokens-Remaining", b"25"),
        (b"Toy-Limit-Tokens-Reset", b"1m1s"),
    )
    body = answer_in("toy", streamed=False).partition(b"\r\n\r\n")[2]
    upstream.script(plain(body, b"200 OK", *fields))
    answer = ask(proxy.port, *request_of("chat", "toy:model-a", streamed=False))
    assert answer.field(b"x-ratelimit-remaining-tokens") == b"25"
    assert answer.field(b"x-ratelimit-reset-tokens") == b"61s"
    assert entry(proxy, answer).utilisation == 0.75
    upstream.script(plain(body, b"200 OK", *fields))
    answer = ask(proxy.port, *request_of("messages", "toy:model-a", streamed=False))
    assert answer.field(b"anthropic-ratelimit-tokens-limit") == b"100"
    assert answer.field(b"anthropic-ratelimit-tokens-reset").endswith(b"Z")
    whole = answer_in("chat", streamed=False).partition(b"\r\n\r\n")[2]
    upstream.script(
        plain(whole, b"200 OK", (b"X-Ratelimit-Remaining-Tokens", b"7"), (b"X-Ratelimit-Reset-Tokens", b"2s"))
    )
    answer = ask(proxy.port, *request_of("toy", "chat:model-a", streamed=False))
    assert answer.field(b"toy-limit-tokens-remaining") == b"7"
    assert answer.field(b"toy-limit-tokens-reset") == b"2s"


def test_its_key(proxy, upstream):
    """A key goes in the header that its API has."""
    upstream.script(answer_in("toy", streamed=False))
    assert ask(proxy.port, *request_of("chat", "keyed:model-a", streamed=False)).status == 200
    assert upstream.seen[0].field(b"x-toy-key") == b"toy-key-0123456789"
    assert upstream.seen[0].field(b"authorization") is None


def test_what_is_configured_for_it(proxy, upstream):
    """Effort and output cap stand in its own fields; a model that is renamed has its new name in the path."""
    upstream.script(answer_in("toy", streamed=False))
    assert ask(proxy.port, *request_of("toy", "edited:model-a", streamed=False)).status == 200
    [seen] = upstream.seen
    assert json.loads(seen.body) == TURNS["toy"] | {"most": 20, "care": "high"}
    assert seen.line.split()[1] == b"/v1/toy/model-a"


def test_tokens_it_does_not_count(proxy, upstream):
    """They are estimated for a caller whose protocol counts; its own further paths go to its backend."""
    question = json.dumps(TURNS["messages"] | {"model": "toy:model-a"}).encode()
    answer = ask(proxy.port, "/v1/messages/count_tokens", question)
    assert answer.status == 200
    assert answer.json()["input_tokens"] > 0
    assert answer.field(b"x-fairlead-loss") == b"input_tokens=weakened"
    assert upstream.seen == []


def test_a_path_without_a_model(proxy):
    """It is none of the protocol's: fairlead refuses it in the form of the API that most servers follow."""
    answer = ask(proxy.port, "/v1/toy/", b"{}")
    assert answer.status == 400
    assert "names no model" in answer.json()["error"]["message"]


@pytest.mark.parametrize("named", [True, False])
def test_it_is_explained(proxy, named):
    """A body is told from its fields where its protocol is not said; an unknown protocol is refused."""
    token = (proxy.home / "operator.token").read_bytes().strip()
    body = base64.b64encode(json.dumps(TURNS["toy"]).encode()).decode()
    question = {"model": "chat:model-a", "body": body} | ({"protocol": "toy"} if named else {})
    found = explained(proxy, token, question).json()
    assert (found["protocol"], found["backend"], found["translation"]) == ("toy", "chat", "toy->chat"), found
    refused = explained(proxy, token, question | {"protocol": "toys"})
    assert refused.status == 400
    assert "messages, chat, responses, gemini, toy" in refused.json()["error"]["message"]


def explained(proxy, token, question):
    """The answer to a question."""
    return ask(proxy.port, "/admin/explain", json.dumps(question).encode(), (b"Authorization", b"Bearer " + token))
