"""The server itself: paths, verbs, bad requests, odd shapes, the slow and the silent model, start and stop."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import anthropic
import h11
import httpx
import openai
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.backends.key_forms import WRONG_KEY
from router.demo import MODELS, Demo
from router.net.server.connection import Connection
from router.net.server.limits import Limits
from router.net.server.listen import accept, open_listeners
from router.net.stream import SocketStream

from ..patience import PATIENCE

POSTS = {
    "/v1/messages": "messages",
    "/v1/messages/count_tokens": "messages",
    "/v1/chat/completions": "messages",
    "/v1/responses": "input",
    "/v1/responses/input_tokens": "input",
    "/v1/completions": "prompt",
    "/v1/embeddings": "input",
}


def shaped(answer: httpx.Response) -> bool:
    """True when an error has the shape of its path's protocol."""
    body = answer.json()
    if answer.request.url.path.startswith("/v1/messages"):
        return body["type"] == "error" and {"type", "message"} <= set(body["error"]) and "request_id" in body
    return set(body["error"]) == {"message", "type", "param", "code"}


def with_demo(test: Callable[[str], Awaitable[None]], *, word_delay: float = 0) -> None:
    """Run a test against a demo of its own, which is stopped at the end."""

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                await test(await nursery.start(Demo(word_delay=word_delay).serve))
                nursery.cancel_scope.cancel()

    trio.run(main)


async def read_to_reset(stream: trio.SocketStream) -> bytes:
    """The bytes received before the connection is reset; fails when it ends in another way."""
    got = b""
    try:
        while data := await stream.receive_some():
            got += data
    except trio.BrokenResourceError:
        return got
    pytest.fail("the connection ended cleanly")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"{}", b'{"a":"\\ud800"}', b"[" * 100_000])
def test_bad_bodies(http: httpx.Client, path: str, body: bytes) -> None:
    """A body that is not a JSON object, or lacks its conversation, is a 400 in the protocol's shape."""
    answer = http.post(path, content=body)
    assert answer.status_code == 400
    assert shaped(answer)


