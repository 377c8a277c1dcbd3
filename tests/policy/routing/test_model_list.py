"""The list of models: aliases that are served, plain names for the preferred backend, prefixes for the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.backends import Backend
from router.errors import UnknownModel
from router.policy.routing import model_list
from router.policy.routing.clients import make_headers
from router.policy.routing.model_list import find_listed, find_served, list_models, list_served
from router.policy.routing.table import Table
from router.settings.tables import Condition, Rule

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


def test_one_name_as_in_the_list():
    """Aliases, shadowed names, prefixes and names with a colon of their own: the list and the look-up agree."""
    aliases = {"Fast": "two:c", "a": "c", "lost": "three:x", "two:b": "a"}
    catalogs = {"one": ("a", "b", "two:d", "x:y"), "two": ("b", "c", "d", "x:y", "a")}
    table = Table((ONE, TWO), catalogs, {}, aliases=aliases)
    served = list_served(table)
    assert {"two:b", "two:x:y", "two:a", "two:d", "Fast"} <= served.keys()
    assert {name: find_listed(name, table) for name in served} == served
    assert [find_listed(name, table) for name in ("lost", "one:a", "TWO:b", "z", "")] == [None] * 5


def backend_of(name, table, protocol="chat", **fields):
    """The backend that serves a model, by its name alone."""
    return find_served(name, table, protocol, {key.encode(): value for key, value in fields.items()}).backend


MODELS = {"one": ("a", "b", "claude-opus-5"), "two": ("b", "deepseek/deepseek-chat:free", "claude-opus-5[1m]", "größe")}
RULES = (
    Rule(name="drafts", when=Condition(model="draft-*"), backend="two"),
    Rule(name="messages", when=Condition(model="only", protocol="messages"), backend="one"),
    Rule(name="codex", when=Condition(model="mine", client="codex"), backend="two"),
)


NAMES = st.sampled_from(["a", "b", "a:b", "one:a", "two:a", "two:one:a", "opus", "claude-opus-5"])


@settings(deadline=None)
@given(
    st.lists(NAMES, unique=True, max_size=5),
    st.lists(NAMES, unique=True, max_size=5),
    st.dictionaries(NAMES, NAMES, max_size=4),
)
def test_a_name_is_found_as_it_is_listed(first, second, aliases):
    """Whatever aliases, prefixes and models have the same name."""
    table = Table((ONE, TWO), {"one": first, "two": second}, {}, aliases=aliases)
    for name, served in list_served(table).items():
        assert find_served(name, table, "chat", {}) == served


def test_a_name_is_found_without_the_list():
    """It takes no longer beside twenty thousand others."""
    table = Table((ONE,), {"one": [f"m{at}" for at in range(20_000)]}, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_list, "list_served", None)
        assert find_served("m19999", table, "chat", {}) == ("one", "m19999")


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        ("a", "one"),
        ("two:b", "two"),
        ("TWO:b", "two"),
        ("deepseek/deepseek-chat:free", "two"),
        ("two:deepseek/deepseek-chat:free", "two"),
        ("two:not/on:the list", "two"),
        ("claude-opus-5[1m]", "two"),
        ("one:claude-opus-5[1m]", "one"),
        ("größe", "two"),
        ("opus", "one"),
        ("fast", "two"),
        ("draft-7", "two"),
        ("only", "one"),
        ("gpt-99", "one"),
    ],
)
def test_every_name_that_is_served_has_a_backend(name, backend):
    """Listed or not: behind a prefix, by an alias, a shortcut, a rule of any protocol, or a family."""
    table = Table((ONE, TWO), MODELS, {"": (r"gpt-.*",)}, aliases={"Fast": "two:x"}, routes=RULES)
    assert backend_of(name, table) == backend


def test_a_rule_for_a_client_counts_for_that_client():
    """The headers of the call say whose it is."""
    table = Table((ONE, TWO), MODELS, {}, routes=RULES)
    fields = {name: value.encode() for name, value in make_headers("codex")}
    assert backend_of("mine", table, **fields) == "two"
    with pytest.raises(UnknownModel):
        backend_of("mine", table)


def test_the_default_and_a_forced_model_serve_any_name():
    """As a request with the name would be served; a name that no request may have is none for them either."""
    assert backend_of("any/thing", Table((ONE, TWO), {}, {}, "two")) == "two"
    assert backend_of("any/thing", Table((ONE, TWO), MODELS, {}, model="two:b")) == "two"
    for name in ("x" * 257, "a\nb", " "):
        with pytest.raises(UnknownModel):
            backend_of(name, Table((ONE, TWO), {}, {}, "two"))


@pytest.mark.parametrize("name", ["deepseek/deepseek-chat:fre", "two:", "nobody:x/y"])
def test_a_name_that_is_not_served(name):
    """The refusal is that of a request: it says what is near, or what is wrong."""
    with pytest.raises(UnknownModel) as caught:
        backend_of(name, Table((ONE, TWO), MODELS, {}))
    said = {"two:": "names a backend and no model", "nobody:x/y": "No backend serves"}.get(name, "Nearest: deepseek/")
    assert said in caught.value.message
