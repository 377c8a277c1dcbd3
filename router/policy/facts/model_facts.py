"""What one source says of a model, and what all sources together say.

A number is not enough: total window, most input, most output, and the size from which a higher price holds differ, and
sources name one of them or another.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

#: Bounds of a number of tokens that is believed. The largest window that a vendor offers is 10 million; the smallest
#: that a local server is run with has some hundred.
TOKENS_LEAST, TOKENS_MOST = 64, 100_000_000
#: Kinds of input, in the order they are shown.
MODALITIES = ("text", "image", "audio", "video", "file")

#: Sources, the strongest first.
CONFIGURED = "config.toml"
LEARNED = "learned from an error"
SEEN = "seen in answers"
ALLOCATED = "allocated by the server"
CATALOG = "model list"
SHIPPED = "shipped table"
#: The end of a source that found the model by its name alone.
BY_NAME = ", by name"
#: The sources that speak of what this backend does now, not of what somebody wrote down: only they may have a request
#: refused before it is sent.
HARD_SOURCES = frozenset((CONFIGURED, LEARNED, ALLOCATED))


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one source says of a model. None: it does not say."""

    #: Tokens of input and output together.
    window: int | None = None
    #: Tokens of input.
    max_input: int | None = None
    #: Tokens of output.
    max_output: int | None = None
    #: Tokens of input above which a higher price holds for the whole request.
    price_tier_at: int | None = None
    #: Of MODALITIES, those it takes.
    modalities: tuple[str, ...] | None = None
    #: Reasoning efforts it takes; () for a model that takes none.
    efforts: tuple[str, ...] | None = None
    #: Seconds for which a prompt cache lives, the shortest first.
    cache_lifetimes: tuple[int, ...] | None = None
    #: Seconds after which a prompt was still in its cache at most, and was gone from it at least.
    cache_kept: int | None = None
    cache_dropped: int | None = None
    #: Its provider advises against it, with a date or without.
    deprecated: bool | None = None
    #: The day on which its provider ends it, as 2026-11-30.
    retires: str | None = None
    #: The model that its provider names in its place.
    successor: str | None = None
    #: The name to show to people.
    title: str | None = None
    #: When it was published, in seconds since 1970.
    created: int | None = None
    #: The window that a local server's model was trained for; what it gets depends on how it is loaded.
    trained_window: int | None = None


FACT_FIELDS: tuple[str, ...] = ModelFacts.__struct_fields__


#: A number of tokens or seconds, a flag, a text or a day, or words or seconds.
FactValue = int | bool | str | tuple[str, ...] | tuple[int, ...]


class Fact(NamedTuple):
    """One fact and where it is from."""

    value: FactValue
    source: str
    #: The day on which the source said so, '' where it has none.
    date: str = ""


class Layer(NamedTuple):
    """What one source says of one model."""

    facts: ModelFacts
    source: str
    date: str = ""


class KnownFacts(msgspec.Struct, frozen=True):
    """What all sources together say of a model."""

    #: What counts of each fact.
    facts: ModelFacts
    #: Fact -> its source and date.
    origins: dict[str, Fact]
    #: True for a model of a local server of which only the trained window is known, as it is not loaded.
    unloaded: bool = False

    def origin_of(self, field: str) -> Fact | None:
        """A fact with its source and date, None when it is not known."""
        return self.origins.get(field)

    @property
    def input_limit(self) -> Fact | None:
        """The tightest limit of the input, of the window and the most input; None when neither is known."""
        found = [fact for name in ("window", "max_input") if (fact := self.origins.get(name)) is not None]
        return min(found, key=_value_of, default=None)

    @property
    def hard_limit(self) -> Fact | None:
        """The same, of the sources that may have a request refused."""
        found = [fact for name in ("window", "max_input") if (fact := self.origins.get(name)) is not None]
        return min((fact for fact in found if fact.source in HARD_SOURCES), key=_value_of, default=None)


def _value_of(fact: Fact) -> int:
    return fact.value if isinstance(fact.value, int) else TOKENS_MOST


def join_layers(layers: Sequence[Layer]) -> KnownFacts:
    """What counts of several sources, the strongest first. A limit of a weaker source that a stronger one rules out, as
    more input than the whole window, is left out."""
    values: dict[str, FactValue] = {}
    origins: dict[str, Fact] = {}
    for layer in layers:
        for name in FACT_FIELDS:
            value: FactValue | None = getattr(layer.facts, name)
            if value is not None and name not in values:
                values[name] = value
                origins[name] = Fact(value, layer.source, layer.date)
    window = values.get("window")
    for name in ("max_input", "max_output", "price_tier_at"):
        value = values.get(name)
        if isinstance(window, int) and isinstance(value, int) and value > window:
            del values[name], origins[name]
    unloaded = "trained_window" in values and "window" not in values and "max_input" not in values
    return KnownFacts(msgspec.convert(values, ModelFacts), origins, unloaded)


def add_layer(found: KnownFacts, layer: Layer) -> KnownFacts:
    """What is known, with what one more source says that no other does."""
    values = {name: value for name in FACT_FIELDS if (value := getattr(layer.facts, name)) is not None}
    added = {name: Fact(value, layer.source, layer.date) for name, value in values.items() if name not in found.origins}
    facts = msgspec.structs.replace(found.facts, **{name: fact.value for name, fact in added.items()})
    return msgspec.structs.replace(found, facts=facts, origins={**found.origins, **added})
