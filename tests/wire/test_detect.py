"""The protocol of a request without a path is detected from its fields."""

import json

import pytest

from router.wire.detect import protocol_of
from router.wire.raw.json.top_level import peek


@pytest.mark.parametrize(
    ("fields", "headers", "wanted"),
    [
        ({"input": "hi"}, {}, "responses"),
        ({"messages": [], "system": "s"}, {}, "messages"),
        ({"messages": []}, {b"anthropic-version": b"x"}, "messages"),
        ({"messages": [], "stream_options": {}}, {}, "chat"),
        ({"messages": [], "tools": [{"name": "t", "input_schema": {}}]}, {}, "messages"),
        ({"messages": [], "tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {}, "messages"),
        ({"messages": [], "tools": [{"type": "bash_20250124", "name": "bash"}]}, {}, "messages"),
        ({"messages": [], "tools": [{"type": "function"}, 5]}, {}, "chat"),
        ({"messages": [], "tools": [{"type": "web_search", "name": "x"}, {"type": 20250305}]}, {}, "chat"),
        ({"messages": [], "tools": [{"type": "_20250305"}]}, {}, "chat"),
        ({"messages": [], "max_tokens": 5, "model": "claude-x"}, {}, "messages"),
        ({"messages": [], "max_tokens": 5, "model": "gpt"}, {}, "chat"),
        ({"messages": [], "max_tokens": 5, "model": None}, {}, "chat"),
        ({"input": "hi", "messages": []}, {}, "chat"),
        ({}, {}, "chat"),
    ],
)
def test_the_protocol_of_a_body(fields, headers, wanted):
    """A request is recognised by fields that only one protocol has."""
    assert protocol_of(peek(json.dumps({"model": "m", **fields}).encode()), headers) == wanted
