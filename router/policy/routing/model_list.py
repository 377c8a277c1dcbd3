"""Which models can be asked for: the list behind GET /v1/models, `models` and the status."""

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

from router.backends import Backend
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
        first = _find_first(model, table)
        if first is not None:
            names.setdefault(model, ServedModel(first.name, model))
        for other in owners:
            if other is not first:
                names[f"{other.name}:{model}"] = ServedModel(other.name, model)
    return names


def find_served(name: str, table: Table, protocol: str, fields: Mapping[bytes, bytes]) -> ServedModel:
    """Who serves a model: as in its listing, else the backend that a request with this name would go to.

    protocol: the one that the caller most likely speaks; rules may ask for another. fields: the headers of the call, by
    lower-case name. Raises UnknownModel, in the words of a request that is refused.
    """
    listed = _find_listed(name, table)
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


def _find_listed(name: str, table: Table) -> ServedModel | None:
    """The entry of `list_served` for a name, without the others: there may be some ten thousand."""
    prefix, _, model = name.partition(":")
    other = table.named.get(prefix)
    if other is not None and other is not _find_first(model, table) and table.lists(other, model):
        return ServedModel(prefix, model)
    alias = _resolve_alias(name, table) if name in table.aliases else None
    if alias is not None:
        return alias
    first = _find_first(name, table) if name in table.owners else None
    return None if first is None else ServedModel(first.name, name)


def _find_first(model: str, table: Table) -> Backend | None:
    """The backend that routing prefers for a model of the catalogs."""
    return next(iter(table.find_servers(model)), None)


def _resolve_aliases(table: Table) -> dict[str, ServedModel]:
    """The aliases as the user wrote them, with the backend and the model that they stand for."""
    served = {name: _resolve_alias(name, table) for name in table.aliases}
    return {name: found for name, found in served.items() if found is not None}


def _resolve_alias(name: str, table: Table) -> ServedModel | None:
    """What an alias stands for, None where nothing serves it."""
    with contextlib.suppress(BadRequest, LoopDetected, UnknownModel):
        route = decide(RoutingFacts(protocols.DEFAULT.name, name, stream=False), table)
        return ServedModel(route.backend.name, route.model or name)
    return None
