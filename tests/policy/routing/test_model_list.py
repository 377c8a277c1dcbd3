"""The list of models: aliases that are served, plain names for the preferred backend, prefixes for the others."""

from router.backends import Backend
from router.policy.routing.model_list import list_models
from router.policy.routing.table import Table

ONE = Backend(name="one", root="https://one.example/v1", protocols=("chat",))
TWO = Backend(name="two", root="https://two.example/v1", protocols=("messages",), added=1.0)


def test_names_and_prefixes():
    """A name two backends have is listed once plainly, once with the prefix of the other."""
    table = Table((ONE, TWO), {"one": ("a", "b"), "two": ("b", "c")}, {})
    assert list_models(table) == {"a": "one", "b": "one", "two:b": "two", "c": "two"}


def test_aliases_come_first():
    """As the user wrote them, with the backend they lead to; one that leads nowhere is left out, one that shadows a
    real name is listed for what it leads to."""
    aliases = {"Fast": "two:c", "a": "c", "lost": "three:x"}
    table = Table((ONE, TWO), {"one": ("a",), "two": ("c",)}, {}, aliases=aliases)
    assert list(list_models(table).items()) == [("Fast", "two"), ("a", "two"), ("c", "two")]


def test_nothing():
    """No backend, no list."""
    assert list_models(Table((), {}, {}, aliases={"x": "y"})) == {}
