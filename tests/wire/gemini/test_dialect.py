"""What the chunks of Google's streams mean, and how a stream of it ends."""

import json

import pytest

from router.errors import BadGateway
from router.wire.dialect import Verdict
from router.wire.protocols import GEMINI
from router.wire.raw import sse
from router.wire.tap import Tap, failure_of, usage_of

DIALECT = GEMINI.dialect
TEXT = {"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}}]}
STOP = {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]}
USAGE = {"candidates": [], "usageMetadata": {"promptTokenCount": 3}}
BLOCKED = {"promptFeedback": {"blockReason": "SAFETY"}}
ERROR = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    ("data", "verdict", "ending"),
    [
        (TEXT, Verdict.COMMIT, None),
        (STOP, Verdict.COMMIT, True),
        (USAGE, Verdict.HOLD, None),
        ({}, Verdict.HOLD, None),
        ({"candidates": [{"content": {"role": "model"}}]}, Verdict.HOLD, None),
        (BLOCKED, Verdict.COMMIT, True),
        ({**TEXT, "promptFeedback": {"blockReason": "OTHER"}}, Verdict.COMMIT, None),
        (ERROR, Verdict.ERROR, False),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_chunk_means_one_thing(data, verdict, ending):
    """Content, an end and an error are told apart; a chunk with usage alone is none of them."""
    event = sse.Event("", json.dumps(data).encode())
    assert DIALECT.judge(event, data) is verdict
    assert DIALECT.ending(event, data) is ending


def frames(*chunks, space=True):
    """A stream as Google writes it, with or without spaces in its JSON."""
    separators = None if space else (",", ":")
    return b"".join(b"data: " + json.dumps(one, separators=separators).encode() + b"\r\n\r\n" for one in chunks)


@pytest.mark.parametrize("space", [True, False])
def test_the_last_count_of_each_field_holds(space):
    """Counts grow from chunk to chunk and are never added; a field that is absent later keeps its count."""
    tap = Tap(DIALECT)
    first = {**TEXT, "usageMetadata": {"promptTokenCount": 18, "thoughtsTokenCount": 35, "totalTokenCount": 53}}
    last = {**STOP, "usageMetadata": {"promptTokenCount": 18, "candidatesTokenCount": 80, "totalTokenCount": 133}}
    batch = frames(first, space=space)
    assert tap.read(batch) is batch
    tap.read(frames({**TEXT, "usageMetadata": {"trafficType": "ON_DEMAND"}}, last, space=space))
    found = tap.usage()
    assert (found.input, found.output, found.reasoning, tap.ended) == (18, 115, 35, True)


def test_an_error_in_the_middle_fails_the_stream():
    """An error chunk ends a stream as failed, whatever came before."""
    tap = Tap(DIALECT)
    tap.read(frames(TEXT, ERROR))
    assert tap.ended is False
    assert json.loads(tap.failed_with) == ERROR


def test_the_words_of_a_text_end_nothing():
    """A text that holds the names of fields is a text."""
    tap = Tap(DIALECT)
    said = 'the "finishReason": "STOP" and {"error": 1} "usageMetadata": {"promptTokenCount": 9}'
    tap.read(frames({"candidates": [{"content": {"parts": [{"text": said}]}}]}))
    assert (tap.ended, tap.usage().input) == (None, None)


def test_a_whole_answer():
    """Usage stands in usageMetadata, an error inside a 200 in Google's form, also alone in a list."""
    body = json.dumps({**STOP, "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2}}).encode()
    assert (usage_of(DIALECT, body).input, usage_of(DIALECT, body).output) == (4, 2)
    assert failure_of(DIALECT, body) is None
    found = failure_of(DIALECT, json.dumps(ERROR).encode())
    assert (found.status, json.loads(found.body)) == (503, ERROR)


def test_a_broken_stream_says_it_twice():
    """The error stands in an event, and once more on a line of its own: some clients read the one, some the other."""
    events = DIALECT.error_events(BadGateway("no"), "req", Tap(DIALECT))
    said, raw, rest = events.split(b"\r\n\r\n")
    assert (said, rest) == (b"data: " + raw, b"")
    assert json.loads(raw)["error"] == {"code": 502, "message": "no", "status": "INTERNAL"}


def test_a_ping_is_a_blank_line():
    """Nothing but blank lines is read over by every client."""
    assert DIALECT.ping(False) == DIALECT.ping(True) == b"\r\n\r\n"
