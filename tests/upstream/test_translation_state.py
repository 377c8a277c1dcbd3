"""What translations share: carriers are known again by the key that signed them, for their upstream and model alone."""

import pytest

from router.settings import Secret
from router.upstream.translation_state import TranslationState

KEY = Secret("0123456789abcdef")


@pytest.mark.parametrize(
    ("first", "second", "known"),
    [
        (KEY, KEY, True),
        (KEY, Secret("another key"), False),
        (KEY, None, False),
        (None, None, False),
    ],
    ids=["same key", "other key", "a key and none", "no key"],
)
def test_carriers_outlive_a_run_with_its_key(first, second, known):
    """Without a stored key each run signs with one of its own, and takes no carrier of another."""
    carrier = TranslationState(first).seal("up", "m").seal("signature", "data", "text")
    found = TranslationState(second).seal("up", "m").unseal(carrier, "text")
    assert (found is not None) is known


@pytest.mark.parametrize(
    ("upstream", "model", "known"), [("up", "m", True), ("other", "m", False), ("up", "other", False)]
)
def test_a_carrier_belongs_to_its_upstream_and_model(upstream, model, known):
    """Another one could not read what it holds."""
    state = TranslationState()
    carrier = state.seal("up", "m").seal("signature", "data", "text")
    assert (state.seal(upstream, model).unseal(carrier, "text") is not None) is known
