"""An account's limits under the names that the caller's protocol has for them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.headers import rate_limit_names
from router.wire.headers.rate_limit_names import rename_limits
from router.wire.headers.rate_limits import ANTHROPIC, OPENAI

from ...growth import grows_evenly

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
    found = names(rename_limits(theirs, OPENAI, NOW))
    assert found == {
        "x-ratelimit-limit-requests": "50",
        "x-ratelimit-remaining-requests": "49",
        "x-ratelimit-reset-tokens": "61s",
        "anthropic-ratelimit-unified-status": "allowed",
        "content-type": "application/json",
    }
    ours = lines(x_ratelimit_limit_tokens=b"9", x_ratelimit_reset_tokens=b"1m1s", x_ratelimit_reset_requests=b"20ms")
    assert names(rename_limits(ours, ANTHROPIC, NOW)) == {
        "anthropic-ratelimit-tokens-limit": "9",
        "anthropic-ratelimit-tokens-reset": "2023-11-14T22:14:21Z",
        "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21Z",
    }


@pytest.mark.parametrize("junk", [b"", b"soon", b"-1s", b"1e9d", b"9" * 40, b"\xff", b"2023-11-14", b"99999d", b"1s2x"])
def test_resets_that_cannot_be_read_are_left_out(junk):
    """A wrong moment is worse than none."""
    assert rename_limits(lines(x_ratelimit_reset_tokens=junk), ANTHROPIC, NOW) == []
    assert rename_limits(lines(anthropic_ratelimit_tokens_reset=junk), OPENAI, NOW) == []


@given(st.binary(max_size=30))
def test_any_reset(value):
    """Whatever stands there, what comes out is ASCII of the other form, or nothing."""
    for name, wanted in (("x_ratelimit_reset_tokens", ANTHROPIC), ("anthropic_ratelimit_tokens_reset", OPENAI)):
        for _, _, found in rename_limits(lines(**{name: value}), wanted, NOW):
            assert found.decode("ascii")


@pytest.mark.parametrize("part", [b"1", b"1m", b"1.", b"m", b" 1"])
def test_a_long_duration_is_no_work(part):
    """A head may hold 64 KB in one field; what is longer than any duration is not parsed."""
    grows_evenly(lambda size: part * (size // len(part)), rate_limit_names._parse_duration, 30_000)
