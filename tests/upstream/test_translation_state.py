"""The state of translations: sealed state is accepted by the key that signed it, for its upstream and model alone."""

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
def test_sealed_state_is_accepted_after_a_restart(first, second, known):
    """With a stored key it is; without one each run signs with its own key, and accepts nothing of another run."""
    sealed = TranslationState(first).seal("up", "m").seal("signature", "data", "text")
    found = TranslationState(second).seal("up", "m").unseal(sealed, "text")
    assert (found is not None) is known


@pytest.mark.parametrize(
    ("upstream", "model", "known"), [("up", "m", True), ("other", "m", False), ("up", "other", False)]
)
def test_sealed_state_belongs_to_its_upstream_and_model(upstream, model, known):
    """It is not unsealed for another one, which could not read its content."""
    state = TranslationState()
    sealed = state.seal("up", "m").seal("signature", "data", "text")
    assert (state.seal(upstream, model).unseal(sealed, "text") is not None) is known
