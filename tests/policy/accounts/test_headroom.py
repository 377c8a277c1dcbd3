"""What is left of an account."""

from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.headroom import Headroom
from router.wire.headers.rate_limits import Limit


def counted(left, reset, name=b"tokens"):
    """Headers that tell of one limit of 100."""
    return {
        b"x-ratelimit-limit-" + name: b"100",
        b"x-ratelimit-remaining-" + name: b"%d" % left,
        b"x-ratelimit-reset-" + name: b"%d" % reset,
    }


def test_largest_share_counts():
    """Headroom is 1 less the largest used share, and full when nothing is known."""
    room = Headroom()
    assert room.share(0) == 1
    room.note_headers({**counted(40, 60), **counted(10, 30, b"requests")}, 0)
    assert round(room.share(1), 6) == 0.1


def test_decay_at_its_own_reset():
    """Each reading counts in full until its own reset, and then not at all."""
    room = Headroom()
    room.note_headers({**counted(40, 60), **counted(10, 30, b"requests")}, 100)
    assert [round(room.share(now), 6) for now in (129.9, 130, 159.9, 160)] == [0.1, 0.4, 0.4, 1]
    assert room.readings(160) == []


def test_later_reading_takes_the_place():
    """A later reading of a limit replaces the former; one of other limits stands beside it."""
    room = Headroom()
    room.note_headers(counted(10, 1000), 0)
    room.note_headers(counted(90, 10, b"requests"), 1)
    assert round(room.share(2), 6) == 0.1
    room.note_headers(counted(50, 1000), 3)
    assert round(room.share(4), 6) == 0.5


def test_family():
    """What one family of models has left counts for that family alone, beside what all share."""
    room = Headroom()
    room.note_limits((Limit("5h", 0.3, 60), Limit("7d_opus", 0.9, 600, "opus")), 0)
    assert round(room.share(1), 6) == 0.7
    assert round(room.share(1, "opus"), 6) == 0.1
    assert round(room.share(1, "sonnet"), 6) == 0.7
    assert room.share(61) == 1
    assert round(room.share(61, "opus"), 6) == 0.1
    assert room.share(601, "opus") == 1


def test_bounded():
    """An upstream that invents limits does not fill the memory."""
    room = Headroom()
    for number in range(1000):
        room.note_headers(counted(50, 10**6, b"n%d" % number), 0)
        room.share(0)
    assert len(room.readings(1)) <= 32


_LIMITS = st.builds(
    Limit,
    st.sampled_from(["a", "b", "c", "d"]),
    st.floats(0, 1),
    st.floats(0, 32 * 86_400),
    st.sampled_from(["", "opus", "haiku"]),
)
_STEPS = st.lists(
    st.tuples(st.floats(0, 400 * 86_400), st.lists(_LIMITS, max_size=4), st.sampled_from(["", "opus", "x"])),
    max_size=40,
)


@given(_STEPS)
def test_always_a_share(steps):
    """Over any history what is left is within 0 and 1, and all of it 32 days after the last answer."""
    room, now = Headroom(), 0.0
    for wait, limits, family in steps:
        now += wait
        room.note_limits(tuple(limits), now)
        assert 0 <= room.share(now, family) <= 1
    assert room.share(now + 32 * 86_400 + 1) == 1


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
    room.note_headers(fields, 5.0)
    assert 0.0 <= room.share(5.0) <= 1.0
    assert room.share(5.0 + 33 * 86_400) == 1.0
