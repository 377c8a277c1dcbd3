"""Which account a session is bound to, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.session_affinity import IDLE_SECONDS, LIMIT, Bindings


def test_idle():
    """A binding lives six hours after its last use, whatever its age."""
    held = Bindings()
    for turn in range(5):
        held.bind("s", "work", turn * (IDLE_SECONDS - 1))
    last = 4 * (IDLE_SECONDS - 1)
    assert held.get("s", last + IDLE_SECONDS).turns == 5
    assert held.get("s", last + IDLE_SECONDS + 1) is None
    assert len(held) == 0


def test_least_recently_used_goes():
    """Of more than 2,000 the one that was not used for longest is forgotten."""
    held = Bindings()
    for number in range(LIMIT):
        held.bind(f"s{number}", "work", number)
    held.bind("s0", "work", LIMIT)
    held.bind("new", "work", LIMIT + 1)
    assert len(held) == LIMIT
    assert held.get("s0", LIMIT + 1) is not None
    assert held.get("s1", LIMIT + 1) is None


def test_cached_belongs_to_the_account():
    """What an account holds of a prompt is not counted for the next one."""
    held = Bindings()
    held.bind("s", "work", 0)
    held.cached("s", 96_000)
    assert held.bind("s", "work", 1).cached == 96_000
    assert held.bind("s", "other", 2).cached == 0
    held.cached("unknown", 5)
    assert held.get("unknown", 3) is None


_USES = st.lists(
    st.tuples(st.integers(0, 9000), st.sampled_from("abc"), st.floats(0, IDLE_SECONDS * 2)), min_size=1, max_size=60
)


@given(_USES)
def test_bounds(uses):
    """Over any history: never over 2,000, none that was idle for over six hours, and turns count one account."""
    held, now = Bindings(), 0.0
    for number in range(LIMIT - 20):
        held.bind(f"{number}", "z", now)
    last: dict[str, tuple[str, float]] = {}
    for number, account, wait in uses:
        now += wait
        session = str(number)
        before = held.get(session, now)
        if session in last and before is not None:
            assert before.account == last[session][0]
            assert now - last[session][1] <= IDLE_SECONDS
        held.bind(session, account, now)
        last[session] = (account, now)
        assert len(held) <= LIMIT
