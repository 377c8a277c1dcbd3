"""Requests that some backends alone can serve: the one that issued an id, and those that speak the protocol."""

from collections.abc import Callable, Mapping, Sequence

from router.backends import COMMON, Backend, speaks_api
from router.errors import NotFound
from router.ir import RoutingFacts
from router.policy.routing.table import Route, Table
from router.policy.routing.trace import Step, Trace

#: The step that finds the issuer of an id.
OWNER = "owner of an id"
# The steps by which a request names its backend.
_NAMED = ("prefix", OWNER)


def find_owner(name: str | None, named: Mapping[str, Backend]) -> Backend | None:
    """The backend that issued an id the request names; None for a request without one.

    name: of the backend, as it was remembered. named: the backends there are. Raises NotFound when it is none of them.
    """
    if name is None:
        return None
    backend = named.get(name)
    if backend is None:
        raise NotFound(
            f"The request names an id that the backend {name} issued, and {name} is no longer "
            "configured or not enabled. `fairlead backend list` shows what is."
        )
    return backend


def make_speaks(facts: RoutingFacts) -> Callable[[Backend], bool]:
    """The test whether a backend speaks the protocol of a request; of its API where the path is of none."""
    if facts.protocol is None:
        return lambda backend: speaks_api(backend.protocols, COMMON)
    return lambda backend: facts.protocol in backend.protocols


def prefer_native(owners: Sequence[Backend], facts: RoutingFacts) -> Backend:
    """The first that speaks the caller's protocol, else the first that could get a translated request: a login of the
    caller's is not passed along with one."""
    if len(owners) == 1:
        return owners[0]
    speaks = make_speaks(facts)
    native = next((backend for backend in owners if speaks(backend)), None)
    return native or next((backend for backend in owners if backend.auth != "client"), owners[0])


def route_to_native(route: Route, facts: RoutingFacts, table: Table, trace: Trace | None) -> Route:
    """The route to a backend of the request's own protocol, for what no other can serve. The same one where it leads to
    such a backend, the caller or an id names the backend, or there is none for the model that was asked for."""
    speaks = make_speaks(facts)
    if facts.model is None or route.why in _NAMED or speaks(route.backend):
        return route
    owners = table.find_servers(facts.model) or table.of_family(facts.model)
    native = next(filter(speaks, owners), None)
    if trace is not None:
        where = f"{native.name} serves it" if native else f"no backend for {facts.model} speaks {facts.protocol}"
        trace.append(Step("bound", native is not None, f"{facts.bound} cannot be translated; {where}"))
    return route if native is None else Route(native, facts.model, "bound to the protocol")
