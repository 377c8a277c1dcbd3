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
