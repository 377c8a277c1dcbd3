"""What may stand in a card."""

import base64
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.conform.evidence import EVIDENCE_BYTES, Evidence
from router.settings import Secret

KEY = "very-secret-0123456789"


@pytest.mark.parametrize(
    "said", [KEY, f"key {KEY}.", KEY.encode().hex(), base64.b64encode(KEY.encode()).decode(), f"{'x' * 170}{KEY}"]
)
def test_a_secret_is_taken_out(said):
    """However a backend repeats what it was sent, no card has it, nor a part of it at the cut."""
    found = Evidence([Secret(KEY)]).cut(f"400 bad key: {said} {said}")
    assert KEY[:16] not in found
    assert KEY.encode().hex() not in found
    assert base64.b64encode(KEY.encode()).decode()[:20] not in found


@pytest.mark.parametrize("key", ["sk-proj-abcdefghijklmnop", "fl-" + "A" * 43, "Bearer abcdefghijkl"])
def test_what_looks_like_a_key_is_taken_out(key):
    """Keys of others too, which a backend may show by mistake."""
    assert key not in Evidence([]).cut(f"used {key} for it")


@given(st.text(max_size=3000))
def test_it_is_one_short_line(said):
    """Any text becomes one line of so many bytes, without what a terminal would act on."""
    found = Evidence([]).cut(said)
    assert len(found.encode()) <= EVIDENCE_BYTES
    assert not {unicodedata.category(char) for char in found} & {"Cc", "Cf", "Zl", "Zp"}
