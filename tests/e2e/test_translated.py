"""Translated exchanges keep the rules of the relay: commit point, whole events, errors, ends, bounds, headers.

Each runs in all six directions: the client speaks one protocol, the scripted upstream the other.
"""

import gzip
import itertools
import json
import sys
import time
import zlib

import brotli
import pytest

from .processes import Proxy, backend, until
from .samples import CHAT, MESSAGES, PROTOCOLS, RESPONSES
from .upstream import chunk as framed
from .upstream import close, hang, plain, rechunked, stream, stream_head
from .wire import ask, events

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PAIRS = [
    pytest.param(asked, spoken, id=f"{asked.name}-{spoken.name}")
    for asked, spoken in itertools.permutations(PROTOCOLS, 2)
]
ENDS = {"messages": b"message_stop", "chat": b"[DONE]", "responses": b"response.completed"}
KEY = "sk-upstream-0123456789"


@pytest.fixture(scope="module")
def routed(tmp_path_factory, listening):
    """A proxy whose one upstream stands there once for each protocol; the prefix of a model chooses."""
    backends = [
        backend("chat", listening.root, protocols=["chat"], auth="key", key=KEY),
        backend("messages", listening.root, protocols=["messages"], auth="key", key=KEY, vendor="anthropic"),
        backend("responses", listening.root, protocols=["responses"], auth="key", key=KEY),
        backend("own-chat", listening.root, protocols=["chat"], auth="client"),
        backend("own-messages", listening.root, protocols=["messages"], auth="client"),
        backend("own-responses", listening.root, protocols=["responses"], auth="client"),
    ]
    with Proxy(tmp_path_factory.mktemp("translated"), backends=backends) as proxy:
        proxy.settled("chat", "messages")
        yield proxy


def body(protocol, spoken, *, streamed=False, **fields):
    """A request in one protocol for a model whose backend speaks the other."""
    said = [{"role": "user", "content": "hi"}]
    asked = {"max_output_tokens": 50, "input": said} if protocol is RESPONSES else {"max_tokens": 50, "messages": said}
    asked["model"] = f"{spoken.name}:model-a"
    return json.dumps({**asked, **({"stream": True} if streamed else {}), **fields}).encode()


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("seed", range(5))
def test_stream_in_any_pieces(routed, upstream, asked, spoken, seed):
    """Whatever chunks the upstream writes, the client gets the same whole events."""
    upstream.script(stream(spoken.events))
    first = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    upstream.script(rechunked(spoken.events, seed))
    again = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    assert (first.status, first.whole, again.whole) == (200, True, True)
    assert first.field(b"content-type").startswith(b"text/event-stream")
    assert shape(again) == shape(first)
    assert shape(first)


def shape(answer):
    """The events of an answer without what differs from one to the next."""
    found = []
    for _, data in events(answer.body):
        one = json.loads(data) if data != b"[DONE]" else data
        if isinstance(one, dict):
            one = {name: value for name, value in one.items() if name not in ("id", "created")}
            for holder in ("message", "response"):
                one[holder] = {
                    name: value for name, value in one.get(holder, {}).items() if name in ("status", "usage")
                }
            one = {name: value for name, value in one.items() if name not in ("item", "item_id")}
        found.append(one)
    return found


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_what_the_upstream_gets(routed, upstream, asked, spoken):
    """Its own path, model and key, fairlead's own headers, and none of the client's."""
    upstream.script(plain(spoken.whole))
    foreign = (b"x-stainless-lang", b"anthropic-beta", b"openai-organization", b"x-app", b"user-agent")
    answer = ask(routed.port, asked.path, body(asked, spoken), *((name, b"theirs") for name in foreign))
    assert answer.status == 200, answer.body
    assert answer.field(b"x-fairlead-translation") == f"{asked.name}->{spoken.name}".encode()
    [seen] = upstream.seen
    assert seen.line.split()[1] == spoken.path.encode()
    assert json.loads(seen.body)["model"] == "model-a"
    assert seen.field(b"user-agent").startswith(b"fairlead/")
    assert KEY.encode() in (seen.field(b"authorization") or b"") + (seen.field(b"x-api-key") or b"")
    names = {name.lower() for name, _ in seen.lines}
    assert names & {*foreign} == {b"user-agent"}
    assert (b"anthropic-version" in names) is (spoken is MESSAGES)


