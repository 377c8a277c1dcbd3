"""Which models can be asked for: the list behind GET /v1/models, `models` and the status."""

import contextlib
from collections.abc import Mapping

from router.errors import BadRequest, LoopDetected, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.routes import decide
from router.policy.routing.table import Table
from router.wire import protocols


def list_models(table: Table) -> dict[str, str]:
    """Every model that can be asked for, with the backend that serves it; aliases first, unless nothing serves them.

    A name that several backends have is listed plainly for the one that routing prefers, with a prefix for the others.
    """
    names = _resolve_aliases(table)
    for model, owners in table.owners.items():
        names.setdefault(model, owners[0].name)
        for other in owners[1:]:
            names[f"{other.name}:{model}"] = other.name
    return names


def find_listing_backend(name: str, table: Table, listed: Mapping[str, str]) -> str | None:
    """The backend of a model that is listed, or that stands on a list behind its backend's prefix; None for others."""
    if name in listed:
        return listed[name]
    prefix, _, model = name.partition(":")
    backend = table.prefixes.get(prefix.lower())
    return backend.name if backend is not None and table.lists(backend, model) else None


def _resolve_aliases(table: Table) -> dict[str, str]:
    """The aliases as the user wrote them, with the backend that gets them."""
    served: dict[str, str] = {}
    for name in table.aliases:
        with contextlib.suppress(BadRequest, LoopDetected, UnknownModel):
            served[name] = decide(RoutingFacts(protocols.DEFAULT.name, name, stream=False), table).backend.name
    return served
