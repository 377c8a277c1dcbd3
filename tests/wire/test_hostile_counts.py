"""Numbers that an upstream gives for tokens and money: each is a count that can be added up, or unknown."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.backends.profile import Profile
from router.ir import Usage
from router.wire.chat.dialect import Chat
from router.wire.count_tokens import count_in
from router.wire.messages.dialect import Messages
from router.wire.raw.json.json_values import MOST_TOKENS
from router.wire.responses.dialect import Responses
from router.wire.tap import Tail, Tap, usage_of

DIALECTS = (Chat(), Messages(), Responses())
HOSTILE = (
    *(-1, 0, 1, 10**9, 10**9 + 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**19, 10**400),
    *(
        -(2**63),
        1e308,
        -1e308,
        0.5,
        1e9,
        math.nan,
        math.inf,
        -math.inf,
        True,
        False,
        None,
        "7",
        "",
        [],
        {},
        [9],
        {"a": 9},
    ),
)
numbers = st.one_of(st.sampled_from(HOSTILE), st.integers(), st.integers(0, 10**10), st.floats())
NAMES = (
    *("prompt_tokens", "completion_tokens", "total_tokens", "input_tokens", "output_tokens", "cost"),
    *("prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "cached_tokens", "cost_in_usd_ticks"),
    *("cache_creation_input_tokens", "cache_read_input_tokens"),
)
BELOW = {
    "prompt_tokens_details": ("cached_tokens", "cache_write_tokens", "audio_tokens", "image_tokens"),
    "completion_tokens_details": ("reasoning_tokens", "audio_tokens", "image_tokens"),
    "input_tokens_details": ("cached_tokens", "cache_write_tokens"),
    "output_tokens_details": ("reasoning_tokens", "thinking_tokens"),
    "cache_creation": ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
    "server_tool_use": ("web_search_requests", "code_execution_requests"),
    "cost_details": ("upstream_inference_cost",),
}
details = st.fixed_dictionaries(
    {},
    optional={
        name: st.one_of(numbers, st.fixed_dictionaries({}, optional=dict.fromkeys(below, numbers)))
        for name, below in BELOW.items()
    },
)
usages = st.builds(
    lambda flat, deep: {**flat, **deep},
    st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, numbers)),
    details,
)
PROFILES = (
    Profile(),
    Profile(charge="cost"),
    Profile(charge="cost_in_usd_ticks"),
    Profile(usage_excludes_cache=True, usage_excludes_reasoning=True),
)


def check(usage):
    """Every number of a usage can be stored, added up and multiplied."""
    counts = [getattr(usage, name) for name in usage.__struct_fields__ if name not in ("charge", "extras")]
    if usage.extras is not None:
        counts += [getattr(usage.extras, name) for name in ("searches", "lookups", "input_audio", "output_audio")]
    for count in counts:
        assert count is None or (type(count) is int and 0 <= count <= MOST_TOKENS), usage
    assert usage.charge is None or (type(usage.charge) is int and 0 <= usage.charge <= 2 * 10**15), usage


@settings(max_examples=300)
@given(found=usages, known=usages, which=st.integers(0, 2), profile=st.sampled_from(PROFILES))
def test_counts_of_a_usage_object(found, known, which, profile):
    """Each reader gives counts in bounds or none, whatever stands in the object, also on top of what came before."""
    dialect = DIALECTS[which]
    before = dialect.usage(known, Usage(), profile)
    check(before)
    check(dialect.usage(found, before, profile))


@settings(max_examples=150)
@given(found=usages, which=st.integers(0, 2), profile=st.sampled_from(PROFILES))
def test_counts_of_answers_and_streams(found, which, profile):
    """The same through the readers of whole answers, of the ends of large ones, and of streams."""
    dialect = DIALECTS[which]
    body = json.dumps({"id": "x", "usage": found, "choices": []}).encode()
    check(usage_of(dialect, body, profile))
    tail = Tail(dialect, b"", profile)
    tail.read(body)
    check(tail.usage())
    tap = Tap(dialect, profile)
    tap.read(b"data: " + body + b"\n\n")
    check(tap.usage())


@pytest.mark.parametrize("value", [2**63, 10**400, -1, 1e9, True, "7"])
def test_counts_of_a_token_counter(value):
    """An impossible count is none, so that an estimate takes its place."""
    assert count_in({"input_tokens": value}, "messages") is None
