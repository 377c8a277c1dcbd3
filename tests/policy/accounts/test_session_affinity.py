"""Which account a session is bound to, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from router.policy.accounts.session_affinity import IDLE_SECONDS, LIMIT, SessionAffinity


def test_idle():
    """A binding lives six hours after its last use, whatever its age."""
    affinity = SessionAffinity()
    for turn in range(5):
        affinity.bind("s", "work", turn * (IDLE_SECONDS - 1))
    last = 4 * (IDLE_SECONDS - 1)
    assert affinity.get("s", last + IDLE_SECONDS).turns == 5
    assert affinity.get("s", last + IDLE_SECONDS + 1) is None
    assert len(affinity) == 0


def test_least_recently_used_goes():
    """Of more than 2,000 the one that was not used for longest is forgotten."""
    affinity = SessionAffinity()
    for number in range(LIMIT):
        affinity.bind(f"s{number}", "work", number)
    affinity.bind("s0", "work", LIMIT)
    affinity.bind("new", "work", LIMIT + 1)
    assert len(affinity) == LIMIT
    assert affinity.get("s0", LIMIT + 1) is not None
    assert affinity.get("s1", LIMIT + 1) is None


def test_cached_belongs_to_the_account():
    """What an account holds of a prompt is not counted for the next one."""
    affinity = SessionAffinity()
    affinity.bind("s", "work", 0)
    affinity.note_cached("s", 96_000)
    assert affinity.bind("s", "work", 1).cached == 96_000
    assert affinity.bind("s", "other", 2).cached == 0
    affinity.note_cached("unknown", 5)
    assert affinity.get("unknown", 3) is None


_USES = st.lists(
    st.tuples(st.integers(0, 9000), st.sampled_from("abc"), st.floats(0, IDLE_SECONDS * 2)), min_size=1, max_size=60
)


@given(_USES)
def test_bounds(uses):
    """Over any history: never over 2,000, none that was idle for over six hours, and turns count one account."""
    affinity, now = SessionAffinity(), 0.0
    for number in range(LIMIT - 20):
        affinity.bind(f"{number}", "z", now)
    last: dict[str, tuple[str, float]] = {}
    for number, account, wait in uses:
        now += wait
        session = str(number)
        before = affinity.get(session, now)
        if session in last and before is not None:
            assert before.account == last[session][0]
            assert now - last[session][1] <= IDLE_SECONDS
        affinity.bind(session, account, now)
        last[session] = (account, now)
        assert len(affinity) <= LIMIT


def test_a_session_of_another_process():
    """A session that is not known here begins with the account that another process bound it to, once it is asked."""
    asked = []

    def find(session):
        asked.append(session)
        return "work" if session == "s" else ""

    affinity = SessionAffinity(find)
    assert affinity.get("s", 1).account == "work"
    assert affinity.get("s", 2).turns == 0
    assert affinity.get("t", 2) is None
    assert asked == ["s", "t"]
    affinity.bind("s", "work", 3)
    affinity.adopt("s", "other", 3)
    assert affinity.get("s", 4).account == "other"
    assert [session for session, _ in affinity.list_used(3)] == ["s"]
    assert list(affinity.list_used(3.5)) == []
