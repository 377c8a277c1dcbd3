"""Where a request goes when the accounts of its backend cannot serve it: the chain of its rule, else of its model. And
where it may go when its client key may not use the backend: to another one of the same model.

The chain is the user's: it decides over backends and models, whatever catalogs say. What a rule sets for its own
backend (headers, fields of its vendor) stays there; what it asks of any (effort, cap, what is taken out) goes along.
"""

from collections.abc import Callable, Sequence

import msgspec

from router.backends import Backend
from router.backends.known import same_host
from router.policy.routing.table import Route, Table
from router.settings.kinds import Frozen
from router.settings.tables import Edits

WHY = "fallback"
# The steps that choose among backends. All others are for one alone: a prefix, a rule, the issuer of an id.
_CHOOSING = ("catalog", "family")


def build_chain(route: Route, table: Table, serves: Callable[[Route], bool] = lambda hop: True) -> list[Route]:
    """The routes to try after this one, in order. serves: whether a route can serve the request.

    Without those whose backend is not there, and those that would send the caller's own credential to another host than
    the one it is for.
    """
    if route.model is None:
        return []
    found = (_resolve_hop(text, route, table) for text in _find_names(route, table))
    hops = [hop for hop in found if hop is not None and serves(hop)]
    owner = next((one.backend for one in (route, *hops) if one.backend.auth == "client"), None)
    return [hop for hop in hops if hop.backend.auth != "client" or owner is None or _same_host(hop.backend, owner)]


def list_other_servers(route: Route, table: Table, protocol: str | None) -> list[Route]:
    """The routes to the other backends of the route's model, those that speak the protocol first; none where the name
    leads to one backend alone. A vendor's name leads to the vendor's backends only, as always."""
    if route.model is None or route.why not in _CHOOSING:
        return []
    servers = table.find_servers(route.model) if route.why == "catalog" else table.of_family(route.model)
    others = [one for one in servers if one is not route.backend]
    others.sort(key=lambda one: protocol not in one.protocols)
    return [msgspec.structs.replace(route, backend=one) for one in others]


def _same_host(backend: Backend, owner: Backend) -> bool:
    return same_host(backend.root, owner.root)


def format_route(route: Route) -> str:
    """A route of the chain as answers and the log name it."""
    return f"{route.backend.name}:{route.model}"


def _find_names(route: Route, table: Table) -> Sequence[str]:
    own = next((entry.rule.fallback for entry in table.rules if entry.rule.name == route.rule), ())
    if own:
        return own
    model = route.model or ""
    return next((names for pattern, names in table.chains if pattern.match(model)), ())


def _resolve_hop(text: str, route: Route, table: Table) -> Route | None:
    name, _, model = text.partition(":")
    backend = table.prefixes.get(name.strip().lower())
    model = model.strip()
    if backend is None or (backend is route.backend and model == route.model):
        return None
    edits = route.edits
    if edits is not None and backend is not route.backend:
        edits = _keep_common(edits)
    return msgspec.structs.replace(
        route, backend=backend, model=model, why=WHY, renamed=True, floats=False, edits=edits, renamed_by=WHY
    )


def _keep_common(edits: Edits) -> Edits | None:
    common = Edits(
        set_headers=Frozen[str](),
        set_fields=Frozen[object](),
        remove_headers=edits.remove_headers,
        remove_fields=edits.remove_fields,
        effort=edits.effort,
        max_tokens=edits.max_tokens,
    )
    return None if common == Edits() else common
