"""The numbered pitfalls of a translation: each has a test that is named after its number, or a reason here.

Run as a program it lists them: python tests/wire/test_traps_listed.py
"""

import re
from pathlib import Path

COUNT = 104
#: Trap -> reason for having no test; empty, since all have tests.
REASONS: dict[int, str] = {}

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
    """Every trap has a test or a reason, and no trap with a test has a reason too."""
    tests = covered()
    assert {number for number in range(1, COUNT + 1) if number not in tests} == set(REASONS)
    assert not {number for number in tests if number > COUNT}


if __name__ == "__main__":
    for number, names in sorted(covered().items()):
        print(f"{number:3}  {', '.join(sorted(set(names)))}")
