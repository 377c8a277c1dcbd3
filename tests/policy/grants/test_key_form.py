"""The form of client keys."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.grants.key_form import BITS, LENGTH, digest_key, explain_fault, format_key, is_marked
from router.redaction import KEYS

RANDOM = st.binary(min_size=BITS // 8, max_size=BITS // 8)


@given(RANDOM)
def test_what_is_made_is_one(random):
    """Every key has the form, is found in texts as a secret, and holds all of its random bits."""
    key = format_key(random)
    assert (len(key), explain_fault(key), is_marked(key.encode())) == (LENGTH, "", True)
    assert KEYS.fullmatch(key)
    assert key == key.lower()


@given(RANDOM, RANDOM)
def test_different_bits_make_different_keys(one, other):
    """No random bit is lost, and the digest is of the whole key."""
    keys = format_key(one), format_key(other)
    assert (keys[0] == keys[1]) == (one == other)
    assert (digest_key(keys[0].encode()) == digest_key(keys[1].encode())) == (one == other)


@given(RANDOM, st.integers(4, LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_wrong_character_is_noticed(random, at, letter):
    """One wrong character is told from a key that is not known."""
    key = format_key(random)
    wrong = key[:at] + letter + key[at + 1 :]
    assert (explain_fault(wrong) == "") == (wrong == key)


@pytest.mark.parametrize(
    "text", ["", "flk_", "sk-ant-" + "a" * 25, "flk_" + "A" * 28, "flk_" + "é" * 28, "flk_" + "a" * 29]
)
def test_what_is_none(text):
    """Each fault is a clause."""
    assert explain_fault(text)