def test_the_callers_own_key_is_not_translated(routed, upstream):
    """With auth = client the key of a Messages caller is not for a Chat upstream: nothing is sent there."""
    asked = body(MESSAGES, CHAT).replace(b"chat:", b"own-chat:")
    answer = ask(routed.port, MESSAGES.path, asked, (b"x-api-key", b"sk-mine"))
    assert (answer.status, answer.json()["error"]["type"]) == (401, "authentication_error")
    assert "Use a tool that speaks OpenAI Chat" in answer.json()["error"]["message"]
    assert upstream.seen == []


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429, 500, 503])
@pytest.mark.parametrize("streamed", [False, True])
def test_errors_before_the_answer(routed, upstream, asked, spoken, status, streamed):
    """An upstream's error is one of the caller's protocol, with its text and its retry-after."""
    error = {"type": "some_error", "message": "out of order"}
    whole = {"type": "error", "error": error} if spoken is MESSAGES else {"error": error}
    code = b"%d X" % status
    upstream.script(plain(json.dumps(whole).encode(), code, (b"retry-after", b"7")))
    # Where callers have accounts of their own, an error of one request parks nothing for the next.
    model = f"own-{spoken.name}:model-a"
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=streamed, model=model))
    expected = {503: 529 if asked is MESSAGES else 503}.get(status, status)
    assert answer.status == expected
    found = answer.json()
    assert found["error"]["message"] == "out of order"
    assert (found.get("type") == "error") is (asked is MESSAGES)
    assert answer.field(b"retry-after") == b"7"


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_an_error_page(routed, upstream, asked, spoken):
    """A gateway's page becomes an error of the caller's protocol with the same status."""
    upstream.script(plain(b"<title>Bad day</title>", b"502 Bad Gateway", kind=b"text/html"))
    answer = ask(routed.port, asked.path, body(asked, spoken))
    assert answer.status == 502
    assert "Bad day" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_of_another_protocol(routed, upstream, asked, spoken, streamed):
    """JSON that is no answer of the upstream's protocol is a 502 that says so."""
    upstream.script(plain(b'{"hello": 1}'))
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=streamed))
    assert answer.status == 502
    assert spoken.name in answer.json()["error"]["message"].lower()


def fault(spoken):
    error = (
        {"type": "overloaded_error", "message": "too busy"}
        if spoken is MESSAGES
        else {"code": 503, "message": "too busy"}
    )
    data = {"error": error} if spoken is CHAT else {"type": "error", "error": error}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("streamed", [False, True])
def test_75_an_error_inside_a_200(routed, upstream, asked, spoken, streamed):
    """An error that comes first has the status it should have had, for streams and for plain answers."""
    script = stream([fault(spoken)]) if streamed else plain(fault(spoken)[6:].strip())
    upstream.script(script)
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=streamed))
    assert answer.status == (529 if asked is MESSAGES else 503)
    assert answer.json()["error"]["message"] == "too busy"


def last_error(asked, answer):
    """The message of the error that a stream ends with, in its protocol's own form."""
    found = [json.loads(data) for _, data in events(answer.body)]
    if asked is RESPONSES:
        assert [one["type"] for one in found[-2:]] == ["error", "response.failed"]
        assert len({one["response"]["id"] for one in found if "response" in one}) == 1
        assert [one["sequence_number"] for one in found] == list(range(len(found)))
        assert found[-2]["error"]["message"] == found[-2]["message"]
        return found[-1]["response"]["error"]["message"]
    assert (found[-1].get("type") == "error") is (asked is MESSAGES)
    return found[-1]["error"]["message"]


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_74_76_77_an_error_in_mid_stream(routed, upstream, asked, spoken):
    """After content it is the protocol's error event, and nothing follows it."""
    upstream.script(stream([*spoken.events[: spoken.begun], fault(spoken), *spoken.events[spoken.begun :]]))
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    assert answer.status == 200
    assert last_error(asked, answer) == "too busy"
    assert ENDS[asked.name] not in answer.body


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("cleanly", [False, True])
def test_67_a_stream_that_breaks(routed, upstream, asked, spoken, cleanly):
    """UpstreamDisconnected off, or ended without its last event, it ends with an error of the caller's protocol."""
    begun = stream_head() + b"".join(map(framed, spoken.events[: spoken.begun]))
    upstream.script(begun + b"0\r\n\r\n" if cleanly else begun, close)
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    assert answer.status == 200
    assert ("ended the stream before its last event" if cleanly else "before the answer was complete") in last_error(
        asked, answer
    )
    assert ENDS[asked.name] not in answer.body


def test_an_upstream_that_does_not_hang_up(routed, upstream):
    """After the finish reason two seconds are waited for the rest; then the answer is whole without it."""
    said = [one for one in CHAT.events if b"[DONE]" not in one]
    upstream.script(stream_head() + b"".join(map(framed, said)), hang)
    begun = time.monotonic()
    answer = ask(routed.port, MESSAGES.path, body(MESSAGES, CHAT, streamed=True))
    assert 1.5 < time.monotonic() - begun < 30
    assert (answer.status, answer.whole) == (200, True)
    assert b"message_stop" in answer.body


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_a_plain_answer_to_a_stream(routed, upstream, asked, spoken):
    """An upstream that ignores `stream` is streamed all the same."""
    upstream.script(plain(spoken.whole))
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    assert (answer.status, answer.field(b"content-type").partition(b";")[0]) == (200, b"text/event-stream")
    assert ENDS[asked.name] in answer.body


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_a_stream_for_a_plain_request(routed, upstream, asked, spoken):
    """An upstream that streams unasked is gathered into one answer."""
    upstream.script(stream(spoken.events))
    answer = ask(routed.port, asked.path, body(asked, spoken))
    assert (answer.status, answer.field(b"content-type")) == (200, b"application/json")
    assert answer.json()[{"messages": "content", "chat": "choices", "responses": "output"}[asked.name]]


