"""The fidelity traps of translation.md 11: each has a test that is named after its number, or a reason here."""

import re
from pathlib import Path

COUNT = 104
#: What concerns the Responses protocol alone belongs to its codec.
_RESPONSES = (30, 50, 51, 52, 56, 88, 89, 90, 91, 97)
REASONS = dict.fromkeys(_RESPONSES, "of the Responses protocol")

TESTS = Path(__file__).parents[1]


def covered():
    """Number -> names of the tests that bear it."""
    found = {}
    for file in (*TESTS.glob("wire/test_*.py"), *TESTS.glob("e2e/test_translated*.py")):
        for name in re.findall(r"^def (test_\d\w*)", file.read_text("utf-8"), re.MULTILINE):
            for number in re.match(r"test((?:_\d+)+)", name)[1].split("_")[1:]:
                found.setdefault(int(number), []).append(name)
    return found


def test_every_trap_has_a_test_or_a_reason():
    """And a reason is not kept for a trap that has a test by now, but those of Responses."""
    tests = covered()
    assert {number for number in range(1, COUNT + 1) if number not in tests} <= set(REASONS)
    assert not {number for number in tests if number > COUNT}
