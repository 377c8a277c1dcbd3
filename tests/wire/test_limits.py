"""What answers' headers say of an account's limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.limits import reading, renamed

UNIFIED = b"anthropic-ratelimit-unified-"


@pytest.mark.parametrize(
    ("fields", "billing", "used"),
    [
        ({}, "", None),
        ({b"content-type": b"0.9"}, "", None),
        ({UNIFIED + b"representative-claim": b"overage"}, "overage", None),
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
    assert reading(fields) == (billing, used)


@given(st.dictionaries(st.binary(max_size=8).map(lambda end: UNIFIED + end), st.binary(max_size=30)))
def test_anything_can_be_read(fields):
    """No header is an error."""
    billing, used = reading(fields)
    assert len(billing) <= 64
    assert used is None or used >= 0


NOW = 1_700_000_000


def lines(**fields):
    return [(name.replace("_", "-").encode(),) * 2 + (value,) for name, value in fields.items()]


def names(found):
    return {name.decode(): value.decode() for _, name, value in found}


def test_limits_under_the_callers_names():
    """A Chat caller finds Anthropic's limits under OpenAI's names, and the other way round; other lines stay."""
    theirs = lines(
        anthropic_ratelimit_requests_limit=b"50",
        anthropic_ratelimit_requests_remaining=b"49",
        anthropic_ratelimit_tokens_reset=b"2023-11-14T22:14:21Z",
        anthropic_ratelimit_unified_status=b"allowed",
        content_type=b"application/json",
    )
    told = names(renamed(theirs, "chat", NOW))
    assert told == {
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "49",
        "x-ratelimit-reset-tokens": "61s",
        "anthropic-ratelimit-unified-status": "allowed",
        "content-type": "application/json",
    }
    ours = lines(x_ratelimit_limit_tokens=b"9", x_ratelimit_reset_tokens=b"1m1s", x_ratelimit_reset_requests=b"20ms")
    assert names(renamed(ours, "messages", NOW)) == {
        "anthropic-ratelimit-tokens-limit": "9",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:14:21Z",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21Z",
    }


@pytest.mark.parametrize("junk", [b"", b"soon", b"-1s", b"1e9d", b"9" * 40, b"\xff", b"2023-11-14", b"99999d", b"1s2x"])
def test_resets_that_cannot_be_read_are_left_out(junk):
    """A wrong moment is worse than none."""
    assert renamed(lines(x_ratelimit_reset_tokens=junk), "messages", NOW) == []
    assert renamed(lines(anthropic_ratelimit_tokens_reset=junk), "chat", NOW) == []


@given(st.binary(max_size=30))
def test_any_reset(value):
    """Whatever stands there, what comes out is ASCII of the other form, or nothing."""
    for name, protocol in (("x_ratelimit_reset_tokens", "messages"), ("anthropic_ratelimit_tokens_reset", "chat")):
        for _, _, found in renamed(lines(**{name: value}), protocol, NOW):
            assert found.decode("ascii")
