"""Which of the caller's own credentials go to a backend with auth=client.

A login is its vendor's: it goes there in a protocol of that vendor, never along a translation, and not where it has
the form of another issuer's. A request without such a login is refused before anything is sent.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from router.backends import GOOGLE, Backend, Known, speaks_api
from router.backends.endpoints import find_protocols
from router.backends.key_forms import KeyForm, find_foreign_form
from router.backends.known import find_own_protocols, known
from router.errors import Unauthenticated
from router.exchange.context import Arrival
from router.policy.routing.routes import Route
from router.policy.routing.table import Table
from router.wire.calls import Call
from router.wire.protocols import BY_NAME

Values = Mapping[bytes, list[bytes]]

#: Headers in which callers send a credential of their own.
HEADERS = frozenset((b"authorization", b"x-api-key", b"x-goog-api-key"))
# The others are sent to servers of many vendors.
_GOOGLES_HEADER = GOOGLE.key_header.lower().encode()


class Obstacle(NamedTuple):
    """Why a backend with auth=client gets no login with a request, and the first thing that helps."""

    why: str
    step: str

    def explain(self, route: Route, table: Table) -> str:
        """Both in words, with what else helps."""
        backend = route.backend
        others = table.owners.get(route.model or "", ())
        other = next((one for one in others if one is not backend and one.auth != "client"), None)
        ask = f", ask for {other.name}:{route.model}" if other else ""
        return f"{self.why} {self.step}{ask}, or store a key: `fairlead backend set {backend.name} --key-stdin`."


def check_login(arrival: Arrival, route: Route) -> None:
    """Refuse a request that a backend with auth=client would get without its vendor's login. Raises Unauthenticated."""
    obstacle = find_obstacle(arrival.call, route.backend, route.model, _find_own_values(arrival))
    if obstacle is not None:
        raise Unauthenticated(obstacle.explain(route, arrival.snapshot.table))


def passes_login(arrival: Arrival, route: Route) -> bool:
    """True unless the backend would get the request without the login that it needs."""
    backend = route.backend
    return (
        backend.auth != "client" or find_obstacle(arrival.call, backend, route.model, _find_own_values(arrival)) is None
    )


def find_passed_headers(arrival: Arrival, backend: Backend) -> frozenset[bytes]:
    """The names of the headers whose credentials are passed on to a backend with auth=client."""
    if not _is_own_protocol(arrival.call, backend):
        return frozenset()
    names = frozenset(_select_fitting(arrival.call, known(backend.vendor), _find_own_values(arrival)))
    arrival.hide_credentials(names)
    return names


def find_obstacle(call: Call, backend: Backend, model: str | None, values: Values | None) -> Obstacle | None:
    """What keeps a login from a backend with auth=client, None when it gets one or needs none. model: None where it is
    not known. values: of the headers that hold a credential of the caller's own; None when they are not known."""
    vendor = known(backend.vendor)
    at = f" at {vendor.title}" if vendor is not None and vendor.needs_key else ""
    if not at and not values:
        # A server that may need none.
        return None
    if not _is_own_protocol(call, backend, model):
        asked = call.dialect.title if call.protocol else "an OpenAI call"
        spoken = " or ".join(BY_NAME[name].title for name in _find_own(backend, model))
        why = (
            f"The backend {backend.name} passes on each tool's own login, and only as it is, in {spoken}. This request "
            f"is {asked}, so its credential was not sent there."
        )
        return Obstacle(why, f"Use a tool that speaks {spoken}{f' and is logged in{at}' if at else ''}")
    if values is None or _select_fitting(call, vendor, values):
        return None
    step = f"Log the tool in{at}" if at else "Send a credential of that backend"
    for name, found in values.items():
        for value in found:
            if (form := _find_foreign(vendor, value)) is not None:
                why = (
                    f"The credential in {name.decode()} begins with {form.begins}, as those of {form.issuer} do, and "
                    f"was not sent to the backend {backend.name}{f', which is {vendor.title}' if vendor else ''}."
                )
                return Obstacle(why, step)
    why = f"The request carries no login{at}, and the backend {backend.name} has no key of its own."
    return Obstacle(why, step)


def collect_values(lines: Iterable[tuple[bytes, bytes]]) -> Values:
    """The values of each header that holds a credential, from lower-case names and values."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in lines:
        if name in HEADERS and value.strip().lower() not in (b"", b"bearer"):
            found.setdefault(name, []).append(value)
    return found


def _find_own_values(arrival: Arrival) -> Values:
    names = arrival.caller_credentials(HEADERS)
    return collect_values((name, value) for _, name, value in arrival.request.lines if name in names)


def _find_own(backend: Backend, model: str | None) -> list[str]:
    """The protocols in which a login goes to a backend: its provider's own, in which it serves the model."""
    served = find_protocols(backend, model)
    return [name for name in find_own_protocols(backend) if name in served]


def _is_own_protocol(call: Call, backend: Backend, model: str | None = None) -> bool:
    spoken = _find_own(backend, model)
    return call.protocol in spoken if call.protocol else speaks_api(spoken, call.entry.api)


def _select_fitting(call: Call, vendor: Known | None, values: Values) -> list[bytes]:
    """The headers all of whose values may go to the vendor. Google's header goes along calls of its API alone."""
    return [
        name
        for name, found in values.items()
        if (name != _GOOGLES_HEADER or call.entry.api is GOOGLE)
        and all(_find_foreign(vendor, value) is None for value in found)
    ]


def _find_foreign(vendor: Known | None, value: bytes) -> KeyForm | None:
    return find_foreign_form(vendor, value.decode("latin-1"))
