"""Which differences between two requests count, and which do not."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.answer_cache.exact_json import read_exact
from router.policy.answer_cache.identity import describe_request

BODY = {
    "model": "m",
    "temperature": 0,
    "system": [{"type": "text", "text": "s"}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
}
MARK = {"type": "ephemeral"}


def key(body=BODY, *, kind="messages", headers=(), path="/v1/messages", query="", stream=False, place=("1", "")):
    """The hash of a request's canonical bytes."""
    found = read_exact(body if isinstance(body, bytes) else json.dumps(body).encode())
    request = describe_request(kind, found, headers, path=path, query=query, stream=stream, place=place)
    return hashlib.sha256(request).hexdigest()[:16]


def marked():
    """The same request with marks for the provider's cache wherever they may stand."""
    block = {"type": "text", "text": "hi", "cache_control": MARK}
    return {
        **BODY,
        "cache_control": MARK,
        "system": [{"type": "text", "text": "s", "cache_control": MARK}],
        "messages": [{"role": "user", "content": [block]}],
    }


SAME = (
    {"body": {**BODY, "model": "another name, which is part of the place"}},
    {"body": {**BODY, "stream": False}},
    {"body": {**BODY, "metadata": {"user_id": "u"}, "user": "u", "safety_identifier": "s"}},
    {"body": {**BODY, "prompt_cache_key": "k", "prompt_cache_retention": "24h", "client_metadata": {"a": 1}}},
    {"body": {**BODY, "temperature": 0.0}},
    {"body": {**BODY, "stream_options": {"include_usage": True}}},
    {"body": dict(reversed(BODY.items()))},
    {"body": marked()},
    {"headers": ((b"authorization", b"Bearer a"), (b"x-api-key", b"b"), (b"user-agent", b"u"), (b"accept", b"*/*"))},
    {"headers": ((b"x-stainless-retry-count", b"1"), (b"x-fairlead-tag", b"research"), (b"traceparent", b"00-1"))},
    {"headers": ((b"x-claude-code-session-id", b"1"), (b"idempotency-key", b"1"), (b"content-length", b"9"))},
)
OTHER = (
    {"body": {**BODY, "temperature": 0.1}},
    {"body": {**BODY, "max_tokens": 5}},
    {"body": {**BODY, "service_tier": "flex"}},
    {"body": {**BODY, "seed": 1}},
    {"body": {**BODY, "future": None}},
    {"body": {**BODY, "system": "s"}},
    {"body": {**BODY, "messages": [{"role": "user", "content": [{"type": "text", "text": "hi "}]}]}},
    {"kind": "count"},
    {"path": "/v1/messages/count_tokens"},
    {"query": "beta=true"},
    {"stream": True},
    {"place": ("1", "laptop")},
    {"place": ("2", "")},
    {"headers": ((b"anthropic-beta", b"a"),)},
    {"headers": ((b"anthropic-version", b"2023-06-01"),)},
    {"headers": ((b"openai-beta", b"a"),)},
    {"headers": ((b"x-unheard-of", b"1"),)},
)


@pytest.mark.parametrize("change", SAME)
def test_what_does_not_count(change):
    """Who asks, how, and where a provider's cache may begin leave the key as it is."""
    assert key(**change) == key()


@pytest.mark.parametrize("change", OTHER)
def test_what_counts(change):
    """All else makes another key, also what is not known."""
    assert key(**change) != key()


def test_all_keys_differ():
    """No two of these changes have the same key."""
    keys = [key(**change) for change in OTHER]
    assert len({*keys}) == len(keys)


def test_betas_are_a_set():
    """The order of beta names, and how many headers they are in, do not count."""
    one = key(headers=((b"anthropic-beta", b"a, b"),))
    assert one == key(headers=((b"Anthropic-Beta", b"b,a"),)) != key(headers=((b"anthropic-beta", b"a"),))
    assert one == key(headers=((b"anthropic-beta", b"b"), (b"anthropic-beta", b"a")))


def test_only_marks_are_left_out():
    """What has a mark's name inside the arguments of a call or the schema of a tool is the caller's own."""
    call = {"type": "tool_use", "id": "1", "name": "n", "input": {"cache_control": 1}}
    tool = {"name": "n", "input_schema": {"properties": {"cache_control": {}}}}
    one = {**BODY, "messages": [{"role": "assistant", "content": [call]}], "tools": [tool]}
    without = {**one, "messages": [{"role": "assistant", "content": [{**call, "input": {}}]}]}
    other = {**one, "tools": [{**tool, "input_schema": {"properties": {}}}]}
    assert len({key(one), key(without), key(other)}) == 3
    # In a result within a result it is a mark.
    result = {"type": "tool_result", "content": [{"type": "text", "text": "t"}]}
    inner = {"type": "tool_result", "content": [{"type": "text", "text": "t", "cache_control": MARK}]}
    bodies = [{**BODY, "messages": [{"role": "user", "content": [block]}]} for block in (result, inner)]
    assert key(bodies[0]) == key(bodies[1])


@pytest.mark.parametrize(
    ("options", "golden"),
    [
        ({}, "2bdc34e0ceb2bb92"),
        ({"kind": "chat", "path": "/v1/chat/completions", "stream": True}, "2884bf812c0f8e23"),
        ({"body": b'{"input":["a"],"n":1.50}', "kind": "embeddings", "path": "/v1/embeddings"}, "d37df3337060f715"),
        ({"headers": ((b"anthropic-beta", b"b,a"), (b"openai-beta", b"c")), "query": "x=1"}, "c77d3dc6d55f0b53"),
    ],
)
def test_golden_keys(options, golden):
    """The bytes are pinned, so that a change of them is seen: it makes each answer that is kept useless."""
    assert key(**options) == golden


FIELDS = st.fixed_dictionaries(
    {
        "messages": st.lists(
            st.fixed_dictionaries({"role": st.just("user"), "content": st.text(max_size=8)}), max_size=3
        )
    },
    optional={
        "temperature": st.sampled_from([0, 1, 0.5]),
        "max_tokens": st.integers(1, 5),
        "stop": st.lists(st.text(max_size=3), max_size=2),
        "seed": st.integers(),
    },
)


@given(FIELDS, FIELDS)
def test_equal_just_when_equal(one, other):
    """Two requests have the same key just when their fields are equal."""
    assert (key(one) == key(other)) is (one == other)
