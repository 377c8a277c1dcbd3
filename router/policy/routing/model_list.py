"""Which models can be asked for: the list behind GET /v1/models, `models` and the status."""

from collections.abc import Mapping
from typing import NamedTuple

from router.errors import BadRequest, LoopDetected, RouterError, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.request_traits import RequestTraits
from router.policy.routing.routes import decide
from router.policy.routing.table import Table
from router.wire import protocols
from router.wire.raw.json.top_level import MODEL_LIMIT, check_model


class ServedModel(NamedTuple):
    """Who serves a model that can be asked for."""

    #: The backend's name.
    backend: str
    #: The model, as the backend names it.
    model: str


def list_models(table: Table) -> dict[str, str]:
    """Every model that can be asked for, with the backend that serves it."""
    return {name: served.backend for name, served in list_served(table).items()}


def list_served(table: Table) -> dict[str, ServedModel]:
    """Every model that can be asked for, and who serves it; aliases first, unless nothing serves them.

    A name that several backends have is listed plainly for the one that routing prefers, with a prefix for the others;
    a name that its vendor's backend does not list, and others do, only with their prefix.
    """
    names = _resolve_aliases(table)
    for model, owners in table.owners.items():
        first = next(iter(table.find_servers(model)), None)
        if first is not None:
            names.setdefault(model, ServedModel(first.name, model))
        for other in owners:
            if other is not first:
                names[f"{other.name}:{model}"] = ServedModel(other.name, model)
    return names


def find_listed(name: str, table: Table) -> ServedModel | None:
    """Who serves a name as `list_served` has it, at the cost of one name; None for one that is not listed."""
    prefixed = find_prefixed(name, table)
    if prefixed is not None and name == f"{prefixed.backend}:{prefixed.model}" and _needs_prefix(prefixed, table):
        return prefixed
    if name in table.aliases and (found := _resolve_alias(name, table)) is not None:
        return found
    first = next(iter(table.find_servers(name)), None)
    return None if first is None else ServedModel(first.name, name)


def _needs_prefix(served: ServedModel, table: Table) -> bool:
    """True for a model that its backend serves by its prefixed name alone."""
    first = next(iter(table.find_servers(served.model)), None)
    return first is None or first.name != served.backend


def find_served(name: str, table: Table, protocol: str, fields: Mapping[bytes, bytes]) -> ServedModel:
    """Who serves a model: as in its listing, else the backend that a request with this name would go to.

    protocol: the one that the caller most likely speaks; rules may ask for another. fields: the headers of the call, by
    lower-case name. Raises UnknownModel, in the words of a request that is refused.
    """
    listed = find_listed(name, table)
    if listed is not None:
        return listed
    refusals: list[RouterError] = []
    for spoken in (protocol, *(one for one in protocols.BY_NAME if one != protocol)):
        facts = RoutingFacts(spoken, name, stream=False, generates=True)
        try:
            check_model(name)
            route = decide(facts, table, RequestTraits(fields, spoken, 0, None))
            return ServedModel(route.backend.name, route.model or name)
        except (BadRequest, LoopDetected, UnknownModel) as error:
            refusals.append(error)
    first = refusals[0]
    if isinstance(first, UnknownModel):
        raise first
    raise UnknownModel(f"No model '{name[:MODEL_LIMIT]}' is served: {first.message}")


def find_prefixed(name: str, table: Table) -> ServedModel | None:
    """Who serves a name of the form BACKEND:MODEL; None for others, and where the backend does not list the model."""
    prefix, mark, model = name.partition(":")
    backend = table.prefixes.get(prefix.lower()) if mark else None
    return ServedModel(backend.name, model) if backend is not None and table.lists(backend, model) else None


def _resolve_aliases(table: Table) -> dict[str, ServedModel]:
    """The aliases as the user wrote them, with the backend and the model that they stand for."""
    found = ((name, _resolve_alias(name, table)) for name in table.aliases)
    return {name: served for name, served in found if served is not None}


def _resolve_alias(name: str, table: Table) -> ServedModel | None:
    """What an alias stands for; None where nothing serves that."""
    try:
        route = decide(RoutingFacts(protocols.DEFAULT.name, name, stream=False), table)
    except (BadRequest, LoopDetected, UnknownModel):
        return None
    return ServedModel(route.backend.name, route.model or name)
