"""What answers' headers say of an account's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.limits import Windows, reading

UNIFIED = b"anthropic-ratelimit-unified-"


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
        ({b"x-ratelimit-limit-tokens": b"10", b"x-ratelimit-remaining-tokens": b"90"}, "", 0.0),
        ({UNIFIED + b"5h-utilization": b"nan", UNIFIED + b"7d-utilization": b"-1"}, "", None),
        ({UNIFIED + b"5h-utilization": b"inf"}, "", None),
        ({UNIFIED + b"5h-utilization": b"9" * 400}, "", None),
    ],
)
def test_readings(fields, billing, used):
    """The class it was billed to, and the tightest limit; what is no number says nothing."""
    assert reading(fields)[:2] == (billing, used)


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
    assert reading(fields).windows == windows


@given(st.dictionaries(st.binary(max_size=8).map(lambda end: UNIFIED + end), st.binary(max_size=30)))
def test_anything_can_be_read(fields):
    """No header is an error."""
    billing, used, _ = reading(fields)
    assert len(billing) <= 64
    assert used is None or used >= 0
