"""Attacks that try to hold up everybody through one answer: what comes of each, while others are served."""

import contextlib
import gzip
import json
import threading
import time

import pytest

from ..e2e.processes import Proxy, backend
from ..e2e.upstream import Upstream, chunk, plain, stream_head
from ..e2e.wire import JSON, Client, ask, events, request
from ..patience import PATIENCE
from .hostile_inputs import BACKENDS, DONE, call, calls_of, delta, event, streamed, whole_of
from .probe import Probe

MIB = 1 << 20
# What /livez may take while a machine with two cores runs other tests: a proxy that stands still takes much longer.
PATIENT = 3.0
TURN = {"messages": [{"role": "user", "content": "go"}], "max_tokens": 64}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A proxy and its upstream."""
    found = World(tmp_path_factory.mktemp("freezes"))
    yield found
    found.stop()


class World:
    """A proxy whose backends speak one protocol each, and are all one scripted upstream."""

    def __init__(self, folder):
        self.up = Upstream(models=("model-a",))
        backends = [backend(name, self.up.root, protocols=protocols) for name, protocols in BACKENDS.items()]
        self.proxy = Proxy(folder, backends=backends)
        self.port = self.proxy.port
        self.proxy.settled(*BACKENDS)

    def stop(self):
        """End both."""
        self.proxy.kill()
        self.up.stop()

    def ask(self, *steps, to="chat", path="/v1/messages", stream=True, version=b"1.1", accept=()):
        """The answer to a request, which the upstream answers by these steps."""
        self.up.default = steps
        body = {"model": f"{to}:model-a", "stream": stream}
        body |= {"input": "go"} if path.endswith("responses") else TURN
        data = request(path, json.dumps(body).encode(), (b"x-api-key", b"k"), *accept)
        with Client(self.port) as client:
            client.sock.settimeout(60)
            client.send(data.replace(b"HTTP/1.1", b"HTTP/" + version, 1))
            if version == b"1.0":
                return read_to_end(client.sock)
            return client.answer()


def read_to_end(sock):
    """All bytes of a connection."""
    data = b""
    while piece := sock.recv(65536):
        data += piece
    return data


@contextlib.contextmanager
def watched(port):
    """Others are served while the block runs: /livez on another connection, again and again."""
    slowest, over = [0.0], threading.Event()

    def watch():
        with Client(port) as client:
            while not over.is_set():
                began = time.monotonic()
                client.send(request("/livez"))
                assert client.answer().status == 200
                slowest[0] = max(slowest[0], time.monotonic() - began)
                over.wait(0.01)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert slowest[0] < PATIENT


def last_error(answer):
    """The error that a stream ends with."""
    found = [json.loads(data) for _, data in events(answer.body) if b'"error"' in data]
    return next(error for one in reversed(found) if (error := one.get("error")))["message"]


def said(answer):
    """The text of a Messages stream."""
    found = [json.loads(data) for _, data in events(answer.body)]
    return "".join(one["delta"].get("text", "") for one in found if one["type"] == "content_block_delta")


def calls_in_chunks(count):
    return streamed(b"".join(event(delta({"tool_calls": [call(at)]})) for at in range(count)) + DONE)


def whole_calls(count):
    return whole_of({"content": None, "tool_calls": [call(at) for at in range(count)]})


def late_title(world):
    page = b"<html>" + b" " * 4096 + b"<title>Sorry</title>"
    found = world.ask(plain(page, b"400 Bad Request", kind=b"text/html"))
    assert found.status == 400
    assert b"an HTML page." in found.body
    assert b"Sorry" not in found.body


def titles_in_gzip(world):
    body = gzip.compress(b"<title" * MIB)
    found = world.ask(plain(body, b"403 Forbidden", (b"Content-Encoding", b"gzip"), kind=b"text/html"), to="messages")
    assert found.status == 403
    assert b"which cannot be read" in found.body


def calls_to_messages(world):
    found = world.ask(calls_in_chunks(5000))
    assert found.status == 200
    assert "over 1,024 tool calls" in last_error(found)
    assert b"message_stop" not in found.body


def calls_to_responses(world):
    found = world.ask(calls_in_chunks(5000), path="/v1/responses")
    assert b"response.failed" in found.body
    assert "over 1,024 tool calls" in last_error(found)


def calls_to_http_10(world):
    found = world.ask(plain(whole_calls(5000)), stream=False, version=b"1.0")
    assert b"over 1,024 tool calls" in found
    assert found.startswith(b"HTTP/1.1 50")


def calls_within_the_bound(world):
    coded = plain(gzip.compress(whole_calls(1024)), b"200 OK", (b"Content-Encoding", b"gzip"))
    found = world.ask(coded, stream=False)
    assert found.status == 200
    assert len(found.json()["content"]) == 1024


def plain_calls_for_a_stream(world):
    found = world.ask(plain(calls_of(2 * MIB)))
    assert found.status >= 500
    assert "over 1,024 tool calls" in found.json()["error"]["message"]


def streamed_calls_for_a_plain(world):
    found = world.ask(calls_in_chunks(5000), stream=False)
    assert found.status >= 500
    assert "over 1,024 tool calls" in found.json()["error"]["message"]


def items_to_chat(world):
    items = [{"type": "web_search_call", "id": f"w{at}", "status": "completed"} for at in range(5000)]
    body = json.dumps({"id": "r", "object": "response", "status": "completed", "model": "m", "output": items})
    found = world.ask(plain(body.encode()), to="responses", path="/v1/chat/completions", stream=False)
    assert found.status >= 500
    assert "over 4,096 output items" in found.json()["error"]["message"]


def many_choices(world):
    choices = [{"index": at, "delta": {"tool_calls": [call(0)]}, "finish_reason": None} for at in range(3000)]
    found = world.ask(streamed(event({"id": "c", "choices": choices}) + DONE))
    assert found.status >= 500
    assert "over 256 choices" in found.json()["error"]["message"]


def open_arguments(world):
    first = event(delta({"tool_calls": [call(0, '{"a": "' + "b" * MIB)]}))
    more = b"".join(
        event(delta({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}, call(at)]})) for at in range(1, 1000)
    )
    found = world.ask(streamed(first + more + DONE))
    assert "invalid tool arguments" in last_error(found)


def chunks_of_a_byte(world):
    text = event(delta({"content": "a" * 60_000})) + event(delta({}, "stop")) + b"data: [DONE]\n\n"
    pieces = b"".join(chunk(text[at : at + 1]) for at in range(len(text)))
    found = world.ask(stream_head() + pieces + b"0\r\n\r\n")
    assert said(found) == "a" * 60_000


def a_long_list(world):
    body = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],"x":[' + b"[]," * 1_100_000 + b"1]}\n\n"
    found = world.ask(streamed(body + DONE))
    assert found.status >= 500
    assert "over 131,072 entries of one list" in found.json()["error"]["message"]


def carriage_returns(world):
    data = event(delta({"content": "ab"})) + b"\n" * 60_000 + event(delta({"content": "c"}, "stop"))
    found = world.ask(streamed((data + b"data: [DONE]\n\n").replace(b"\n", b"\r")))
    assert said(found) == "abc"


def comments_in_front(world):
    text = b":\n\n" * 100_000 + event(delta({"content": "a"})) + event(delta({}, "stop")) + b"data: [DONE]\n\n"
    found = world.ask(streamed(text), path="/v1/chat/completions")
    assert found.status == 200
    assert found.body.endswith(b"data: [DONE]\n\n")


def comments_only(world):
    found = world.ask(streamed(b":\n\n" * 400_000))
    assert found.status == 502
    assert b"without any content" in found.body


def a_bomb_of_comments(world):
    data = gzip.compress(b": a\n\n" * (20 * MIB))
    found = world.ask(stream_head((b"Content-Encoding", b"gzip")) + chunk(data) + b"0\r\n\r\n")
    assert found.status == 502


def a_coded_stream_in_steps(world):
    texts = b"".join(event(delta({"content": f"{at} "})) for at in range(20_000)) + event(delta({}, "stop"))
    data = gzip.compress(texts + b"data: [DONE]\n\n")
    body = b"".join(chunk(data[at : at + 30_000]) for at in range(0, len(data), 30_000)) + b"0\r\n\r\n"
    found = world.ask(stream_head((b"Content-Encoding", b"gzip")) + body)
    assert said(found).split() == [str(at) for at in range(20_000)]


def a_large_and_a_small(world):
    """The small answer comes while the large one is still being translated or sent."""
    large = plain(whole_of({"content": "a" * (15 * MIB)}))
    done = []
    begun = threading.Event()
    world.up.script(lambda sock: begun.set(), large)
    body = json.dumps({"model": "chat:model-a", **TURN}).encode()
    thread = threading.Thread(
        target=lambda: done.append(ask(world.port, "/v1/messages", body, (b"x-api-key", b"k")).status)
    )
    thread.start()
    assert begun.wait(PATIENCE)
    for _ in range(3):
        assert world.ask(plain(whole_of({"content": "hi"})), stream=False).status == 200
    thread.join()
    assert done == [200]


def a_reload_meanwhile(world):
    def reload(sock):
        answer = ask(world.port, "/admin/reload", b"{}", world.proxy.operator(), JSON, kind=None)
        assert answer.status == 200

    found = world.ask(reload, plain(whole_of({"content": "a" * (8 * MIB)})), stream=False)
    assert found.status == 200
    assert len(found.json()["content"][0]["text"]) == 8 * MIB


def a_border_in_bytes(world):
    """CR LF CR LF behind a large event, a byte at a time."""
    head = stream_head() + chunk(event(delta({"content": "a" * (4 * MIB)}))[:-2])

    def border(sock):
        for byte in b"\r\n\r\n":
            sock.sendall(chunk(bytes([byte])))
            time.sleep(0)

    rest = (event(delta({}, "stop")) + b"data: [DONE]\n\n").replace(b"\n", b"\r\n")
    found = world.ask(head, border, chunk(rest) + b"0\r\n\r\n")
    assert len(said(found)) == 4 * MIB


def a_crowded_catalog(folder):
    """A backend of 20,000 long names beside one whose model was misspelled."""
    crowd = Upstream(models=[f"vendor-{at % 97}/{'model-name-' * 20}{at:06d}" for at in range(20_000)])
    small = Upstream(models=("codestral-large",))
    backends = [backend("crowd", crowd.root), backend("small", small.root)]
    with contextlib.ExitStack() as stack:
        stack.callback(crowd.stop)
        stack.callback(small.stop)
        proxy = stack.enter_context(Proxy(folder, backends=backends))
        proxy.settled("crowd", "small")
        with watched(proxy.port):
            for name in ("codestral-larg", "model-name-" * 20 + "x", "a" * 250):
                body = json.dumps({"model": name, **TURN}).encode()
                found = ask(proxy.port, "/v1/messages", body)
                assert found.status == 404
                if name.startswith("codestral"):
                    assert b"codestral-large (small)" in found.body
        listed = ask(proxy.port, "/v1/models", None).json()["data"]
        assert sum(len(one["id"]) for one in listed) < 2 * MIB


PROBES = {
    "title behind 4 KiB of space": Probe("HTML error page with a late title", "400, an HTML page without its title"),
    "title tags in gzip": Probe("403 of 6 MiB of open title tags in gzip", "403 with a short text, others served"),
    "calls to Messages": Probe("Chat stream of 5,000 calls to Messages", "error event that names the bound of 1,024"),
    "calls to Responses": Probe("Chat stream of 5,000 calls to Responses", "response.failed that names the bound"),
    "calls to an HTTP/1.0 client": Probe("whole answer of 5,000 calls, HTTP/1.0", "an error status with the bound"),
    "calls within the bound": Probe("1,024 calls in gzip", "200 with all of them"),
    "plain calls for a stream": Probe("2 MiB of calls as JSON, a stream was asked", "an error status with the bound"),
    "streamed calls for a plain": Probe("stream of 5,000 calls, JSON was asked", "an error status with the bound"),
    "items to Chat": Probe("Responses answer of 5,000 items to Chat", "an error status with the bound of 4,096"),
    "choices": Probe("one chunk of 3,000 choices", "an error status with the bound of 256"),
    "open arguments": Probe("1 MiB of open arguments, braces and 1,000 calls between", "error event, read once"),
    "chunks of a byte": Probe("60 KB event in chunks of one byte", "the whole text, others served"),
    "long list": Probe("event of 1,100,000 empty lists", "an error status that names the bound"),
    "carriage returns": Probe("events ended by CR, 60,000 blank lines between", "the whole text"),
    "comments in front": Probe("100,000 comments before the first event", "200 to the end"),
    "comments only": Probe("1.2 MB of comments and no event", "502, no content"),
    "bomb of comments": Probe("gzip stream that inflates to 100 MiB of comments", "502, others served"),
    "coded stream": Probe("20,000 events in gzip, cut anywhere", "the whole text in order"),
    "large beside small": Probe("a 15 MiB answer beside small ones", "the small ones are served meanwhile"),
    "reload meanwhile": Probe("reload while 8 MiB are translated", "200 with all of the text"),
    "border in bytes": Probe("CR LF CR LF byte by byte behind a 4 MiB event", "the whole text"),
    "crowded catalog": Probe("20,000 long names, unknown models asked", "404 that names the other backend's model"),
}
RUNS = {
    "title behind 4 KiB of space": late_title,
    "title tags in gzip": titles_in_gzip,
    "calls to Messages": calls_to_messages,
    "calls to Responses": calls_to_responses,
    "calls to an HTTP/1.0 client": calls_to_http_10,
    "calls within the bound": calls_within_the_bound,
    "plain calls for a stream": plain_calls_for_a_stream,
    "streamed calls for a plain": streamed_calls_for_a_plain,
    "items to Chat": items_to_chat,
    "choices": many_choices,
    "open arguments": open_arguments,
    "chunks of a byte": chunks_of_a_byte,
    "long list": a_long_list,
    "carriage returns": carriage_returns,
    "comments in front": comments_in_front,
    "comments only": comments_only,
    "bomb of comments": a_bomb_of_comments,
    "coded stream": a_coded_stream_in_steps,
    "large beside small": a_large_and_a_small,
    "reload meanwhile": a_reload_meanwhile,
    "border in bytes": a_border_in_bytes,
}
OWN_PROXY = "crowded catalog"


@pytest.mark.parametrize("name", [name for name in PROBES if name != OWN_PROXY])
def test_one_answer_holds_up_nobody(world, name):
    """Each attack gives what its table says, and /livez is answered all the while."""
    with watched(world.port):
        RUNS[name](world)


def test_a_crowded_catalog_holds_up_nobody(tmp_path):
    """A catalog of many long names neither holds up others nor hides the names of another backend."""
    assert OWN_PROXY in PROBES
    a_crowded_catalog(tmp_path)


def test_every_probe_is_run():
    """A probe without a run would be a claim."""
    assert PROBES.keys() == RUNS.keys() | {OWN_PROXY}
