"""Finds what is known of a model at a backend, from all sources in their order.

The user's setting comes first, then what an error of the backend told, what a local server has allocated, what the
backend's model list says, the shipped table. Each fact keeps its source and its date.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from router.backends import Backend
from router.backends.known import known
from router.policy.facts.learned import LearnedLimit, LearnedLimits, ReadLimits, is_credible
from router.policy.facts.lifetimes import ReadLifetimes, SeenLifetimes
from router.policy.facts.listed import NOTHING_SAID, BackendFacts
from router.policy.facts.model_facts import (
    ALLOCATED,
    BY_NAME,
    CATALOG,
    CONFIGURED,
    LEARNED,
    SEEN,
    SHIPPED,
    TOKENS_MOST,
    Fact,
    KnownFacts,
    Layer,
    ModelFacts,
    add_layer,
    join_layers,
)
from router.policy.facts.shipped import find_shipped, read_date
from router.settings.tables import ModelOptions

#: Models whose facts are remembered; their names come from callers, so there may be any number.
KNOWN_LIMIT = 2000
#: Seconds for which a limit that an error told may have a request refused. Afterwards it is shown, and the next request
#: that does not fit asks the backend again, which may have been changed.
LEARNED_SECONDS = 86_400.0


class _Lower(NamedTuple):
    """What all sources but errors say of a model."""

    #: Before what was learned, and behind it.
    own: list[Layer]
    rest: list[Layer]
    #: The limit of the input by the sources behind, in tokens; None where none is known.
    other: int | None
    joined: KnownFacts


class FactBook:
    """The facts of all models, for one state of the configuration and the model lists."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        options: Mapping[str, ModelOptions],
        said: Mapping[str, BackendFacts],
        learned: ReadLimits | None = None,
        lifetimes: ReadLifetimes | None = None,
    ):
        """backends: the enabled ones, by name. options: the user's, by model or BACKEND:MODEL in lower case. said: what
        backends said of their models, by name. learned: the limits that errors told. lifetimes: those of caches that
        were seen."""
        self._backends = backends
        self._options = options
        self._said = said
        self._learned = LearnedLimits() if learned is None else learned
        self._lifetimes = SeenLifetimes() if lifetimes is None else lifetimes
        #: All but what was learned, which changes at any time.
        self._lower: dict[tuple[str, str], _Lower] = {}
        #: What counts, with the limit that was learned.
        self._known: dict[tuple[str, str, LearnedLimit], KnownFacts] = {}

    def find(self, backend: str, model: str) -> KnownFacts:
        """What is known of a model. backend: its name. model: as the backend names it."""
        return self._join(backend, model, self._find_learned(backend, model))

    def find_all(self, backend: str, model: str) -> KnownFacts:
        """The same, with for how long the model's cache was seen to keep a prompt."""
        found, seen = self.find(backend, model), self._lifetimes.seen(backend, model)
        if seen is None:
            return found
        facts = ModelFacts(cache_kept=seen.kept or None, cache_dropped=seen.dropped or None)
        return add_layer(found, Layer(facts, SEEN, _format_day(seen.at)))

    def find_refusing_limit(
        self, backend: str, model: str, *, now: float, raised: bool = False, of_chain: bool = False
    ) -> Fact | None:
        """The tightest limit of the input for which a request is not sent to a model; None where none is known. now:
        seconds since 1970. raised: the request asks for a larger window than the usual, so that what an error told does
        not count. of_chain: the model is one that a request is handed on to, so that any source counts; for the one
        that was asked for only those do that speak of this backend as it runs.

        What an error told counts for a day, and where it is credible: `is_credible` says when. An incredible limit is
        shown and told to clients, and no request is refused for it.
        """
        learned = self._find_learned(backend, model)
        if learned is not None and (raised or now - learned.at > LEARNED_SECONDS):
            learned = None
        if learned is None and of_chain:
            return self._find_lower(backend, model).joined.input_limit
        options, said = self._find_options(backend, model), self._said.get(backend, NOTHING_SAID)
        if options is None and learned is None and not said.allocated:
            return None
        if learned is not None:
            learned = self._keep_credible(backend, model, learned)
        found = self._join(backend, model, learned)
        return found.input_limit if of_chain else found.hard_limit

    def may_limit(self, backend: str, model: str) -> bool:
        """False for a model of which no source is known that `find_refusing_limit` looks at: most have none."""
        return (
            bool(self._options)
            or self._learned.learned(backend, model) is not None
            or bool(self._said.get(backend, NOTHING_SAID).allocated)
        )

    def allocates(self, backend: str) -> bool:
        """True for a server that says what window it has allocated for a model."""
        return self._said.get(backend, NOTHING_SAID).asks_server

    def is_unloaded(self, backend: str, model: str) -> bool:
        """True for a model of such a server that was not loaded when it was asked."""
        said = self._said.get(backend, NOTHING_SAID)
        return said.asks_server and said.find_allocated(model) is None

    def allocated_at(self, backend: str, model: str) -> float | None:
        """When a server said what it has allocated for a model, in seconds since 1970; None where it did not."""
        found = self._said.get(backend, NOTHING_SAID).find_allocated(model)
        return None if found is None else found.at

    def title_of(self, backend: str, model: str) -> str:
        """The name of a model for people, '' where its backend does not say one and the user neither."""
        options = self._find_options(backend, model)
        if options is not None and options.title:
            return options.title
        said = self._said.get(backend, NOTHING_SAID).find_said(model)
        return (said.facts.title or "") if said is not None else ""

    def _find_learned(self, backend: str, model: str) -> LearnedLimit | None:
        """What an error told of a model, None where nothing did, or where the server has said since that it has
        allocated more: then it was started anew."""
        found = self._learned.learned(backend, model)
        if found is None:
            return None
        allocated = self._said.get(backend, NOTHING_SAID).find_allocated(model)
        told = min(one for one in (found.window, found.max_input, TOKENS_MOST) if one is not None)
        outdated = allocated is not None and allocated.at > found.at and allocated.window > told
        return None if outdated else found

    def _keep_credible(self, backend: str, model: str, told: LearnedLimit) -> LearnedLimit | None:
        other, taken = self._find_lower(backend, model).other, self._learned.taken(backend, model)
        window, max_input = (
            one if one is not None and is_credible(one, other=other, taken=taken) else None for one in told[:2]
        )
        return None if window is None and max_input is None else LearnedLimit(window, max_input, told.at)

    def _join(self, backend: str, model: str, learned: LearnedLimit | None) -> KnownFacts:
        lower = self._find_lower(backend, model)
        if learned is None:
            return lower.joined
        key = (backend, model, learned)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN_LIMIT:
                self._known.clear()
            facts = ModelFacts(window=learned.window, max_input=learned.max_input)
            layer = Layer(facts, LEARNED, _format_day(learned.at))
            found = self._known[key] = join_layers([*lower.own, layer, *lower.rest])
        return found

    def _find_options(self, backend: str, model: str) -> ModelOptions | None:
        if not self._options:
            return None
        return self._options.get(f"{backend}:{model}".lower()) or self._options.get(model.lower())

    def _find_lower(self, backend: str, model: str) -> "_Lower":
        """All that is known but for what was learned."""
        key = (backend, model)
        found = self._lower.get(key)
        if found is None:
            if len(self._lower) >= KNOWN_LIMIT:
                self._lower.clear()
            found = self._lower[key] = self._read_layers(backend, model)
        return found

    def _read_layers(self, backend: str, model: str) -> "_Lower":
        own: list[Layer] = []
        rest: list[Layer] = []
        options = self._find_options(backend, model)
        if options is not None:
            given = {name: getattr(options, name) for name in options.__dataclass_fields__}
            own.append(Layer(msgspec.convert(given, ModelFacts), CONFIGURED))
        said = self._said.get(backend, NOTHING_SAID)
        allocated = said.find_allocated(model)
        if allocated is not None:
            rest.append(Layer(ModelFacts(window=allocated.window), ALLOCATED, allocated.date))
        listed = said.find_said(model)
        if listed is not None:
            rest.append(Layer(listed.facts, f"{CATALOG} of {backend}", listed.date))
        shipped = self._find_shipped(backend, model)
        if shipped is not None:
            rest.append(shipped)
        other = join_layers(rest).input_limit
        most = other.value if other is not None and isinstance(other.value, int) else None
        return _Lower(own, rest, most, join_layers([*own, *rest]))

    def _find_shipped(self, backend: str, model: str) -> Layer | None:
        one = self._backends.get(backend)
        if one is None:
            return None
        vendor = known(one.vendor)
        if vendor is not None and vendor.unbilled:
            return None  # its models have the window that it gives them
        found = find_shipped("" if vendor is None or vendor.name == "litellm" else vendor.name, model)
        if found is None:
            return None
        facts, by_name = found
        return Layer(facts, SHIPPED + BY_NAME * by_name, read_date())


def _format_day(at: float) -> str:
    """The day of a moment in seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()
