"""What one backend said of its models, kept from one reading of its list to the next.

A list that fails to say something, or says what cannot be, does not take away what it said before: the last good
statement stands with its own date. What was said and not believed is told once.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from router.policy.facts.catalogs import Listed
from router.policy.facts.model_facts import FACT_FIELDS, ModelFacts

#: Models of a backend of which facts are kept.
MODELS = 20_000
#: Ollama lists a model with its tag and takes it without.
_USUAL_TAG = ":latest"


class Said(NamedTuple):
    """Facts of a model, and the day on which they were said."""

    facts: ModelFacts
    date: str


class Allocated(NamedTuple):
    """The window that a server has allocated for a model, and when it said so, in seconds since 1970."""

    window: int
    at: float
    date: str


class BackendFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend has said of its models, by their names."""

    said: Mapping[str, Said] = {}
    allocated: Mapping[str, Allocated] = {}
    #: It is a server that says what it has allocated for the models it has loaded.
    asks_server: bool = False

    def find_said(self, model: str) -> Said | None:
        """What its list says of a model."""
        return self.said.get(model) or self.said.get(model + _USUAL_TAG)

    def find_allocated(self, model: str) -> Allocated | None:
        """The window that is allocated for a model; None where none is known."""
        return self.allocated.get(model) or self.allocated.get(model + _USUAL_TAG)


NOTHING_SAID = BackendFacts()


class Update(NamedTuple):
    """The facts after a reading, and what is to be told of it."""

    facts: BackendFacts
    #: Models whose limits are others than before: (model, what it says now, what it said before).
    changed: tuple[tuple[str, int, int], ...]
    #: How many statements were not believed, and the first: (model, field).
    refused: int
    first_refused: tuple[str, str] | None


def update_facts(
    before: BackendFacts,
    read: Mapping[str, Listed],
    *,
    at: float,
    date: str,
    asks_server: bool = False,
    whole: bool = True,
) -> Update:
    """Take up a reading. at, date: when it was read, in seconds since 1970, and the day. asks_server: the server says
    what it has allocated, so that what it does not say any more is not allocated. whole: all documents of the backend
    were read; else what is not said now stands as it was."""
    said: dict[str, Said] = {}
    allocated: dict[str, Allocated] = {}
    changed: list[tuple[str, int, int]] = []
    refused, first = 0, None
    for model, listed in read.items():
        if len(said) >= MODELS:
            break
        if listed.refused:
            first = first or (model, listed.refused[0])
            refused += len(listed.refused)
        earlier = before.said.get(model)
        said[model] = _merge(earlier, listed, date, whole=whole)
        if earlier is not None:
            now, then = said[model].facts.window, earlier.facts.window
            if now is not None and then is not None and now != then:
                changed.append((model, now, then))
        if listed.allocated is not None:
            allocated[model] = Allocated(listed.allocated, at, date)
        elif not whole and model in before.allocated:
            allocated[model] = before.allocated[model]
    facts = BackendFacts(said=said, allocated=allocated, asks_server=asks_server or bool(allocated))
    return Update(facts, tuple(changed), refused, first)


def _merge(before: Said | None, listed: Listed, date: str, *, whole: bool) -> Said:
    """What is said of a model now. Where something of it is not believed, or not all was read, what was said before is
    kept."""
    if before is None or (whole and not listed.refused):
        return Said(listed.facts, date)
    kept = {
        name: value
        for name in FACT_FIELDS
        if getattr(listed.facts, name) is None and (value := getattr(before.facts, name)) is not None
    }
    if not kept:
        return Said(listed.facts, date)
    return Said(msgspec.structs.replace(listed.facts, **kept), before.date)
