"""Requests that name an id go to the backend that issued it."""

import pytest

from router.backends import Backend
from router.errors import NotFound
from router.ir import RoutingFacts
from router.policy.routing.routes import Table, decide

ALL = ("messages", "chat", "responses")
NAMED = {name: Backend(name=name, root=f"http://{name}.example/v1", protocols=ALL, auth="none") for name in ("a", "b")}
TABLE = Table(tuple(NAMED.values()), {"a": ("model-a",), "b": ("model-b",)}, {})


@pytest.mark.parametrize(
    ("model", "owner", "backend", "sent"),
    [
        (None, "a", "a", None),
        (None, "b", "b", None),
        ("model-b", "a", "a", "model-b"),
        ("nobody-knows", "a", "a", "nobody-knows"),
        ("other:7b", "a", "a", "other:7b"),
        ("b:model-b", "a", "b", "model-b"),
        ("a:model-a", "a", "a", "model-a"),
        ("b:model-b", "gone", "b", "model-b"),
        ("model-b", None, "b", "model-b"),
    ],
)
def test_the_owner_goes_first(model, owner, backend, sent):
    """Before the model's own route; a prefix that names a backend goes before the owner."""
    route = decide(RoutingFacts("responses", model, stream=False, owner=owner), TABLE)
    assert (route.backend.name, route.model) == (backend, sent)


@pytest.mark.parametrize("model", [None, "model-b"])
def test_an_owner_that_is_gone(model):
    """It is named; the id means nothing to any other backend."""
    with pytest.raises(NotFound, match="backend gone"):
        decide(RoutingFacts("responses", model, stream=False, owner="gone"), TABLE)
