"""Carriers of opaque reasoning state: only what was packed here, for this upstream, model and text, is unpacked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.conversation.sealed_state import PREFIX, StateSealer, make_signer

SEAL = StateSealer(make_signer(b"key"), "up", "m")


@given(data=st.text(max_size=50), text=st.text(max_size=50))
def test_what_is_packed_comes_back(data, text):
    """Whatever it is."""
    found = SEAL.unseal(SEAL.seal("signature", data, text), text)
    assert (found.kind, found.data) == ("signature", data)


@pytest.mark.parametrize(
    "other",
    [
        StateSealer(make_signer(b"other"), "up", "m"),
        StateSealer(make_signer(b"key"), "other", "m"),
        StateSealer(make_signer(b"key"), "up", "other"),
    ],
    ids=["key", "upstream", "model"],
)
def test_it_is_bound(other):
    """To the key that signed it, the upstream and the model."""
    assert other.unseal(SEAL.seal("signature", "data", "text"), "text") is None


def test_it_is_bound_to_its_text():
    """A text that a client edited is not what was signed."""
    assert SEAL.unseal(SEAL.seal("signature", "data", "text"), "text!") is None


@given(junk=st.text(max_size=60))
def test_junk_is_nothing(junk):
    """Foreign signatures and broken carriers are no error."""
    assert SEAL.unseal(junk, "") is None
    assert SEAL.unseal(PREFIX + junk, "") is None


def test_any_change_is_noticed():
    """Of one character anywhere."""
    carrier = SEAL.seal("text", "d", "t")
    for at in range(len(PREFIX), len(carrier) - 2):
        changed = carrier[:at] + ("A" if carrier[at] != "A" else "B") + carrier[at + 1 :]
        assert SEAL.unseal(changed, "t") is None
