"""Only an answer that says that it came to its own end is kept."""

import json

import pytest

from router.policy.answer_cache.completeness import is_complete
from tests.e2e.samples import CHAT, MESSAGES, RESPONSES

SAMPLES = {"messages": MESSAGES, "chat": CHAT, "responses": RESPONSES}


@pytest.mark.parametrize("kind", SAMPLES)
def test_whole_answers(kind):
    """The usual answer and the usual stream of each protocol."""
    sample = SAMPLES[kind]
    assert is_complete(kind, sample.whole, stream=False)
    assert is_complete(kind, b"".join(sample.events), stream=True)


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_stream_that_lacks_its_end(kind):
    """Without the events that say how it ended, a stream is not whole, wherever it was cut."""
    events = SAMPLES[kind].events
    last = {"messages": len(events), "chat": len(events) - 1, "responses": len(events)}[kind]
    for count in range(last):
        assert not is_complete(kind, b"".join(events[:count]), stream=True)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("messages", {"type": "message", "stop_reason": "max_tokens"}),
        ("messages", {"type": "message", "stop_reason": "refusal"}),
        ("messages", {"type": "message", "stop_reason": "pause_turn"}),
        ("messages", {"type": "message", "stop_reason": None}),
        ("messages", {"type": "error", "error": {"type": "api_error"}}),
        ("chat", {"choices": [{"finish_reason": "length"}]}),
        ("chat", {"choices": [{"finish_reason": "content_filter"}]}),
        ("chat", {"choices": [{"finish_reason": "stop"}, {"finish_reason": None}]}),
        ("chat", {"choices": []}),
        ("chat", {"choices": [{"finish_reason": "stop"}], "error": {"message": "m"}}),
        ("responses", {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}),
        ("responses", {"status": "failed", "error": {}}),
        ("responses", {"status": "in_progress"}),
        ("gemini", {"candidates": [{"finishReason": "MAX_TOKENS"}]}),
        ("gemini", {"candidates": [{"finishReason": "STOP"}, {"index": 1}]}),
        ("gemini", {"candidates": []}),
        ("gemini", {"promptFeedback": {"blockReason": "SAFETY"}, "candidates": [{"finishReason": "STOP"}]}),
        ("gemini", {"candidates": [{"finishReason": "STOP"}], "error": {"code": 500}}),
        ("gemini", [{"candidates": [{"content": {}}]}]),
        ("gemini", [{"candidates": [{"finishReason": "STOP"}]}, {"error": {"code": 500}}]),
        ("gemini", []),
        ("count", {"totalTokens": "3"}),
        ("embeddings", {"data": []}),
        ("count", {"input_tokens": None}),
        ("count", [1]),
    ],
)
def test_other_ends(kind, body):
    """What was cut by its length, refused, filtered, or is no answer at all."""
    assert not is_complete(kind, json.dumps(body).encode(), stream=False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("messages", {"type": "message", "stop_reason": "tool_use"}),
        ("chat", {"choices": [{"finish_reason": "tool_calls"}]}),
        ("embeddings", {"data": [{"embedding": [0.1]}]}),
        ("count", {"input_tokens": 3}),
        ("count", {"totalTokens": 3}),
        ("gemini", {"candidates": [{"finishReason": "STOP"}]}),
        ("gemini", [{"candidates": [{"content": {}}]}, {"candidates": [{"finishReason": "STOP"}]}, {}]),
    ],
)
def test_other_whole_answers(kind, body):
    """Calls of tools, embeddings and counts."""
    assert is_complete(kind, json.dumps(body).encode(), stream=False)


def test_a_stream_of_google():
    """Each of its answers must have stopped, in whatever chunk."""
    first = {"candidates": [{"content": {"parts": [{"text": "a"}]}}, {"index": 1, "finishReason": "STOP"}]}
    last = {"candidates": [{"index": 0, "finishReason": "STOP"}]}
    frames = [b"data: %b\r\n\r\n" % json.dumps(one).encode() for one in (first, last)]
    assert is_complete("gemini", b"".join([frames[0], b"\r\n\r\n", frames[1]]), stream=True)
    assert not is_complete("gemini", frames[0], stream=True)
    assert not is_complete("gemini", b"", stream=True)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_no_json(body):
    """What cannot be read is not kept."""
    assert not is_complete("chat", body, stream=False)
    assert not is_complete("chat", b"data: " + body + b"\n\n", stream=True)


def test_cut_by_its_length():
    """Streams that say so at their end."""
    delta = MESSAGES.events[-2].replace(b"end_turn", b"max_tokens")
    assert not is_complete("messages", b"".join((*MESSAGES.events[:-2], delta, MESSAGES.events[-1])), stream=True)
    stream = b"".join(CHAT.events)
    assert not is_complete("chat", stream.replace(b'"finish_reason":"stop"', b'"finish_reason":"length"'), stream=True)
    stream = b"".join(RESPONSES.events)
    assert not is_complete("responses", stream.replace(b"response.completed", b"response.incomplete"), stream=True)
