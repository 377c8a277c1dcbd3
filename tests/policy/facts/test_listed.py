"""What a backend said is kept as long as it says nothing better."""

import msgspec

from router.policy.facts.catalogs import Listed, read_entry
from router.policy.facts.listed import MODELS, NOTHING_SAID, update_facts
from router.policy.facts.model_facts import ModelFacts


def update(before, day, **entries):
    listed = {name: read_entry(entry) for name, entry in entries.items()}
    return update_facts(before, listed, at=float(day), date=f"2026-11-{day:02}")


def test_the_last_good_statement_stands():
    """A number that cannot be does not take the place of one that was good, and keeps its day."""
    good = update(NOTHING_SAID, 1, m={"context_length": 200_000, "max_tokens": 8192}).facts
    bad = update(good, 2, m={"context_length": 2**63, "max_tokens": 4096})
    assert bad.facts.said["m"].facts == ModelFacts(window=200_000, max_output=4096)
    assert bad.facts.said["m"].date == "2026-11-01"
    assert (bad.refused, bad.first_refused, bad.changed) == (1, ("m", "context_length"), ())


def test_a_list_that_changes_its_mind():
    """Its newest word counts, with the day of it, and the change is named."""
    first = update(NOTHING_SAID, 1, m={"context_length": 200_000}, n={"context_length": 8192}).facts
    second = update(first, 2, m={"context_length": 128_000}, n={"context_length": 8192})
    assert second.facts.said["m"].facts.window == 128_000
    assert second.facts.said["m"].date == "2026-11-02"
    assert second.changed == (("m", 128_000, 200_000),)
    assert update(second.facts, 3, n={}).facts.said.keys() == {"n"}


def test_what_was_not_read_stands():
    """After a document that could not be read, what it said before is kept, with its day."""
    first = update_facts(NOTHING_SAID, {"m": Listed(ModelFacts(window=8192), 4096)}, at=1.0, date="2026-11-01")
    again = update_facts(first.facts, {"m": Listed(ModelFacts())}, at=2.0, date="2026-11-02", whole=False)
    assert again.facts == first.facts
    gone = update_facts(first.facts, {"m": Listed(ModelFacts())}, at=2.0, date="2026-11-02")
    assert (gone.facts.find_allocated("m"), gone.facts.said["m"].facts) == (None, ModelFacts())


def test_a_list_of_any_length_is_bounded():
    """Of 100,000 models the facts of MODELS are kept."""
    listed = {f"m{place}": Listed(ModelFacts(window=8192)) for place in range(100_000)}
    assert len(update_facts(NOTHING_SAID, listed, at=1.0, date="2026-11-01").facts.said) == MODELS


def test_ollama_s_usual_tag():
    """A model is found without the tag that its list has."""
    facts = update_facts(NOTHING_SAID, {"m:latest": Listed(ModelFacts(), 4096)}, at=1.0, date="2026-11-01").facts
    assert facts.find_allocated("m").window == 4096
    assert facts.find_said("m") is not None
    assert msgspec.structs.replace(facts, allocated={}).find_allocated("m") is None
