"""What answers' headers say of an account's limits, and what a request was billed to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.headers.rate_limits import Limit, Windows, billing_and_usage, limit_headers, parse_limits

UNIFIED = b"anthropic-ratelimit-unified-"
DATE = b"Thu, 01 Jan 2026 00:00:00 GMT"
NOW = 1767225600


@pytest.mark.parametrize(
    ("fields", "billing", "used"),
    [
        ({}, "", None),
        ({b"content-type": b"0.9"}, "", None),
        ({UNIFIED + b"representative-claim": b"overage"}, "overage", None),
        ({UNIFIED + b"representative-claim": b"overage", UNIFIED + b"overage-in-use": b"true"}, "overage", None),
        ({UNIFIED + b"representative-claim": b"five_hour", UNIFIED + b"overage-in-use": b"true"}, "overage", None),
        ({UNIFIED + b"representative-claim": b"five_hour", UNIFIED + b"overage-in-use": b"false"}, "five_hour", None),
        (
            {
                UNIFIED + b"status": b"rejected",
                UNIFIED + b"representative-claim": b"seven_day",
                UNIFIED + b"overage-status": b"allowed_warning",
            },
            "overage",
            None,
        ),
        (
            {
                UNIFIED + b"status": b"rejected",
                UNIFIED + b"representative-claim": b"seven_day",
                UNIFIED + b"overage-status": b"rejected",
            },
            "seven_day",
            None,
        ),
        (
            {
                UNIFIED + b"status": b"allowed",
                UNIFIED + b"representative-claim": b"five_hour",
                UNIFIED + b"overage-status": b"allowed",
            },
            "five_hour",
            None,
        ),
        ({UNIFIED + b"5h-utilization": b"0.42", UNIFIED + b"7d-utilization": b"0.1"}, "", 0.42),
        ({b"anthropic-ratelimit-tokens-limit": b"80000", b"anthropic-ratelimit-tokens-remaining": b"20000"}, "", 0.75),
        ({b"x-ratelimit-limit-requests": b"100", b"x-ratelimit-remaining-requests": b"100"}, "", 0.0),
        ({b"x-ratelimit-limit-requests": b"0", b"x-ratelimit-remaining-requests": b"0"}, "", None),
        ({b"x-ratelimit-remaining-requests": b"5"}, "", None),
        ({b"x-ratelimit-remaining-requests": b"0"}, "", 1.0),
        ({UNIFIED + b"5h-utilization": b"0.1", UNIFIED + b"overage-utilization": b"1.0"}, "", 0.1),
        ({b"x-ratelimit-limit-tokens": b"10", b"x-ratelimit-remaining-tokens": b"90"}, "", 0.0),
        ({UNIFIED + b"5h-utilization": b"nan", UNIFIED + b"7d-utilization": b"-1"}, "", None),
        ({UNIFIED + b"5h-utilization": b"inf"}, "", None),
        ({UNIFIED + b"5h-utilization": b"9" * 400}, "", None),
    ],
)
def test_readings(fields, billing, used):
    """The class it was billed to, and the tightest limit; what is no number says nothing."""
    assert billing_and_usage(fields)[:2] == (billing, used)


@pytest.mark.parametrize(
    ("fields", "windows"),
    [
        ({b"x-ratelimit-remaining-requests": b"5"}, None),
        ({UNIFIED + b"5h-reset": b"1790000000"}, None),
        (
            {UNIFIED + b"5h-utilization": b"0.42", UNIFIED + b"5h-reset": b"1790000000"},
            Windows(used_5h=0.42, resets_5h=1790000000),
        ),
        (
            {
                UNIFIED + b"5h-utilization": b"1.02",
                UNIFIED + b"7d-utilization": b"0",
                UNIFIED + b"5h-reset": b"2026-11-01T00:00:00Z",
                UNIFIED + b"7d-reset": b"9" * 18,
            },
            Windows(used_5h=1.02, used_7d=0.0),
        ),
    ],
)
def test_windows(fields, windows):
    """The two windows of a subscription are kept apart; a time that is none says nothing."""
    assert billing_and_usage(fields).windows == windows


@given(st.dictionaries(st.binary(max_size=8).map(lambda end: UNIFIED + end), st.binary(max_size=30)))
def test_anything_can_be_read(fields):
    """No header is an error."""
    billing, used, _ = billing_and_usage(fields)
    assert len(billing) <= 64
    assert used is None or used >= 0


NAMES = st.sampled_from(
    [
        *(UNIFIED + end for end in (b"5h-utilization", b"5h-reset", b"7d-utilization", b"7d-reset", b"status")),
        *(UNIFIED + end for end in (b"7d_opus-utilization", b"7d_opus-reset", b"overage-utilization")),
        *(UNIFIED + end for end in (b"representative-claim", b"overage-status", b"overage-in-use")),
        *(b"anthropic-ratelimit-tokens-" + end for end in (b"limit", b"remaining", b"reset")),
        *(b"x-ratelimit-" + end for end in (b"limit", b"remaining", b"reset", b"remaining-tokens", b"limit-tokens")),
        *(b"date", b"content-type", b"request-id", b"server"),
    ]
)
VALUES = st.sampled_from([b"", b"0", b"0.5", b"100", b"1790000000", b"true", b"allowed", b"rejected", DATE, b"9" * 400])


@given(st.dictionaries(NAMES, VALUES))
def test_the_limit_headers_alone_say_the_same(fields):
    """The selected headers parse to what all headers parse to, and none are selected where there is no limit."""
    selected = limit_headers(fields)
    assert billing_and_usage(selected) == billing_and_usage(fields)
    assert parse_limits(selected).limits == parse_limits(fields).limits
    assert set(selected) != {b"date"}
    assert all(len(value) <= 128 for value in selected.values())


def test_anthropic_counts():
    """Requests and tokens, each with its own reset."""
    fields = {
        b"date": DATE,
        b"anthropic-ratelimit-requests-limit": b"50",
        b"anthropic-ratelimit-requests-remaining": b"40",
        b"anthropic-ratelimit-requests-reset": b"2026-01-01T00:00:30Z",
        b"anthropic-ratelimit-input-tokens-limit": b"1000",
        b"anthropic-ratelimit-input-tokens-remaining": b"0",
        b"anthropic-ratelimit-input-tokens-reset": b"2026-01-01T00:00:45Z",
    }
    found = {limit.name: limit for limit in parse_limits(fields).limits}
    assert found["requests"] == Limit("requests", found["requests"].used, 30.0)
    assert abs(found["requests"].used - 0.2) < 1e-9
    assert found["input-tokens"] == Limit("input-tokens", 1.0, 45.0)


def test_anthropic_windows_and_families():
    """Unified windows are shares; one of a family holds for its models alone; overage is no limit of the plan."""
    prefix = b"anthropic-ratelimit-unified-"
    fields = {
        b"date": DATE,
        prefix + b"5h-utilization": b"0.18",
        prefix + b"5h-reset": b"%d" % (NOW + 100),
        prefix + b"7d_opus-utilization": b"1.03",
        prefix + b"7d_opus-reset": b"%d" % (NOW + 900),
        prefix + b"overage-utilization": b"1.0",
        prefix + b"status": b"allowed",
    }
    assert parse_limits(fields).limits == (Limit("5h", 0.18, 100.0), Limit("7d_opus", 1.0, 900.0, "opus"))


def test_others():
    """x-ratelimit in its forms: durations, no name at all, a zero without its limit."""
    fields = {
        b"x-ratelimit-limit-requests": b"100",
        b"x-ratelimit-remaining-requests": b"25",
        b"x-ratelimit-reset-requests": b"6m0s",
        b"x-ratelimit-remaining-tokens-day": b"0",
        b"x-ratelimit-reset-tokens-day": b"20ms",
        b"x-ratelimit-limit": b"10",
        b"x-ratelimit-remaining": b"5",
        b"retry-after-ms": b"1500",
        b"retry-after": b"2",
    }
    found = parse_limits(fields)
    assert {(one.name, one.used, one.left) for one in found.limits} == {
        ("all", 0.5, 60.0),
        ("requests", 0.75, 360.0),
        ("tokens-day", 1.0, 0.02),
    }
    assert found.wait == 1.5


def test_a_limit_of_nothing_is_none():
    """Some write zeros where a model has no such limit: the account is not used up."""
    fields = {b"x-ratelimit-limit-tokens": b"0", b"x-ratelimit-remaining-tokens": b"0"}
    assert parse_limits(fields).limits == ()


def test_limits_are_bounded():
    """An upstream that invents limits is not read to its end."""
    fields = {UNIFIED + b"w%d-utilization" % number: b"0.5" for number in range(1000)}
    assert len(parse_limits(fields).limits) == 24
