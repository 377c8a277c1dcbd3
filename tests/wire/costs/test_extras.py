"""What an answer tells of its cost beside its usage."""

import json

import pytest

from router.backends.profile import Profile
from router.ir import Extras, Usage
from router.wire.costs.extras import add_extras, count_calls
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.tap import Tail, Tap, usage_of

CHAT_USAGE = {"prompt_tokens": 9, "completion_tokens": 5}
USAGE = {"input_tokens": 9, "output_tokens": 5}
CALLS = [{"type": "web_search_call", "id": "1"}, {"type": "web_search_call"}, {"type": "file_search_call"}]
TEXT = {
    "type": "message",
    "content": [{"type": "output_text", "text": 'a "web_search_call" and "service_tier":"flex"'}],
}


@pytest.mark.parametrize(
    ("protocol", "body", "found"),
    [
        ("chat", {"usage": CHAT_USAGE, "service_tier": "priority"}, Extras(tier="priority")),
        ("chat", {"service_tier": "default", "usage": CHAT_USAGE}, None),
        ("chat", {"usage": CHAT_USAGE, "choices": [{"message": {"content": '"service_tier":"flex"'}}]}, None),
        (
            *("chat", {"usage": {**CHAT_USAGE, "completion_tokens_details": {"audio_tokens": 4, "image_tokens": 1}}}),
            Extras(output_audio=4, output_image=1),
        ),
        ("messages", {"usage": {**USAGE, "server_tool_use": {"web_search_requests": 10}}}, Extras(searches=10)),
        ("messages", {"usage": {**USAGE, "service_tier": "standard"}}, None),
        ("messages", {"usage": {**USAGE, "service_tier": "Standard", "speed": ["fast"]}}, None),
        ("messages", {"usage": {**USAGE, "server_tool_use": 0, "service_tier": None}}, None),
        ("messages", {"usage": {**USAGE, "service_tier": "batch"}}, Extras(tier="batch")),
        ("messages", {"usage": {**USAGE, "speed": "fast", "service_tier": "standard"}}, Extras(tier="fast")),
        (
            *("messages", {"usage": {**USAGE, "server_tool_use": {"code_execution_requests": 1}}}),
            Extras(uncounted="code execution"),
        ),
        ("responses", {"output": CALLS, "usage": USAGE}, Extras(searches=2, lookups=1)),
        ("responses", {"output": [TEXT], "usage": USAGE, "tools": [{"type": "web_search"}]}, None),
        ("responses", {"service_tier": "flex", "usage": USAGE}, Extras(tier="flex")),
        (
            *("responses", {"output": [{"type": "image_generation_call"}], "usage": USAGE}),
            Extras(uncounted="image generation"),
        ),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_whole_answers(protocol, body, found, spaced):
    """Tiers, searches, sound and pictures are read; what a model writes of them is not."""
    raw = json.dumps(body, separators=None if spaced else (",", ":")).encode()
    assert usage_of(BY_NAME[protocol].dialect, raw).extras == found


def test_streams():
    """The event that ends a stream tells what the whole answer does."""
    done = {
        "type": "response.completed",
        "response": {"output": [*CALLS, TEXT], "usage": USAGE, "service_tier": "flex"},
    }
    tap = Tap(BY_NAME["responses"].dialect)
    tap.read(sse.frame(json.dumps(done, separators=(",", ":")).encode(), "response.completed"))
    assert tap.usage() == Usage(9, 5, extras=Extras(tier="flex", searches=2, lookups=1))
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "service_tier": "priority"}
    last = {"choices": [], "usage": CHAT_USAGE, "service_tier": "priority"}
    tap = Tap(BY_NAME["chat"].dialect)
    for event in (end, last):
        tap.read(sse.frame(json.dumps(event).encode()))
    tap.read(sse.frame(b"[DONE]"))
    assert tap.usage().extras == Extras(tier="priority")
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 9, "service_tier": "priority"}}}
    delta = {"type": "message_delta", "usage": {"output_tokens": 5, "server_tool_use": {"web_search_requests": 3}}}
    tap = Tap(BY_NAME["messages"].dialect)
    for event in (start, delta, {"type": "message_stop"}):
        tap.read(sse.frame(json.dumps(event).encode(), event["type"]))
    assert tap.usage().extras == Extras(tier="priority", searches=3)


def test_any_number_of_calls():
    """They are counted in time that grows with the answer alone."""
    body = b'{"output":[' + b'{"type":"web_search_call"},' * 200_000 + b"{}]}"
    assert add_extras(Usage(1, 1), body, count_calls).extras.searches == 200_000
    assert add_extras(Usage(1, 1), body, None).extras is None


def test_counts_do_not_grow_by_repeats():
    """A usage object that comes again overwrites."""
    dialect = BY_NAME["messages"].dialect
    found = {**USAGE, "server_tool_use": {"web_search_requests": 4}}
    usage = dialect.usage(found, dialect.usage(found, Usage(), Profile()), Profile())
    assert usage.extras == Extras(searches=4)


def grounded(model, *queries, **more):
    """A chunk of Google's that ends an answer which made some searches."""
    candidates = [{"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": one}} for one in queries]
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 5}
    return {"candidates": candidates, "usageMetadata": usage, "modelVersion": model, **more}


@pytest.mark.parametrize(
    ("body", "searches"),
    [
        (grounded("gemini-3.5-flash", ["a", 'b "], c']), 2),
        (grounded("gemini-3.5-flash", ["a", "b"], ["b", "c"]), 3),
        (grounded("gemini-2.5-flash", ["a", "b"]), 1),
        (grounded("models/gemini-2.5-pro", ["a", "b"]), 1),
        (grounded("gemini-3.5-flash", ["", 7, None]), 0),
        (grounded("gemini-3.5-flash", []), 0),
        (grounded("gemini-3.5-flash", "a"), 0),
        (grounded("gemini-3.5-flash", ["a" * 20_000]), 1),
        (grounded("gemini-3.5-flash", None, text='"webSearchQueries": ["a"]'), 0),
    ],
)
@pytest.mark.parametrize("spaced", [False, True])
def test_searches_of_google(body, searches, spaced):
    """Each query counts once, or the answer where a model is billed so; whole, in a stream and cut behind its text."""
    dialect, extras = BY_NAME["gemini"].dialect, Extras(searches=searches) if searches else None
    raw = json.dumps(body, separators=None if spaced else (",", ":")).encode()
    assert usage_of(dialect, raw).extras == extras
    tap = Tap(dialect)
    tap.read(b"data: " + raw + b"\r\n\r\n")
    assert tap.usage() == Usage(9, 5, extras=extras)
    tail = Tail(dialect, b"")
    tail.read(raw)
    assert tail.usage() == Usage(9, 5, extras=extras)
