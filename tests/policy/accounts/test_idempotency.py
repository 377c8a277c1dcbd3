"""Whether a request may be sent a second time, judged by its path and body."""

import json

import pytest

from router.policy.accounts.idempotency import judge_retry_safety
from router.wire import calls
from router.wire.raw.json.top_level import peek

FUNCTION = {"type": "function", "name": "f"}


def safety(path, body=None, method="POST", **options):
    top = None if body is None else peek(json.dumps(body).encode())
    fields = {b"anthropic-version": b""} if path.startswith("/v1/messages") else {}
    call = calls.call(path, fields)
    return judge_retry_safety(call if top is None else calls.by_content(call, top), method, top, **options)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/v1/messages", "safe"),
        ("POST", "/v1/messages/count_tokens", "safe"),
        ("POST", "/v1/chat/completions", "safe"),
        ("POST", "/v1/completions", "safe"),
        ("POST", "/v1/embeddings", "safe"),
        ("GET", "/v1/files/file-1", "safe"),
        ("HEAD", "/v1/files/file-1", "safe"),
        ("PUT", "/v1/files/file-1", "maybe_executed"),
        ("POST", "/v1/images/generations", "maybe_executed"),
        ("POST", "/v1/batches", "maybe_executed"),
        ("POST", "/v1/messages/batches", "maybe_executed"),
        ("DELETE", "/v1/responses/resp_1", "maybe_executed"),
        ("POST", "/v1/responses/resp_1/cancel", "maybe_executed"),
    ],
)
def test_paths(method, path, expected):
    """Generation, embeddings and counts may be re-sent, and what only reads; no other POST, and no DELETE."""
    assert safety(path, {"model": "m"}, method) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"store": False}, "safe"),
        ({}, "maybe_executed"),
        ({"store": True}, "maybe_executed"),
        ({"store": None}, "maybe_executed"),
        ({"store": False, "background": True}, "maybe_executed"),
        ({"store": False, "background": False}, "safe"),
        ({"store": False, "previous_response_id": "resp_1"}, "maybe_executed"),
        ({"store": False, "previous_response_id": None}, "safe"),
        ({"store": False, "conversation": "conv_1"}, "maybe_executed"),
        ({"store": False, "tools": []}, "safe"),
        ({"store": False, "tools": [FUNCTION, {"type": "custom", "name": "g"}]}, "safe"),
        ({"store": False, "tools": [FUNCTION, {"type": "web_search"}]}, "safe"),
        ({"store": False, "tools": [{"type": "web_search_preview_2025_03_11"}]}, "safe"),
        ({"store": False, "tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "safe"),
        ({"store": False, "tools": [{"type": "web_search"}, {"type": "code_interpreter"}]}, "maybe_executed"),
        ({"store": False, "tools": [{"type": "image_generation"}]}, "maybe_executed"),
        ({"store": False, "tools": [{"type": "mcp"}]}, "maybe_executed"),
        ({"store": False, "tools": [{"type": "tool_search", "execution": "client"}]}, "safe"),
        ({"store": False, "tools": [{"type": "tool_search"}]}, "maybe_executed"),
        ({"store": False, "tools": [{"type": "namespace"}]}, "safe"),
        ({"store": False, "tools": [{"type": "something_new"}]}, "maybe_executed"),
        ({"store": False, "tools": ["odd"]}, "maybe_executed"),
        ({"store": False, "tools": {"type": "function"}}, "maybe_executed"),
    ],
)
def test_responses(body, expected):
    """A Responses request is safe only when it leaves nothing behind at its vendor."""
    assert safety("/v1/responses", body) == expected


@pytest.mark.parametrize(
    ("body", "dropped", "expected"),
    [
        ({}, (), "safe"),
        ({"store": True, "previous_response_id": "resp_1"}, (), "safe"),
        ({"store": True}, None, "maybe_executed"),
        ({"tools": [FUNCTION, {"type": "mcp"}]}, ("tools[1]",), "safe"),
        ({"tools": [{"type": "mcp"}, FUNCTION]}, ("tools[1]",), "maybe_executed"),
        ({"tools": [{"type": "mcp"}]}, (), "maybe_executed"),
        ({"tools": [{"type": "tool_search"}]}, ("tools[0]",), "safe"),
    ],
)
def test_a_translated_request_is_judged_as_it_was_sent(body, dropped, expected):
    """What this proxy keeps itself is not kept upstream, and a tool that was left out cannot have run."""
    assert safety("/v1/responses", body, dropped=dropped) == expected


TRIGGERED = {"input": [{"type": "compaction_trigger"}], "tools": [{"type": "code_interpreter"}], "store": True}


@pytest.mark.parametrize(("path", "body"), [("/v1/responses", TRIGGERED), ("/v1/responses/compact", {"input": "hi"})])
def test_a_summary_leaves_nothing_behind(path, body):
    """Where the backend is asked for one, no tool may run and nothing is kept; where it compacts itself, it may."""
    assert safety(path, body, dropped=()) == "safe"
    assert safety(path, body) == "maybe_executed"


def test_not_replayable():
    """A body that is not in memory cannot be sent again."""
    assert safety("/v1/files", None, replayable=False) == "not_replayable"
