"""A mock upstream misbehaves in each of its ways, and a client of each protocol is told: no answer hangs, and none that
failed looks whole.

The mock is not part of the project: it speaks three protocols, and the name of a model says what it does to it.
Google's API is spoken by a fake that knows the same words. The tests are skipped where the mock is not there
(FAIRLEAD_CLIENTS names its folder). A few ways stand for all; the others are slow.
"""

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ..providers import gemini
from ..providers.gemini import GeminiUpstream
from .processes import Proxy, backend, until
from .samples import MESSAGES, PROTOCOLS, RESPONSES, Protocol
from .wire import ask

MOCK = Path(os.environ.get("FAIRLEAD_CLIENTS") or Path(__file__).parents[3] / "shared" / "clients") / "mock_upstream.py"
pytestmark = pytest.mark.skipif(not MOCK.exists(), reason="needs the mock upstream: FAIRLEAD_CLIENTS names its folder")

GEMINI = Protocol("gemini", "/v1beta/models/", b"", b"", (), 0)
PAIRS = [
    pytest.param(asked, spoken, id=f"{asked.name}-{spoken.name}")
    for asked, spoken in itertools.product((*PROTOCOLS, GEMINI), repeat=2)
]
ENDS = {"messages": (b"message_stop",), "chat": (b"[DONE]",), "gemini": (b'"finishReason":"', b'"finishReason": "')}
ENDS["responses"] = (b"response.completed", b"response.incomplete")
ANSWER = b"MOCK-ANSWER"
#: Seconds after which no answer comes in time, and after which the mock goes on when it stalls. The proxy's own limits
#: are far shorter, and longer than the second that an upstream pauses between its pings.
LATE, STALL = 30.0, 90
PARAMETERS = ("asked", "spoken", "way", "streamed")
#: Requests that are under way at once.
TOGETHER = 16
LIMITS = {f"FAIRLEAD_TIMEOUTS_{name}": "2s" for name in ("FIRST_BYTE", "IDLE")} | {"FAIRLEAD_TIMEOUTS_TOTAL": "4s"}

# Ways to fail; some do nothing to a whole answer, or to a stream.
_IN_STREAMS = ("sse-error", "sse-error-first", "no-terminal")
_IN_WHOLES = ("badjson",)
FAILS = [
    *(f"err-{status}" for status in (400, 401, 403, 404, 413, 422, 429, 500, 502, 503, 529)),
    *("drop-before-headers", "drop-mid-stream", "rst-mid-stream", "stall-headers", "stall-mid-stream"),
    *("html-502", *_IN_WHOLES, *_IN_STREAMS),
]
# Ways to be odd and yet to answer.
ODD = (
    *("crlf", "onebyte", "oneblob", "ping", "slow", "think", "empty", "max-tokens", "refusal"),
    *("nonstream-sse", "ignore-stream", "omit-usage", "null-usage", "omit-id", "null-id", "omit-model", "ping-gap-1"),
)
# Whole answers that a caller of the same protocol gets as they are, whatever is in them.
RELAYED = ("badjson", "nonstream-sse", "ignore-stream")
SHORT = ("err-529", "drop-mid-stream", "sse-error", "no-terminal", "stall-mid-stream", "badjson", "onebyte")


