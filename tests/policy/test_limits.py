"""What providers' headers tell of their limits."""

from hypothesis import given
from hypothesis import strategies as st

from router.policy.headroom import Headroom
from router.policy.limits import Limit, reset_of, told

DATE = b"Thu, 01 Jan 2026 00:00:00 GMT"
NOW = 1767225600


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
    found = {limit.name: limit for limit in told(fields).limits}
    assert found["requests"] == Limit("requests", found["requests"].used, 30.0)
    assert abs(found["requests"].used - 0.2) < 1e-9
    assert found["input-tokens"] == Limit("input-tokens", 1.0, 45.0)
    assert reset_of(told(fields)) == (45.0, "input-tokens")


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
    assert told(fields).limits == (Limit("5h", 0.18, 100.0), Limit("7d_opus", 1.0, 900.0, "opus"))
    room = Headroom()
    room.note(fields, 10.0)
    assert [round(room.share(11.0, family), 6) for family in ("", "opus", "haiku")] == [0.82, 0.0, 0.82]
    assert reset_of(told(fields), "opus") == (900.0, "7d_opus")
    assert reset_of(told(fields), "haiku") is None


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
    found = told(fields)
    assert {(one.name, one.used, one.left) for one in found.limits} == {
        ("all", 0.5, 60.0),
        ("requests", 0.75, 360.0),
        ("tokens-day", 1.0, 0.02),
    }
    assert found.wait == 1.5


def test_a_reading_counts_until_its_reset():
    """In full before, not at all after; the fullest of those that are left counts."""
    room = Headroom()
    room.take((Limit("5h", 0.9, 100.0), Limit("7d", 0.5, 1000.0)), 0.0)
    assert [one.limit.name for one in room.readings(50.0)] == ["5h", "7d"]
    assert [round(room.share(at), 6) for at in (0.0, 99.9, 100.0, 999.0, 1000.0)] == [0.1, 0.1, 0.5, 0.5, 1.0]


@given(
    st.dictionaries(
        st.sampled_from(
            [
                b"date",
                b"retry-after",
                b"retry-after-ms",
                b"x-ratelimit-remaining-requests",
                b"x-ratelimit-limit-requests",
                b"x-ratelimit-reset-requests",
                b"anthropic-ratelimit-unified-5h-utilization",
                b"anthropic-ratelimit-unified-5h-reset",
                b"anthropic-ratelimit-tokens-remaining",
                b"anthropic-ratelimit-tokens-limit",
                b"anthropic-ratelimit-tokens-reset",
                b"anthropic-ratelimit-unified--utilization",
            ]
        ),
        st.one_of(st.binary(max_size=30), st.integers().map(lambda n: b"%d" % n), st.floats().map(lambda f: b"%r" % f)),
    )
)
def test_any_headers(fields):
    """Whatever an upstream sends, shares are within 0 and 1 and times within 32 days."""
    room = Headroom()
    room.note(fields, 5.0)
    assert 0.0 <= room.share(5.0) <= 1.0
    assert room.share(5.0 + 33 * 86_400) == 1.0
