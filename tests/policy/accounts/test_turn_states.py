"""Which account issued a turn state."""

from router.policy.accounts.turn_states import TurnStates


def test_a_state_is_of_the_account_that_issued_it():
    """Of no other account or backend, and of none when it is not known."""
    states = TurnStates()
    states.remember(b"s", "box", "a0")
    assert states.is_issued_by(b"s", "box", "a0")
    assert not states.is_issued_by(b"s", "box", "a1")
    assert not states.is_issued_by(b"s", "other", "a0")
    assert not states.is_issued_by(b"t", "box", "a0")


def test_states_are_bounded():
    """The oldest is forgotten first; one that is issued again counts as new."""
    states = TurnStates(entries=2)
    for state in (b"a", b"b", b"a", b"c"):
        states.remember(state, "box", "a0")
    assert [states.is_issued_by(state, "box", "a0") for state in (b"a", b"b", b"c")] == [True, False, True]


def test_what_one_process_remembers_is_told_once_and_known_to_another():
    """A token is told when it is new or of another account, and serves where it was learnt."""
    one, other, told = TurnStates(), TurnStates(), []
    one.on_remembered = told.append
    one.remember(b"state", "box", "main")
    one.remember(b"state", "box", "main")
    assert len(told) == 1
    for issued in one.list_issued():
        other.learn(issued)
    assert other.is_issued_by(b"state", "box", "main")
    assert not other.is_issued_by(b"state", "box", "second")
