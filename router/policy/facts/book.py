"""Finds what is known of a model at a backend, from all sources in their order.

The user's setting comes first, then what an error of the backend told, what a local server has allocated, what the
backend's model list says, the shipped table. Each fact keeps its source and its date.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from router.backends import Backend
from router.backends.known import known
from router.policy.facts.listed import NOTHING_SAID, BackendFacts
from router.policy.facts.model_facts import (
    ALLOCATED,
    BY_NAME,
    CATALOG,
    CONFIGURED,
    LEARNED,
    SHIPPED,
    Fact,
    KnownFacts,
    Layer,
    LearnedLimit,
    LearnedLimits,
    ModelFacts,
    NothingLearned,
    join_layers,
)
from router.policy.facts.shipped import find_shipped, read_date
from router.settings.tables import ModelOptions

#: Models whose facts are remembered; their names come from callers, so there may be any number.
KNOWN_LIMIT = 2000
#: Seconds for which a limit that an error told may have a request refused. Afterwards it is shown, and the next request
#: that does not fit asks the backend again, which may have been changed.
LEARNED_SECONDS = 86_400.0


class FactBook:
    """The facts of all models, for one state of the configuration and the model lists."""

    def __init__(
        self,
        backends: Mapping[str, Backend],
        options: Mapping[str, ModelOptions],
        said: Mapping[str, BackendFacts],
        learned: LearnedLimits | None = None,
    ):
        """backends: the enabled ones, by name. options: the user's, by model or BACKEND:MODEL in lower case. said: what
        backends said of their models, by name."""
        self._backends = backends
        self._options = options
        self._said = said
        self._learned = NothingLearned() if learned is None else learned
        #: All but what was learned, which changes at any time.
        self._lower: dict[tuple[str, str], tuple[list[Layer], list[Layer]]] = {}
        self._known: dict[tuple[str, str], KnownFacts] = {}

    def find(self, backend: str, model: str) -> KnownFacts:
        """What is known of a model. backend: its name. model: as the backend names it."""
        key = (backend, model)
        learned = self._learn(backend, model)
        if learned is None and (found := self._known.get(key)) is not None:
            return found
        own, rest = self._find_lower(backend, model)
        found = join_layers([*own, *([] if learned is None else [learned]), *rest])
        if learned is None:
            self._known[key] = found
        return found

    def find_hard_limit(self, backend: str, model: str, *, now: float, raised: bool = False) -> Fact | None:
        """The tightest limit of the input that may have a request refused; None where none is known. now: seconds since
        1970. raised: the request asks for a larger window than the usual, so that what an error told does not count."""
        options, said = self._find_options(backend, model), self._said.get(backend, NOTHING_SAID)
        learned = self._learned.learned(backend, model)
        if options is None and learned is None and not said.allocated:
            return None
        if learned is not None and (raised or now - learned.at > LEARNED_SECONDS):
            learned = None
        own, rest = self._find_lower(backend, model)
        layers = [*own, *([] if learned is None else [self._make_learned(learned)]), *rest]
        return join_layers(layers).hard_limit

    def may_limit(self, backend: str, model: str) -> bool:
        """False for a model of which no source is known that `find_hard_limit` looks at: most have none."""
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

    def _learn(self, backend: str, model: str) -> Layer | None:
        found = self._learned.learned(backend, model)
        return None if found is None else self._make_learned(found)

    def _make_learned(self, found: LearnedLimit) -> Layer:
        day = datetime.fromtimestamp(found.at, UTC).date().isoformat()
        return Layer(ModelFacts(window=found.window, max_input=found.max_input), LEARNED, day)

    def _find_options(self, backend: str, model: str) -> ModelOptions | None:
        if not self._options:
            return None
        return self._options.get(f"{backend}:{model}".lower()) or self._options.get(model.lower())

    def _find_lower(self, backend: str, model: str) -> tuple[list[Layer], list[Layer]]:
        """The layers before and behind what was learned."""
        key = (backend, model)
        found = self._lower.get(key)
        if found is None:
            if len(self._lower) >= KNOWN_LIMIT:
                self._lower.clear()
                self._known.clear()
            found = self._lower[key] = self._read_layers(backend, model)
        return found

    def _read_layers(self, backend: str, model: str) -> tuple[list[Layer], list[Layer]]:
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
        return own, rest

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
