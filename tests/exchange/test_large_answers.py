"""Large events and answers: whole, read in a thread, and counted against the bound of all buffers."""

import threading

import pytest

from router.exchange.body.body import THREAD_BYTES
from router.exchange.client_response import translation
from router.exchange.upstream_response.large_work import run_on_loop
from router.wire import tap, translate

from ..answers import GOOD
from .playbook import playing
from .test_exchange import HELLO, chunk
from .upstreams import says, streams
from .worlds import CHAT, MESSAGES, RESPONSES, box, chat, in_order, message, response

LARGE = "x" * (2 * THREAD_BYTES)
#: Real seconds in which nothing moves before the clock jumps: it does not wait for threads.
JUMP = 5


@pytest.fixture
def spoken(made):
    """A backend that speaks Chat alone."""
    return made(box("box", "a0"), settings=in_order())


@pytest.fixture
def passed(made):
    """A backend that speaks all three protocols."""
    return made(box("box", "a0", protocols=("chat", "messages", "responses")), settings=in_order())


@pytest.fixture
def threads(monkeypatch):
    """(name, thread) of each call of the functions that read large pieces."""
    seen = []

    def watch(owner, name):
        work = getattr(owner, name)

        def watched(*arguments, **options):
            seen.append((name, threading.current_thread() is threading.main_thread()))
            return work(*arguments, **options)

        monkeypatch.setattr(owner, name, watched)

    watch(translate.Stream, "feed")
    watch(tap.Tap, "read")
    watch(translation, "_translate")
    return seen


def pieces(data, size=60_000):
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("first", [True, False], ids=["first content", "later"])
@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
def test_a_large_event_is_translated_in_a_thread(spoken, threads, path, first):
    """All of it arrives, and neither its translation nor its reading runs in trio's thread."""
    ask = {MESSAGES: message, RESPONSES: response}[path]
    stream = b"".join((HELLO[0], *(() if first else HELLO[1:2]), chunk({"content": LARGE}), *HELLO[2:]))
    played = playing(spoken, path, ask(stream=True), streams(*pieces(stream)), threshold=JUMP)
    assert (played.status, played.whole, played.record.error) == (200, True, "")
    assert played.got.count(LARGE.encode()) >= 1
    assert ("feed", False) in threads
    assert ("read", False) in threads


def test_a_large_event_is_passed_through(one, threads):
    """Bytes as they came, whether it is the first content or not."""
    stream = b"".join((*HELLO[:2], chunk({"content": LARGE}), *HELLO[2:]))
    played = playing(one, CHAT, chat(stream=True), streams(*pieces(stream)), threshold=JUMP)
    assert (played.got, played.whole, played.record.error) == (stream, True, "")
    assert ("read", False) in threads


def test_small_events_stay_on_the_loop(spoken, threads):
    """A thread costs more than they do."""
    playing(spoken, MESSAGES, message(stream=True), streams(*HELLO))
    assert threads
    assert all(on_loop for _, on_loop in threads)


@pytest.mark.parametrize("stream", [False, True])
def test_a_large_whole_answer_is_translated_in_a_thread(spoken, threads, stream):
    """Also where the client asked for a stream."""
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": LARGE}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }
    played = playing(spoken, MESSAGES, message(stream=stream), says(200, answer), threshold=JUMP)
    assert (played.status, played.whole) == (200, True)
    assert LARGE.encode() in played.got
    assert ("_translate", False) in threads
    assert (played.record.usage.input, played.record.usage.output) == (1, 2)


def test_an_event_that_is_not_whole_is_counted(spoken, monkeypatch):
    """What a translated stream holds counts against the bound of all buffers: over it, the stream is broken off."""
    monkeypatch.setattr(spoken.memory, "limit", 500_000)
    stream = b"".join((*HELLO[:2], chunk({"content": LARGE}), *HELLO[2:]))
    played = playing(spoken, MESSAGES, message(stream=True), streams(*pieces(stream)), threshold=JUMP)
    assert (played.status, played.whole) == (200, False)
    assert b"sent more than can be held" in played.got


@pytest.mark.parametrize(("bound", "status"), [(1 << 30, 200), (3 * THREAD_BYTES, 503)])
def test_a_large_translated_request_is_counted(spoken, monkeypatch, bound, status):
    """While it is sent, beside the client's own body: over the bound it is refused, and a moment later is given."""
    monkeypatch.setattr(spoken.memory, "limit", bound)
    asked = message()
    asked["messages"][0]["content"] = LARGE
    played = playing(spoken, MESSAGES, asked, says(200, GOOD["chat"]), threshold=JUMP)
    assert played.status == status
    assert (played.fields.get(b"retry-after"), len(played.sent)) == ((None, 1) if status == 200 else (b"1", 0))


def test_work_on_shared_state():
    """Outside trio it runs at once."""
    done = []
    run_on_loop(done.append, 1)
    assert done == [1]


NUMBERS = [0.0125] * 1024


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/embeddings", {"data": [{"index": at, "embedding": NUMBERS} for at in range(200)]}),
        ("/v1/embeddings", {"data": [{"index": 0, "embedding": [1] * 400_000}]}),
        ("/v1/completions", {"choices": [{"text": "a", "token_ids": [17] * 400_000, "finish_reason": "stop"}]}),
        ("/v1/images/generations", {"data": [{"b64_json": "A" * 3_000_000}]}),
    ],
    ids=["many lists", "a long list", "token ids", "a picture"],
)
def test_a_passed_answer_may_hold_any_lists(passed, path, told):
    """What is not translated is not decoded for the client: it passes as it is, and its usage is read."""
    told = {**told, "usage": {"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 12}}
    played = playing(passed, path, {"model": "box:m", "input": "hi", "prompt": "hi"}, says(200, told), threshold=JUMP)
    assert (played.status, played.whole, played.record.error) == (200, True, "")
    assert played.json() == told
    if not path.endswith("generations"):
        assert played.record.usage.input == 12
