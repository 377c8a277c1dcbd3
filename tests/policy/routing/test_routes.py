"""Which backend serves a request, step by step."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.routes import Table, decide, find_nearest_models
from router.settings.tables import Condition, Rule

from .tables import CLAUDE, DEMO, FAMILIES, LOCAL, OPENAI, table


def route(model, protocol="chat", **options):
    found = decide(RoutingFacts(protocol, model, stream=False), table(**options))
    return found.backend.name, found.model, found.why


STEPS = [
    # 2: a backend's name in front of a colon
    ("openai:gpt-5", "chat", ("openai", "gpt-5", "prefix")),
    ("local:openai:x", "chat", ("local", "openai:x", "prefix")),
    ("local:llama3:8b", "chat", ("local", "llama3:8b", "prefix")),
    ("claude:unheard-of", "chat", ("claude", "unheard-of", "prefix")),
    ("demo:gpt-5", "chat", ("demo", "gpt-5", "prefix")),
    # other colons belong to the model
    ("llama3:8b", "chat", ("local", "llama3:8b", "catalog")),
    # 4: a catalog lists it
    ("gpt-5", "chat", ("openai", "gpt-5", "catalog")),
    ("gpt-5", "messages", ("openai", "gpt-5", "catalog")),
    ("gpt-oss", "responses", ("local", "gpt-oss", "catalog")),
    ("demo-tools", "messages", ("demo", "demo-tools", "catalog")),
    # ties: native protocol first, then the order added
    ("shared", "chat", ("openai", "shared", "catalog")),
    ("shared", "messages", ("claude", "shared", "catalog")),
    ("shared", "responses", ("openai", "shared", "catalog")),
    ("shared", None, ("openai", "shared", "catalog")),
    # 5: families
    ("gpt-99", "chat", ("openai", "gpt-99", "family")),
    ("o7-mini", "chat", ("openai", "o7-mini", "family")),
    ("claude-9", "messages", ("claude", "claude-9", "family")),
]


@pytest.mark.parametrize(("model", "protocol", "wanted"), STEPS)
def test_each_step_decides(model, protocol, wanted):
    """Prefix, catalog with its ties, family: the first that says something decides."""
    assert route(model, protocol) == wanted


@given(st.lists(st.sampled_from([*STEPS, ("opus", "messages", ()), ("gpt-5", None, ())]), max_size=40), st.booleans())
def test_a_route_that_is_known_is_the_same(asked, generates):
    """What was decided before changes no later decision, whatever request it was for."""
    known = table(model="gpt-5") if generates else table()
    for model, protocol, _ in asked:
        for facts in (
            RoutingFacts(protocol, model, stream=True, generates=generates),
            RoutingFacts(protocol, model, stream=False),
        ):
            fresh = table(model="gpt-5") if generates else table()
            try:
                wanted = decide(facts, fresh, trace=[])
            except UnknownModel:
                with pytest.raises(UnknownModel):
                    decide(facts, known)
            else:
                assert decide(facts, known) == wanted == decide(facts, known)


def test_known_routes_are_bounded():
    """A caller that asks for ever new names fills no memory."""
    known = table()
    for number in range(2000):
        decide(RoutingFacts("chat", f"gpt-{number}", stream=False), known)
        assert len(known.decided) <= 256
    assert known.decided


def test_ties_follow_the_order_added():
    """Among those that speak the protocol, and among those that do not, the first added is taken."""
    assert decide(RoutingFacts("chat", "shared", stream=False), table(LOCAL, OPENAI)).backend is LOCAL
    assert decide(RoutingFacts("responses", "shared", stream=False), table(LOCAL, CLAUDE)).backend is LOCAL


def test_an_openai_call_prefers_a_backend_that_speaks_openai():
    """Embeddings and other OpenAI paths of no protocol of their own: a backend of Messages alone cannot serve them."""
    assert decide(RoutingFacts(None, "shared", stream=False), table(CLAUDE, OPENAI)).backend is OPENAI


def test_two_backends_of_one_family():
    """Two instances of a vendor: the first added, unless only the other speaks the protocol."""
    second = Backend(name="second", root="https://e/v1", protocols=("messages",), vendor="openai")
    assert decide(RoutingFacts("chat", "gpt-99", stream=False), table(OPENAI, second)).backend is OPENAI
    assert decide(RoutingFacts("messages", "gpt-99", stream=False), table(OPENAI, second)).backend is second


def test_the_default_backend_gets_the_rest():
    """Step 6: what no step knows goes to default_backend, under its own name."""
    assert route("unheard-of", default="local") == ("local", "unheard-of", "default")
    assert route("unheard:of", default="local") == ("local", "unheard:of", "default")


def test_the_demo_answers_for_its_own_names_alone():
    """Also where nothing else is configured: a 200 for a real model would be its echo."""
    for backends in ((DEMO,), (LOCAL, DEMO)):
        assert decide(RoutingFacts("chat", "demo-tools", stream=False), table(*backends)).backend is DEMO
        assert decide(RoutingFacts("chat", "demo:any", stream=False), table(*backends)).backend is DEMO
        for model in ("gpt-5", "demo-tool", "unheard-of"):
            with pytest.raises(UnknownModel):
                decide(RoutingFacts("chat", model, stream=False), table(*backends))
    with pytest.raises(BadRequest, match="fairlead backend add"):
        decide(RoutingFacts("responses", None, stream=False), table(DEMO))


def test_an_unread_catalog_says_nothing():
    """A backend whose catalog is not known yet is reached by prefix, family and default."""
    with pytest.raises(UnknownModel):
        route("shared", catalogs={})
    assert route("gpt-5", catalogs={}) == ("openai", "gpt-5", "family")


def test_an_unknown_model_is_told_what_there_is():
    """404, naming the configured backends, and up to three names that look alike with their backends."""
    with pytest.raises(UnknownModel) as caught:
        route("CLAUDE_opus-5")
    assert caught.value.status == 404
    text = caught.value.message
    assert "'CLAUDE_opus-5'" in text
    assert "claude-opus-5 (claude)" in text
    assert text.endswith("Configured backends: openai, claude, local. Add one: `fairlead backend add NAME`.")
    with pytest.raises(UnknownModel) as caught:
        route("zzzz")
    assert "Nearest" not in caught.value.message
    with pytest.raises(UnknownModel, match="No backend is configured"):
        decide(RoutingFacts("chat", "m", stream=False), Table((), {}, FAMILIES))


def test_the_nearest_names_are_three_at_most():
    """The closest first, capitals aside."""
    crowded = table(LOCAL, catalogs={"local": ("Qwen-1", "qwen-2", "qwen-3", "qwen-33", "phi")})
    assert find_nearest_models("QWEN-3", crowded)[0] == "qwen-3"
    assert len(find_nearest_models("qwen-3", crowded)) == 3
    assert find_nearest_models("phj", crowded) == ["phi"]


def test_a_default_that_is_not_there_serves_nothing():
    """Its backend was removed or disabled: 404, not some other backend."""
    with pytest.raises(UnknownModel):
        route("unheard-of", default="gone")


def test_a_prefix_needs_a_model():
    """`openai:` alone is a mistake worth its own words."""
    with pytest.raises(BadRequest, match="openai:MODEL"):
        route("openai:")


NAMELESS = [
    ((CLAUDE, DEMO), "messages", None, "claude"),
    ((OPENAI, DEMO), "chat", None, "openai"),
    ((OPENAI, CLAUDE), "messages", None, "claude"),
    ((OPENAI, CLAUDE), None, None, "openai"),
    ((OPENAI, LOCAL), "chat", "local", "local"),
    ((OPENAI, LOCAL), "responses", "local", "openai"),
    ((OPENAI, DEMO), "responses", "demo", "openai"),
    ((OPENAI, LOCAL, DEMO), "chat", "demo", "demo"),
]


@pytest.mark.parametrize(("backends", "protocol", "default", "wanted"), NAMELESS)
def test_without_a_model_the_only_speaker_serves(backends, protocol, default, wanted):
    """Files, batches, sub-paths: the only backend that speaks the protocol; the demo does not stand in its way."""
    found = decide(RoutingFacts(protocol, None, stream=False), table(*backends, default=default))
    assert (found.backend.name, found.model) == (wanted, None)


def test_without_a_model_two_speakers_are_a_question():
    """400, naming them and how to choose."""
    with pytest.raises(BadRequest, match=r"openai, local.*fairlead config set default_backend openai"):
        decide(RoutingFacts("chat", None, stream=False), table(OPENAI, LOCAL, DEMO))


def test_without_a_speaker_the_request_is_refused():
    """400, naming what is configured."""
    with pytest.raises(BadRequest, match=r"(?s)responses.*claude"):
        decide(RoutingFacts("responses", None, stream=False), table(CLAUDE))
    with pytest.raises(BadRequest, match="OpenAI"):
        decide(RoutingFacts(None, None, stream=False), table(CLAUDE))


NAMES = ("a", "b", "c", "demo")
MODELS = st.sampled_from(["m", "n", "gpt-1", "claude-1", "x:y", "a", "", ":"])
BACKENDS = st.lists(
    st.builds(
        Backend,
        name=st.sampled_from(NAMES),
        root=st.just("https://h/v1"),
        protocols=st.lists(st.sampled_from(["messages", "chat", "responses"]), min_size=1, unique=True).map(tuple),
        vendor=st.sampled_from(["", "openai", "anthropic"]),
    ),
    max_size=4,
    unique_by=lambda backend: backend.name,
)
RULES = st.builds(
    Rule,
    name=st.just("r"),
    when=st.builds(Condition, model=st.sampled_from(["", "*", "m", "gpt-*"]), tools=st.none() | st.booleans()),
    backend=st.sampled_from(["", *NAMES]),
    model=st.just("") | MODELS,
)
TABLES = st.builds(
    Table,
    BACKENDS,
    st.dictionaries(st.sampled_from(NAMES), st.lists(MODELS, max_size=3), max_size=4),
    st.just(FAMILIES),
    st.none() | st.sampled_from(NAMES),
    st.dictionaries(MODELS, MODELS.filter(bool), max_size=3),
    st.lists(RULES, max_size=3),
    st.none() | MODELS.filter(bool),
    st.none() | MODELS.filter(bool),
)
PROTOCOLS = st.none() | st.sampled_from(["messages", "chat", "responses"])


@settings(max_examples=300)
@given(TABLES, PROTOCOLS, st.none() | MODELS, st.sampled_from(NAMES))
def test_only_a_backend_of_the_table_is_picked(given_table, protocol, model, prefix):
    """Catalogs and defaults may name backends that are gone: none of them serves, and nothing else is raised."""
    name = model if model is None or protocol is None else f"{prefix}:{model}"
    try:
        found = decide(RoutingFacts(protocol, name, stream=False, generates=True), given_table)
    except (BadRequest, UnknownModel):
        return
    assert found.backend in given_table.backends
    assert (found.model is None) == (name is None)
    trace = []
    assert decide(RoutingFacts(protocol, name, stream=False, generates=True), given_table, trace=trace) == found
    assert sum(step.took for step in trace) >= 1


@settings(max_examples=300)
@given(TABLES, PROTOCOLS, st.text(min_size=1, max_size=5) | MODELS.filter(bool), st.sampled_from(NAMES))
def test_a_backend_s_own_prefix_always_wins(given_table, protocol, rest, prefix):
    """Whatever the catalogs list under the whole name."""
    listed = Table(given_table.backends, {name: [f"{prefix}:{rest}"] for name in NAMES}, FAMILIES, given_table.default)
    if prefix not in listed.named:
        return
    found = decide(RoutingFacts(protocol, f"{prefix}:{rest}", stream=False), listed)
    assert (found.backend.name, found.model, found.why) == (prefix, rest, "prefix")
