"""Whether a request may be sent a second time, told from its path and body."""

import json

import pytest

from router.policy.accounts.idempotency import nature_of
from router.wire import calls
from router.wire.raw.top_level import peek

FUNCTION = {"type": "function", "name": "f"}


def nature(path, body=None, method="POST", **options):
    top = None if body is None else peek(json.dumps(body).encode())
    return nature_of(
        calls.call(path, {b"anthropic-version": b""} if path.startswith("/v1/messages") else {}), method, top, **options
    )


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/messages", "free"),
        ("POST", "/v1/messages/count_tokens", "free"),
        ("POST", "/v1/chat/completions", "free"),
        ("POST", "/v1/completions", "free"),
        ("POST", "/v1/embeddings", "free"),
        ("GET", "/v1/files/file-1", "free"),
        ("POST", "/v1/images/generations", "served"),
        ("POST", "/v1/batches", "served"),
        ("POST", "/v1/messages/batches", "served"),
        ("DELETE", "/v1/responses/resp_1", "served"),
        ("POST", "/v1/responses/resp_1/cancel", "served"),
    ],
)
def test_paths(method, path, expected):
    """Generation, embeddings and counts may be re-sent, and what only reads; no other POST, and no DELETE."""
    assert nature(path, {"model": "m"}, method) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"store": False}, "free"),
        ({}, "served"),
        ({"store": True}, "served"),
        ({"store": None}, "served"),
        ({"store": False, "background": True}, "served"),
        ({"store": False, "background": False}, "free"),
        ({"store": False, "previous_response_id": "resp_1"}, "served"),
        ({"store": False, "previous_response_id": None}, "free"),
        ({"store": False, "conversation": "conv_1"}, "served"),
        ({"store": False, "tools": []}, "free"),
        ({"store": False, "tools": [FUNCTION, {"type": "custom", "name": "g"}]}, "free"),
        ({"store": False, "tools": [FUNCTION, {"type": "web_search"}]}, "served"),
        ({"store": False, "tools": [{"type": "mcp"}]}, "served"),
        ({"store": False, "tools": [{"type": "tool_search", "execution": "client"}]}, "free"),
        ({"store": False, "tools": [{"type": "tool_search"}]}, "served"),
        ({"store": False, "tools": ["odd"]}, "served"),
        ({"store": False, "tools": {"type": "function"}}, "served"),
    ],
)
def test_responses(body, expected):
    """A Responses request is free only when it leaves nothing behind at its vendor."""
    assert nature("/v1/responses", body) == expected


def test_streamed():
    """What was not kept cannot be sent again."""
    assert nature("/v1/files", None, kept=False) == "streamed"
