"""The table of mistakes is whole: each has its entry and its test."""

import pytest

from . import test_keys, test_models, test_money, test_names, test_network, test_settings, test_system, test_tools

GROUPS = {
    "A": (test_tools, 18),
    "B": (test_models, 16),
    "C": (test_keys, 20),
    "D": (test_network, 22),
    "E": (test_names, 8),
    "F": (test_settings, 10),
    "G": (test_money, 6),
    "H": (test_system, 18),
}


@pytest.mark.parametrize("letter", GROUPS)
def test_each_has_its_test(letter):
    """Each number has an entry in MISTAKES, which says what the user does, and a test of its name."""
    module, count = GROUPS[letter]
    numbers = [f"{letter}{number}" for number in range(1, count + 1)]
    assert sorted(module.MISTAKES) == sorted(numbers)
    assert all(mistake.does for mistake in module.MISTAKES.values())
    tests = [name for name in vars(module) if name.startswith("test_")]
    missing = [
        number
        for number in numbers
        if not any(name == f"test_{number.lower()}" or name.startswith(f"test_{number.lower()}_") for name in tests)
    ]
    assert not missing
