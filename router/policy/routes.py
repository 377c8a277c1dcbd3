"""Which backend serves a request (product.md 6, first cut): prefix, catalogs, families, default."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import Facts
from router.policy.owners import owner_of

DEMO = "demo"
_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Route:
    """A decision. model: the name to send upstream, None when the request names none. why: the step that decided."""

    backend: Backend
    model: str | None
    why: str


@dataclass(frozen=True)
class Table:
    """All that routing knows. backends: the enabled ones, in the order added, the demo last.

    catalogs: model names by backend name; a backend without an entry has not been read yet.
    families: vendor name -> regular expressions of its model names.
    """

    backends: Sequence[Backend]
    catalogs: Mapping[str, Sequence[str]]
    families: Mapping[str, Sequence[str]]
    default: str | None = None
    owners: Mapping[str, tuple[Backend, ...]] = field(init=False, repr=False)
    named: Mapping[str, Backend] = field(init=False, repr=False)
    patterns: Sequence[tuple[re.Pattern[str], Backend]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        owners: dict[str, tuple[Backend, ...]] = {}
        for backend in self.backends:
            for model in self.catalogs.get(backend.name, ()):
                owners[model] = (*owners.get(model, ()), backend)
        patterns = [
            (re.compile(pattern), backend)
            for backend in self.backends
            for pattern in self.families.get(backend.vendor, ())
        ]
        object.__setattr__(self, "owners", owners)
        object.__setattr__(self, "named", {backend.name: backend for backend in self.backends})
        object.__setattr__(self, "patterns", patterns)


def decide(facts: Facts, table: Table) -> Route:
    """The route of a request. Raises UnknownModel, or BadRequest when nothing says where it should go."""
    owner = owner_of(facts, table.named)
    if owner is not None:
        return Route(owner, facts.model, "owner of an id")
    model = facts.model
    if model is None:
        return _without_model(facts, table)
    prefix, colon, rest = model.partition(":")
    if colon and prefix in table.named:
        if not rest:
            raise BadRequest(f"The model '{model}' names a backend and no model; write {prefix}:MODEL.")
        return Route(table.named[prefix], rest, "prefix")
    owners = table.owners.get(model)
    if owners:
        return Route(_native(owners, facts), model, "catalog")
    owners = tuple(backend for pattern, backend in table.patterns if pattern.fullmatch(model))
    if owners:
        return Route(_native(owners, facts), model, "family")
    fallback = _default(table)
    if fallback is not None:
        return Route(fallback, model, "default")
    raise UnknownModel(_unknown(model, table))


def _native(owners: Sequence[Backend], facts: Facts) -> Backend:
    """The first that speaks the caller's protocol, else the first."""
    speaks = _speaker(facts)
    return next((backend for backend in owners if speaks(backend)), owners[0])


def _default(table: Table) -> Backend | None:
    if table.default is not None:
        return table.named.get(table.default)
    # With nothing but the demo every name reaches it, so that a tool can be tried before a key is at hand.
    if len(table.backends) == 1 and table.backends[0].name == DEMO:
        return table.backends[0]
    return None


def _without_model(facts: Facts, table: Table) -> Route:
    speaks = _speaker(facts)
    able = [backend for backend in table.backends if speaks(backend)]
    real = [backend for backend in able if backend.name != DEMO] or able
    if len(real) == 1:
        return Route(real[0], None, "only backend that speaks the protocol")
    fallback = _default(table)
    if fallback is not None and fallback in able:
        return Route(fallback, None, "default")
    if not real:
        raise BadRequest(
            f"No configured backend speaks {facts.protocol or 'the OpenAI protocols'}.{_configured(table)}"
        )
    raise BadRequest(
        f"The request names no model, and {len(real)} backends could serve it ({_names(real)}). Start the proxy with "
        "--default-backend NAME to choose one."
    )


def _speaker(facts: Facts) -> Callable[[Backend], bool]:
    if facts.protocol is None:
        return lambda backend: "chat" in backend.protocols or "responses" in backend.protocols
    return lambda backend: facts.protocol in backend.protocols


def _unknown(model: str, table: Table) -> str:
    nearest = ", ".join(f"{name} ({table.owners[name][0].name})" for name in nearest_models(model, table))
    hint = f" Nearest: {nearest}." if nearest else ""
    return f"No backend serves the model '{model}'.{hint}{_configured(table)}"


def nearest_models(model: str, table: Table) -> list[str]:
    """Up to three catalog names that look like `model`, the closest first."""
    lowered: dict[str, str] = {}
    for name in table.owners:
        lowered.setdefault(name.lower(), name)
    found = difflib.get_close_matches(model.lower(), lowered, n=_NEAREST, cutoff=0.6)
    return [lowered[name] for name in found]


def _configured(table: Table) -> str:
    return f" Configured backends: {_names(table.backends) or 'none'}. Add one: fairlead backend add NAME"


def _names(backends: Iterable[Backend]) -> str:
    return ", ".join(backend.name for backend in backends)
