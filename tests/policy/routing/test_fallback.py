"""The chain of a request: what follows what, and what it never asks for twice."""

import pytest

from router.backends import Backend
from router.policy.routing.fallback import build_chain, format_route
from router.policy.routing.table import Route, Table
from router.settings import Frozen
from router.settings.tables import Edits


def backend(name, auth="key", host=None):
    return Backend(name=name, root=f"https://{host or name}.example/v1", protocols=("chat",), auth=auth)


BACKENDS = {
    one.name: one
    for one in (
        *(backend(name) for name in ("a", "b")),
        *(backend(name, "client") for name in ("mine", "yours")),
        backend("minetoo", "client", host="mine"),
    )
}


@pytest.mark.parametrize(
    ("first", "names", "expected"),
    [
        ("a", ["b:m", "nobody:m", "a:m", "a:n"], ["b:m", "a:n"]),
        ("mine", ["a:m", "yours:m", "minetoo:m", "mine:n"], ["a:m", "minetoo:m", "mine:n"]),
        ("a", ["yours:m", "mine:m", "b:m", "minetoo:m"], ["yours:m", "b:m"]),
        ("a", ["mine:m", "minetoo:m", "yours:m"], ["mine:m", "minetoo:m"]),
    ],
)
def test_who_follows(first, names, expected):
    """Those that are there, in order; the caller's own credential is for one host, the first that it would go to."""
    table = Table(tuple(BACKENDS.values()), {}, {}, None, fallback={"m": tuple(names)})
    route = Route(BACKENDS[first], "m", why="prefix")
    assert [format_route(hop) for hop in build_chain(route, table)] == expected


def test_what_a_rule_sets_stays_at_its_backend():
    """Its headers and fields are for that one; what it asks of any backend goes along."""
    edits = Edits(set_headers=Frozen({"X-Gateway-Key": "secret"}), set_fields=Frozen({"user": "me"}), max_tokens=9)
    table = Table(tuple(BACKENDS.values()), {}, {}, None, fallback={"m": ("b:m", "a:n")})
    there, here = build_chain(Route(BACKENDS["a"], "m", why="rule", edits=edits), table)
    assert there.edits == Edits(max_tokens=9)
    assert here.edits == edits