@pytest.mark.parametrize("depth", [50, 500, 900, 990, 5000])
def test_deep_nesting(http: httpx.Client, caplog: pytest.LogCaptureFixture, depth: int) -> None:
    """A body nested too deeply is a 400, in fields that are read and in fields that are repeated."""
    deep = b'{"enum":[' * (depth // 2) + b"1" + b"]}" * (depth // 2)
    tool = b'{"type":"function","name":"f","parameters":{"properties":{"a":%b}}}' % deep
    for stream in (b"true", b"false"):
        body = b'{"model":"demo-tools","input":"hi","stream":%b,"tools":[%b]}' % (stream, tool)
        answer = http.post("/v1/responses", content=body)
        assert answer.status_code == 200 or (answer.status_code == 400 and shaped(answer))
    assert not caplog.records


@pytest.mark.parametrize("path", POSTS)
def test_wrong_verb(http: httpx.Client, path: str) -> None:
    """The wrong verb is a 405 that names the right one."""
    answer = http.get(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert shaped(answer)
    assert http.post("/v1/models").headers["allow"] == "GET, HEAD"


def test_unknown_path(http: httpx.Client) -> None:
    """An unknown path is a 404, in Anthropic's shape for its clients; the connection goes on."""
    for path in ("/", "/v1", "/v1/models/", "/v1/messages/batches", "/v2/messages"):
        answer = http.post(path, json={"model": "demo"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
    answer = http.get("/v1/nothing", headers={"anthropic-version": "2023-06-01"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_compressed(http: httpx.Client) -> None:
    """A compressed body is refused by name."""
    answer = http.post("/v1/messages", content=b"x", headers={"content-encoding": "gzip"})
    assert answer.status_code == 415
    assert shaped(answer)


def test_wrong_key(http: httpx.Client) -> None:
    """One key is refused in either head field, so that tools can try it; all others are taken."""
    for fields in ({"x-api-key": WRONG_KEY}, {"authorization": f"Bearer {WRONG_KEY}"}):
        answer = http.get("/v1/models", headers=fields)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert http.get("/v1/models", headers={"x-api-key": "other"}).status_code == 200


def test_head(http: httpx.Client) -> None:
    """HEAD of the models has no body."""
    answer = http.head("/v1/models")
    assert (answer.status_code, answer.content) == (200, b"")


def test_not_http(url: str) -> None:
    """A request that cannot be read is refused too."""

    async def main() -> None:
        host, port = url.removeprefix("http://").split(":")
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            await stream.send_all(b"GET /v1/models HTTP/1.1\nhost: x\n\n")
            answer = b"".join([data async for data in stream])
        assert answer.startswith(b"HTTP/1.1 400")

    trio.run(main)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES |= st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LEAVES |= st.sampled_from(
    ["user", "system", "tool", "text", "tool_result", "function", "custom", "none", "json_schema", "x_output"]
)
FIELDS = ["role", "content", "type", "text", "name", "function", "custom", "parameters", "input_schema", "tool_calls"]
FIELDS += ["output", "format", "schema", "json_schema", "defer_loading", "include_usage", "properties", "required"]
SHAPES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner), max_leaves=15
)
TOP = ["tools", "tool_choice", "stream", "stream_options", "system", "instructions", "text", "response_format"]
TOP += ["output_config", "dimensions", "encoding_format", "temperature", "metadata", "thread"]
TOP += [
    "max_tokens",
    "max_output_tokens",
    "stop",
    "stop_sequences",
    "n",
    "logprobs",
    "top_logprobs",
    "seed",
    "thinking",
]
TOP += ["reasoning_effort", "reasoning", "include", "parallel_tool_calls", "previous_response_id", "store"]
FIELDS += ["source", "image_url", "file", "file_data", "input_audio", "data", "url", "tool_use_id", "tool_call_id"]
FIELDS += ["call_id", "encrypted_content", "signature", "thinking", "budget_tokens", "effort", "cache_control", "id"]
ENDS = ("event: message_stop", "event: response.completed", "event: response.incomplete")
# The models that fail on purpose are left out, demo-cut and demo-hang with them.
NAMES = st.sampled_from(["demo", "demo-tools", "demo-full", "demo-slow", "other"])


@settings(deadline=None, database=None, max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_odd_shapes(http: httpx.Client, caplog: pytest.LogCaptureFixture, data: st.DataObject) -> None:
    """Any JSON is answered with a 200 or a 4xx in the protocol's shape, and nothing is logged."""
    path = data.draw(st.sampled_from(list(POSTS)))
    body = data.draw(st.dictionaries(st.sampled_from(TOP), SHAPES, max_size=5))
    body[POSTS[path]] = data.draw(st.lists(SHAPES, max_size=3) | SHAPES)
    body["model"] = data.draw(NAMES | SHAPES)
    body["stream"] = data.draw(st.booleans() | SHAPES)
    answer = http.post(path, json=body)
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500
        assert shaped(answer)
    elif answer.headers["content-type"].startswith("text/event-stream"):
        last = answer.text.split("\n\n")[-2]
        assert last == "data: [DONE]" or last.startswith(ENDS)
    else:
        answer.json()
    assert not caplog.records


def test_defect(caplog: pytest.LogCaptureFixture) -> None:
    """A defect of the demo itself is logged, not hidden."""
    Demo().report_crash(ValueError("broken"))
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert "broken" in caplog.text


def test_slow() -> None:
    """demo-slow waits before each word, streamed or not."""

    async def test(url: str) -> None:
        async with httpx.AsyncClient(base_url=url) as http:
            for stream in (False, True):
                body = {"model": "demo-slow", "messages": [{"role": "user", "content": "a b c"}], "stream": stream}
                before = time.monotonic()
                answer = await http.post("/v1/messages", json=body)
                assert time.monotonic() - before >= 0.03
                assert answer.status_code == 200

    with_demo(test, word_delay=0.01)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/v1/responses"])
@pytest.mark.parametrize("stream", [False, True])
def test_cut_is_a_reset(url: str, path: str, stream: bool) -> None:
    """demo-cut sends part of an answer, with some words of it, and then resets the connection."""

    async def main() -> None:
        turns = "a b c d" if path == "/v1/responses" else [{"role": "user", "content": "a b c d"}]
        body = json.dumps({"model": "demo-cut", POSTS[path]: turns, "stream": stream}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        host, port = url.removeprefix("http://").split(":")
        async with await trio.open_tcp_stream(host, int(port)) as connection:
            await connection.send_all(head + body)
            got = await read_to_reset(connection)
        client = h11.Connection(h11.CLIENT)
        client.send(h11.Request(method="POST", target=path, headers=[("host", "x"), ("content-length", "0")]))
        client.send(h11.EndOfMessage())
        client.receive_data(got)
        assert client.next_event().status_code == 200
        assert isinstance(client.next_event(), h11.Data)
        if stream:
            assert b'"a "' in got
            assert b'"c "' not in got

    trio.run(main)


def test_hang() -> None:
    """demo-hang reads the request and answers nothing; when the client leaves, the connection ends."""

    async def test(url: str) -> None:
        body = {"model": "demo-hang", "messages": [{"role": "user", "content": "hi"}]}
        async with httpx.AsyncClient(base_url=url) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.post("/v1/messages", json=body, timeout=httpx.Timeout(5, read=0.05))

    with_demo(test)


def test_hang_ends_with_its_client() -> None:
    """When a client of a silent model leaves, at once or later, its task ends."""
    body = b'{"model":"demo-hang","input":"hi"}'
    request = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)

    async def main() -> None:
        ended = trio.Event()
        demo = Demo()

        async def serve(stream: SocketStream) -> None:
            await Connection(stream, demo, Limits()).serve()
            ended.set()

        with trio.fail_after(PATIENCE):
            for early in (True, False):
                [listener] = open_listeners("127.0.0.1", 0)
                ended = trio.Event()
                async with trio.open_nursery() as nursery:
                    client = await trio.open_tcp_stream(*listener.getsockname())
                    await client.send_all(request)
                    if early:
                        await client.aclose()
                    nursery.start_soon(accept, listener, nursery, serve)
                    await trio.testing.wait_all_tasks_blocked(0.02)
                    await client.aclose()
                    await ended.wait()
                    nursery.cancel_scope.cancel()

    trio.run(main)


def test_stop() -> None:
    """Cancelling `serve` closes the port and every connection, also one in mid-answer."""

    async def main() -> None:
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                url = await nursery.start(Demo(word_delay=100).serve)
                host, port = url.removeprefix("http://").split(":")
                client = await trio.open_tcp_stream(host, int(port))
                body = b'{"model":"demo-slow","input":"a b","stream":true}'
                head = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body)
                await client.send_all(head + body)
                assert (await client.receive_some()).startswith(b"HTTP/1.1 200")
                nursery.cancel_scope.cancel()
            async with client:
                rest = b"".join([data async for data in client])
                assert b"response.completed" not in rest
            with pytest.raises(OSError, match="all attempts to connect"):
                await trio.open_tcp_stream(host, int(port))

    trio.run(main)


def test_async_clients_at_once(url: str) -> None:
    """Many clients under trio are answered at the same time, each with its own text."""

    async def main() -> None:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key="demo", max_retries=0) as claude,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="demo", max_retries=0) as gpt,
        ):

            async def ask_claude(text: str) -> None:
                turns = [{"role": "user", "content": text}]
                async with claude.messages.stream(model="demo", max_tokens=9, messages=turns) as stream:
                    assert await stream.get_final_text() == text

            async def ask_gpt(text: str) -> None:
                async with gpt.responses.stream(model="demo", input=text) as stream:
                    assert (await stream.get_final_response()).output_text == text

            async with trio.open_nursery() as nursery:
                for number in range(10):
                    nursery.start_soon(ask_claude, f"claude {number}")
                    nursery.start_soon(ask_gpt, f"gpt {number}")

    trio.run(main)


def test_demo_full_is_loaded_late() -> None:
    """Every start of a proxy loads the demo, and few requests need this model."""
    code = "import sys, router.demo; print([name for name in sys.modules if name == 'router.demo.full.model'])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.strip() == b"[]"


def test_models_are_named() -> None:
    """The demo's models have the names that users type."""
    named = "demo demo-tools demo-full demo-slow demo-429 demo-500 demo-529 demo-cut demo-hang"
    assert tuple(named.split()) == MODELS
