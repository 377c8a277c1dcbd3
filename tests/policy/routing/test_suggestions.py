"""Names like an unknown model's: the closest first, and judged in bounded time however many there are."""

import random
import time

import pytest

from router.policy.routing.suggestions import JUDGED, find_nearest_names

FAMILIES = (
    "gpt",
    "claude",
    "gemini",
    "llama",
    "mistral",
    "qwen",
    "deepseek",
    "grok",
    "sonnet",
    "opus",
    "mini",
    "turbo",
)


def names(count):
    """Many names as catalogs have them."""
    chance = random.Random(1)
    return list(dict.fromkeys(f"vendor/{'-'.join(chance.sample(FAMILIES, 3))}-{number}" for number in range(count)))


@pytest.mark.parametrize("count", [JUDGED // 2, 2000])
def test_a_slip_finds_its_name(count):
    """A letter that is missing or wrong, with few names and with many."""
    listed = names(count)
    chance = random.Random(2)
    for wanted in chance.sample(listed, 20):
        at = chance.randrange(8, len(wanted) - 5)
        for slip in (wanted[:at] + wanted[at + 1 :], wanted[:at] + "x" + wanted[at + 1 :], wanted.upper() + "s"):
            found = find_nearest_names(slip, listed)
            assert len(found) == 3
            assert found[0].rpartition("-")[0][:7] == wanted[:7]
            assert wanted in found or abs(len(found[0]) - len(wanted)) < 3


def test_nothing_like_it():
    """No name is suggested for one that is like none."""
    assert find_nearest_names("zzzzzzzz", names(2000)) == []


def test_many_names_cost_little():
    """Of 2,000 names the few that look promising are judged: a tenth of the time that all would take."""
    listed = names(2000)
    begin = time.process_time()
    for _ in range(5):
        find_nearest_names("vendor/claude-opus-mini-12345", listed)
    assert time.process_time() - begin < 5 * 0.04
