"""Values that only the proxies of a team can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.store.team.state import sealing
from router.store.team.state.sealing import Sealer, Unreadable

SEALER = Sealer(b"k" * 32)


@given(value=st.binary(max_size=5000), name=st.text(max_size=40))
def test_what_was_sealed_is_opened(value, name):
    """Under its own name, with its own key."""
    assert SEALER.open(name, SEALER.seal(name, value)) == value


@given(at=st.integers(0, 200), flip=st.integers(1, 255))
def test_what_was_changed_is_refused(at, flip):
    """A bit anywhere, another name, another key, a value that is cut off, or none."""
    sealed = SEALER.seal("a", b"some value that is long enough" * 4)
    at %= len(sealed)
    changed = sealed[:at] + bytes((sealed[at] ^ flip,)) + sealed[at + 1 :]
    for name, value, sealer in (
        ("a", changed, SEALER),
        ("b", sealed, SEALER),
        ("a", sealed, Sealer(b"l" * 32)),
        ("a", sealed[:at], SEALER),
    ):
        with pytest.raises(Unreadable):
            sealer.open(name, value)


def test_a_value_does_not_grow_without_bound(monkeypatch):
    """What would be more than the limit once it is unpacked is refused."""
    monkeypatch.setattr(sealing, "LIMIT", 10_000)
    assert SEALER.open("a", SEALER.seal("a", b"x" * 10_000))
    with pytest.raises(Unreadable):
        SEALER.open("a", SEALER.seal("a", b"x" * 10_001))


def test_equal_values_differ():
    """Who sees the server cannot tell that two values are equal."""
    assert SEALER.seal("a", b"same") != SEALER.seal("a", b"same")
