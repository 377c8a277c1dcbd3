"""Names like an unknown model's: the closest first, and judged in bounded time however many there are."""

import difflib
import random
from collections import Counter

import pytest

from router.policy.routing.suggestions import CANDIDATES, JUDGED, find_nearest_models

from .tables import LOCAL, OPENAI, table

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


def listing(names):
    """What routing knows where one backend lists these."""
    return table(LOCAL, catalogs={LOCAL.name: names})


@pytest.mark.parametrize("count", [JUDGED // 2, 2000])
def test_a_slip_finds_its_name(count):
    """A letter that is missing or wrong, with few names and with many."""
    listed = names(count)
    known = listing(listed)
    chance = random.Random(2)
    for wanted in chance.sample(listed, 20):
        at = chance.randrange(8, len(wanted) - 5)
        for slip in (wanted[:at] + wanted[at + 1 :], wanted[:at] + "x" + wanted[at + 1 :], wanted.upper() + "s"):
            found = find_nearest_models(slip, known)
            assert len(found) == 3
            assert found[0].rpartition("-")[0][:7] == wanted[:7]
            assert wanted in found or abs(len(found[0]) - len(wanted)) < 3


def test_nothing_like_it():
    """No name is suggested for one that is like none."""
    assert find_nearest_models("zzzzzzzz", listing(names(2000))) == []


@pytest.fixture
def judged(monkeypatch):
    """What difflib was given, in turn: (the wanted name, the names it is compared with)."""
    given, judge = [], difflib.get_close_matches

    def note(wanted, names, **options):
        given.append((wanted, list(names)))
        return judge(*given[-1], **options)

    monkeypatch.setattr(difflib, "get_close_matches", note)
    return given


def test_many_names_cost_little(judged):
    """Of 2,000 names only the few that look promising are judged."""
    find_nearest_models("vendor/claude-opus-mini-12345", listing(names(2000)))
    [(_, compared)] = judged
    assert 0 < len(compared) <= JUDGED


@pytest.mark.parametrize("piece", ["model-name-", "a", "ab", "vendor/"])
@pytest.mark.parametrize("wanted", ["model-name-" * 20, "a" * 250, "ab" * 125, "vendor/" * 30])
def test_a_hostile_catalog_costs_little(judged, piece, wanted):
    """Of 20,000 long names that repeat themselves, asked for by one that does the same, few are judged, of each the
    beginning, and no more pairs of equal letters than 200 real names have."""
    count = 240 // len(piece)
    known = listing([f"{piece * (count // 2)}{at:05d}{piece * (count // 2)}" for at in range(20_000)])
    find_nearest_models(wanted, known)
    assert len(known.compared) <= CANDIDATES
    [(short, compared)] = judged
    assert len(compared) <= JUDGED
    assert max(map(len, [short, *compared])) <= 64
    letters = Counter(short)
    assert sum(letters[letter] for name in compared for letter in name) <= 20_000


def test_each_catalog_has_its_share():
    """A backend with many names does not take the place of another's."""
    crowd = tuple(f"name-{at}" for at in range(2 * CANDIDATES))
    known = table(LOCAL, OPENAI, catalogs={LOCAL.name: crowd, OPENAI.name: ("gpt-5-codex",)})
    assert find_nearest_models("gpt-5-codx", known)[0] == "gpt-5-codex"
