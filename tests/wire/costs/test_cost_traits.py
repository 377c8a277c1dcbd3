"""What a request says of its cost: limits, choices, tiers, tools that are billed apart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire import calls
from router.wire.costs.cost_traits import TYPICAL_SEARCHES, CostTraits, read_cost_traits, read_limit
from router.wire.raw.json.json_values import MOST_TOKENS
from router.wire.raw.json.top_level import peek

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
GEMINI = "/v1beta/models/m:generateContent"
COMPLETIONS, EMBEDDINGS = "/v1/completions", "/v1/embeddings"


def traits(path, *caps, **body):
    raw = json.dumps({"model": "m", **body}).encode()
    return read_cost_traits(calls.call(path), peek(raw), raw, caps)


@pytest.mark.parametrize(
    ("path", "body", "output"),
    [
        (CHAT, {}, None),
        (CHAT, {"max_tokens": 7}, 7),
        (CHAT, {"max_completion_tokens": 7}, 7),
        (CHAT, {"max_completion_tokens": 7, "max_tokens": 9}, 9),
        (CHAT, {"max_tokens": 7, "n": 3}, 21),
        (CHAT, {"max_tokens": None}, None),
        (CHAT, {"max_tokens": 0}, None),
        (CHAT, {"max_tokens": -5}, None),
        (CHAT, {"max_tokens": "7"}, None),
        (CHAT, {"max_tokens": True}, None),
        (CHAT, {"max_tokens": 7.0}, 7),
        (CHAT, {"max_tokens": 1e300}, MOST_TOKENS),
        (CHAT, {"max_tokens": 10**30, "n": 10**30}, MOST_TOKENS),
        (MESSAGES, {"max_tokens": 7}, 7),
        ("/v1/fim/completions", {"max_tokens": 7}, 7),
        ("/v1/agents/completions", {"max_tokens": 7, "n": 2}, 14),
        ("/v1/responses/compact", {"max_output_tokens": 7}, 7),
        (COMPLETIONS, {"max_tokens": 7, "prompt": ['a","[' * 100_000] * 4}, 28),
        (COMPLETIONS, {"max_tokens": 7, "prompt": [[123456789] * 40_000] * 3}, 21),
        (COMPLETIONS, {"max_tokens": 7, "prompt": [123456789] * 120_000}, 7),
        (RESPONSES, {"max_output_tokens": 7}, 7),
        (RESPONSES, {"max_tokens": 7}, None),
        (COMPLETIONS, {"max_tokens": 7, "n": 2, "best_of": 5}, 35),
        (COMPLETIONS, {"max_tokens": 7, "prompt": ["a", "b", "c"]}, 21),
        (COMPLETIONS, {"max_tokens": 7, "prompt": [1, 2, 3]}, 7),
        (COMPLETIONS, {"max_tokens": 7, "prompt": [[1], [2]], "n": 2}, 28),
        (EMBEDDINGS, {"max_tokens": 7}, 0),
    ],
)
def test_the_limit_of_the_output(path, body, output):
    """Of all answers together, by the names of the protocol; what is no number of tokens is no limit."""
    assert traits(path, **body).output == output


def test_limits_that_are_set_elsewhere():
    """The lowest counts, for each of the answers."""
    assert traits(CHAT, 100, 50, max_tokens=70, n=2).output == 100
    assert traits(CHAT, 100, 0, max_tokens=70).output == 70
    assert traits(CHAT, 100).output == 100


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        (CHAT, {"service_tier": "Priority"}, {"tier": "priority"}),
        (CHAT, {"service_tier": "auto"}, {}),
        (CHAT, {"service_tier": "flex"}, {}),
        (CHAT, {"service_tier": ["x"]}, {}),
        (CHAT, {"service_tier": "x" * 99}, {}),
        (MESSAGES, {"speed": "fast"}, {"tier": "fast"}),
        (MESSAGES, {"speed": "fast", "service_tier": "flex"}, {"tier": "fast"}),
        (CHAT, {"modalities": ["text", "audio"]}, {"audio": True}),
        (CHAT, {"n": 4}, {"choices": 4}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}, {"searches": 3}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305"}]}, {"searches": TYPICAL_SEARCHES}),
        (MESSAGES, {"tools": [{"name": "web_search", "input_schema": {}}]}, {}),
        (CHAT, {"tools": [{"type": "function", "function": {"name": "web_search"}}]}, {}),
        (RESPONSES, {"tools": [{"type": "web_search"}]}, {"searches": TYPICAL_SEARCHES}),
        (RESPONSES, {"tools": [{"type": "web_search_preview"}]}, {"searches": TYPICAL_SEARCHES}),
        (RESPONSES, {"tools": [{"type": "image_generation"}]}, {"uncounted": "the tool image_generation"}),
        (RESPONSES, {"tools": [{"type": "code_interpreter"}]}, {"uncounted": "the tool code_interpreter"}),
        (MESSAGES, {"tools": [{"type": "code_execution_20250825"}]}, {"uncounted": "the tool code_execution"}),
        *(
            (GEMINI, {"tools": [{name: {}}]}, {"searches": TYPICAL_SEARCHES})
            for name in ("googleSearch", "google_search", "googleSearchRetrieval")
        ),
        (
            *(GEMINI, {"tools": [{"enterprise_web_search": {}}]}),
            {"searches": TYPICAL_SEARCHES, "uncounted": "the tool enterprise web search"},
        ),
        (GEMINI, {"tools": [{"googleMaps": {}}]}, {"searches": TYPICAL_SEARCHES, "uncounted": "the tool google maps"}),
        (GEMINI, {"tools": [{"functionDeclarations": [{"name": "googleSearch"}]}, {"urlContext": {}}]}, {}),
        (RESPONSES, {"tools": "web_search"}, {}),
        (RESPONSES, {"tools": ["web_search", 7, None]}, {}),
        (RESPONSES, {"background": True}, {"uncounted": "an answer in the background (background = true)"}),
        (RESPONSES, {"background": False}, {}),
        (CHAT, {"web_search_options": {}}, {"searches": 1, "uncounted": "web searches in Chat"}),
        (CHAT, {"model": "gpt-4o-search-preview"}, {"searches": 1, "uncounted": "web searches in Chat"}),
        (MESSAGES, {"messages": [{"cache_control": {"type": "ephemeral"}}]}, {"cached": "5m"}),
        (MESSAGES, {"messages": [{"cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, {"cached": "1h"}),
    ],
)
def test_what_is_billed_beside_tokens(path, body, found):
    """Tiers, searches, sound, tools of the provider; tools of the caller are not among them."""
    assert traits(path, **body) == CostTraits(**found)


def test_tools_in_escapes():
    """A spelling by escapes is the same tool."""
    raw = rb'{"model":"m","tools":[{"type":"\u0077eb_search_20250305"},{"type":"image\u005fgeneration"}]}'
    found = read_cost_traits(calls.call(RESPONSES), peek(raw), raw)
    assert (found.searches, found.uncounted) == (TYPICAL_SEARCHES, "the tool image_generation")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "n", "best_of", "prompt", "tools", "background"),
    *("service_tier", "speed", "modalities", "web_search_options", "model"),
)


@given(
    st.sampled_from([CHAT, MESSAGES, RESPONSES, COMPLETIONS, EMBEDDINGS]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, values)),
)
def test_any_request(path, body):
    """No value of any field is an error, and every number is in bounds."""
    raw = json.dumps(body).encode()
    top = peek(raw)
    found = read_cost_traits(calls.call(path), top, raw)
    assert found.output is None or 0 <= found.output <= MOST_TOKENS
    assert 1 <= found.choices <= 10_000
    assert 0 <= found.searches <= 1000
    limit = read_limit(calls.call(path), top)
    assert limit is None or 0 < limit <= MOST_TOKENS


def test_large_tools_are_not_decoded(monkeypatch):
    """It would delay every stream; what they are cannot be told, so that they count as a tool without a price."""
    tools = [{"type": "web_search", "user_location": "x" * (2 << 20)}]
    raw = json.dumps({"model": "m", "tools": tools}).encode()
    top = peek(raw)
    monkeypatch.setattr(type(top), "value", lambda self, name: None)
    found = read_cost_traits(calls.call(MESSAGES), top, raw)
    assert (found.searches, found.uncounted) == (TYPICAL_SEARCHES, "tools of over 1 MiB")