CODINGS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("coding", CODINGS)
def test_a_coded_answer(routed, upstream, asked, spoken, streamed, coding):
    """An answer that is compressed though none was asked for is read, and sent on plain."""
    data = CODINGS[coding](b"".join(spoken.events) if streamed else spoken.whole)
    kind = b"text/event-stream" if streamed else b"application/json"
    upstream.script(plain(data, b"200 OK", (b"Content-Encoding", coding.encode()), kind=kind))
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=streamed))
    assert (answer.status, answer.field(b"content-encoding")) == (200, None)
    assert (ENDS[asked.name] in answer.body) is streamed


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_coding(routed, upstream, streamed):
    """What cannot be read is a 502 that says so."""
    kind = b"text/event-stream" if streamed else b"application/json"
    upstream.script(plain(b"?", b"200 OK", (b"Content-Encoding", b"x-pack"), kind=kind))
    answer = ask(routed.port, MESSAGES.path, body(MESSAGES, CHAT, streamed=streamed))
    assert answer.status == 502
    assert "content coding" in answer.json()["error"]["message"]


def test_the_usage_question_is_taken_back(routed, upstream):
    """A Chat upstream that refuses stream_options gets the request again without them, and is not asked again."""
    upstream.script(plain(b'{"error":{"message":"stream_options: not permitted"}}', b"400 Bad Request"))
    upstream.script(stream(CHAT.events))
    upstream.script(stream(CHAT.events))
    for _ in range(2):
        assert ask(routed.port, MESSAGES.path, body(MESSAGES, CHAT, streamed=True)).status == 200
    assert ["stream_options" in json.loads(seen.body) for seen in upstream.seen] == [True, False, False]


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_nothing_is_sent_when_the_request_is_wrong(routed, upstream, asked, spoken):
    """Its path is named in the caller's protocol, and the upstream is not asked."""
    answer = ask(routed.port, asked.path, body(asked, spoken, temperature="warm"))
    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith("temperature: expected a number")
    assert not upstream.seen


def test_losses_in_the_head(routed, upstream):
    """They are bounded, and encoded where they are not plain text."""
    upstream.script(plain(MESSAGES.whole))
    odd = {f"hint-{at}-\u00e9\r\nx: y": 1 for at in range(100)}
    answer = ask(routed.port, CHAT.path, body(CHAT, MESSAGES, **odd))
    said = answer.field(b"x-fairlead-loss")
    assert answer.status == 200
    assert len(said) <= 1000
    assert b"%0D%0A" in said


def test_what_is_not_translated(routed, upstream):
    """Calls of a protocol that make no text have no counterpart; the refusal says so."""
    answer = ask(routed.port, "/v1/messages/batches", json.dumps({"model": "chat:model-a"}).encode())
    assert answer.status == 400
    assert "is not translated" in answer.json()["error"]["message"]
    assert not upstream.seen


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
def test_a_beginning_without_end(routed, upstream, asked, spoken):
    """Over 1 MiB of events without content is a 502, as without a translation."""
    empty = spoken.events[0] + b": " + b"x" * 65536 + b"\n\n"
    upstream.script(stream([empty] * 20))
    answer = ask(routed.port, asked.path, body(asked, spoken, streamed=True))
    assert answer.status == 502
    assert "without any content" in answer.json()["error"]["message"]


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_over_the_bound(routed, upstream, streamed):
    """64 MiB of a translated answer are read, not more."""
    text = b'{"choices":[{"index":0,"delta":{"content":"%b"},"message":{"content":"%b"}}]}'
    piece = b"x" * (4 << 20)
    if streamed:
        upstream.script(stream_head(), *[framed(b"data: " + text % (piece, b"") + b"\n\n") for _ in range(20)], close)
    else:
        upstream.script(plain(text % (b"", piece * 17)))
    answer = ask(routed.port, MESSAGES.path, body(MESSAGES, CHAT, streamed=streamed))
    said = answer.json()["error"] if not streamed else json.loads(events(answer.body)[-1][1])["error"]
    assert answer.status == (200 if streamed else 502)
    assert "64 MiB" in said["message"]


def test_the_history_keeps_what_was_lost(routed, upstream):
    """What the header names stands in the request's row too."""
    upstream.script(plain(CHAT.whole))
    answer = ask(routed.port, MESSAGES.path, body(MESSAGES, CHAT, metadata={"user_id": "someone"}, top_k=3))
    assert answer.status == 200
    said = answer.field(b"x-fairlead-loss").decode()
    path = f"/admin/history/{answer.field(b'x-fairlead-request-id').decode()}"

    def row():
        found = ask(routed.port, path, None, routed.operator())
        return found.json() if found.status == 200 else None

    losses = until(row)["request"]["losses"]
    assert losses
    assert all(loss in said for loss in losses)