@pytest.fixture(scope="module")
def mocked(tmp_path_factory):
    """A proxy in front of the mock, which it knows once for each protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    mock = subprocess.Popen(
        [sys.executable, MOCK, "--port", str(port), "--stall", str(STALL)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert until(lambda: _listens(port))
        root = f"http://127.0.0.1:{port}/v1"
        backends = [backend(name, root, protocols=[name]) for name in ("chat", "messages", "responses")]
        with GeminiUpstream(stall=STALL) as google:
            backends.append(backend("gemini", google.root, protocols=["gemini"], auth="key", key=gemini.KEY))
            with Proxy(tmp_path_factory.mktemp("mocked"), backends=backends, settings=LIMITS) as proxy:
                yield proxy
            assert not google.broken
    finally:
        mock.kill()
        mock.wait()


def _listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def asked_of(proxy, asked, spoken, way, streamed):
    """The answer to one request, and how long it took."""
    model = f"gemini:gemini-3.8-flash-{way}" if spoken is GEMINI else f"{spoken.name}:mock-{way}"
    if asked is GEMINI:
        path = f"{asked.path}{model}:{'streamGenerateContent?alt=sse' if streamed else 'generateContent'}"
        body = {"contents": [{"parts": [{"text": "hi"}]}], "generationConfig": {"maxOutputTokens": 50}}
    else:
        path = asked.path
        body = {
            "model": model,
            **({"input": "hi"} if asked is RESPONSES else {"messages": [{"role": "user", "content": "hi"}]}),
            **({} if asked is RESPONSES else {"max_tokens": 50}),
            **({"stream": True} if streamed else {}),
        }
    begun = time.monotonic()
    return ask(proxy.port, path, json.dumps(body).encode()), time.monotonic() - begun


@pytest.fixture(scope="module")
def answers(mocked, request):
    """What came of each request that a test asks about, by the test's parameters. Most wait for a deadline, and so they
    do it together."""
    wanted = [item.callspec.params for item in request.session.items if item.path == request.path]
    with ThreadPoolExecutor(TOGETHER) as pool:
        yield {tuple(one[name] for name in PARAMETERS): pool.submit(asked_of, mocked, **one) for one in wanted}


def ways(found):
    """Each way, all but a few of them slow."""
    return [pytest.param(way, marks=() if way in SHORT else pytest.mark.slow, id=way) for way in found]


def looks_whole(asked, answer, *, streamed):
    """True for what a client takes for a whole answer."""
    if answer.status != 200 or not answer.whole:
        return False
    if streamed:
        return any(end in answer.body for end in ENDS[asked.name]) and b'"error":{' not in answer.body
    return answer.json().get("error") is None


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("way", ways(FAILS))
def test_a_failure_is_told(answers, asked, spoken, way, streamed):
    """As an error of the caller's protocol, in time, and never as an answer that looks whole."""
    answer, seconds = answers[asked, spoken, way, streamed].result()
    assert seconds < LATE
    if asked is spoken and way in RELAYED:
        assert (answer.status, answer.whole) == (200, True)
        return
    if way in (_IN_WHOLES if streamed else _IN_STREAMS):
        assert looks_whole(asked, answer, streamed=streamed)
        return
    assert not looks_whole(asked, answer, streamed=streamed)
    if answer.status == 200:
        # Begun before it failed: the last event says so, or the connection is cut in the middle.
        assert streamed
        # Google's clients get the error once more, by itself, in front of the cut.
        last, _ = json.JSONDecoder().raw_decode(answer.body.rpartition(b"data: ")[2].decode())
        assert (last["response"] if asked is RESPONSES else last)["error"]["message"]
    else:
        error = answer.json()
        assert error["error"]["message"]
        assert (error.get("type") == "error") is (asked is MESSAGES)


@pytest.mark.parametrize(("asked", "spoken"), PAIRS)
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("way", ways(ODD))
def test_an_odd_answer_is_an_answer(answers, asked, spoken, way, streamed):
    """In time, whole, and with its text where it has one."""
    answer, seconds = answers[asked, spoken, way, streamed].result()
    assert seconds < LATE
    if asked is spoken and way in RELAYED:
        assert (answer.status, answer.whole) == (200, True)
        return
    assert looks_whole(asked, answer, streamed=streamed), answer.body
    said = answer.body.replace(b"\n", b"")
    assert way in ("empty", "refusal") or ANSWER in said or _pieced(asked, answer, streamed=streamed)


def _pieced(asked, answer, *, streamed):
    """True when the text came in several pieces."""
    if not streamed:
        return False
    found = []
    for line in answer.body.splitlines():
        if line.startswith(b"data: {"):
            one = json.loads(line[6:])
            if asked is GEMINI:
                found += [part["text"] for choice in one["candidates"] for part in choice["content"]["parts"]]
            elif asked is MESSAGES:
                found.append(one.get("delta", {}).get("text", ""))
            elif asked is RESPONSES:
                found.append(one["delta"] if one["type"] == "response.output_text.delta" else "")
            else:
                found += [choice["delta"].get("content") or "" for choice in one["choices"]]
    return ANSWER.decode() in "".join(found)
