"""Which backend serves a request, step by step (product.md 6)."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import Facts
from router.policy.routes import Table, decide, nearest_models
from router.policy.traits import NO_TRAITS, Traits
from router.settings.tables import Condition, Edits, Rule

FAMILIES = {"openai": (r"gpt-.*", r"o\d.*"), "anthropic": (r"claude-.*",)}
OPENAI = Backend(name="openai", root="https://a/v1", protocols=("chat", "responses"), vendor="openai")
CLAUDE = Backend(name="claude", root="https://b/v1", protocols=("messages",), vendor="anthropic")
LOCAL = Backend(name="local", root="http://c/v1", protocols=("messages", "chat"), vendor="ollama")
DEMO = Backend(name="demo", root="http://d/v1", protocols=("messages", "chat", "responses"), auth="none")
CATALOGS = {
    "openai": ("gpt-5", "shared"),
    "claude": ("claude-opus-5", "shared"),
    "local": ("llama3:8b", "shared", "gpt-oss"),
    "demo": ("demo", "demo-tools"),
}


def table(*backends, default=None, catalogs=CATALOGS):
    return Table(backends or (OPENAI, CLAUDE, LOCAL, DEMO), catalogs, FAMILIES, default)


def route(model, protocol="chat", **options):
    found = decide(Facts(protocol, model, stream=False), table(**options))
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


def test_ties_follow_the_order_added():
    """Among those that speak the protocol, and among those that do not, the first added is taken."""
    assert decide(Facts("chat", "shared", stream=False), table(LOCAL, OPENAI)).backend is LOCAL
    assert decide(Facts("responses", "shared", stream=False), table(LOCAL, CLAUDE)).backend is LOCAL


def test_an_openai_call_prefers_a_backend_that_speaks_openai():
    """Embeddings and other OpenAI paths of no protocol of their own: a backend of Messages alone cannot serve them."""
    assert decide(Facts(None, "shared", stream=False), table(CLAUDE, OPENAI)).backend is OPENAI


def test_two_backends_of_one_family():
    """Two instances of a vendor: the first added, unless only the other speaks the protocol."""
    second = Backend(name="second", root="https://e/v1", protocols=("messages",), vendor="openai")
    assert decide(Facts("chat", "gpt-99", stream=False), table(OPENAI, second)).backend is OPENAI
    assert decide(Facts("messages", "gpt-99", stream=False), table(OPENAI, second)).backend is second


def test_the_default_backend_gets_the_rest():
    """Step 6: what no step knows goes to default_backend, under its own name."""
    assert route("unheard-of", default="local") == ("local", "unheard-of", "default")
    assert route("unheard:of", default="local") == ("local", "unheard:of", "default")


def test_the_demo_alone_gets_everything():
    """So that a tool can be tried before a key is at hand."""
    assert decide(Facts("chat", "gpt-5", stream=False), table(DEMO)).backend is DEMO
    with pytest.raises(UnknownModel):
        decide(Facts("chat", "unheard-of", stream=False), table(LOCAL, DEMO))


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
    assert "openai, claude, local, demo" in text
    with pytest.raises(UnknownModel) as caught:
        route("zzzz")
    assert "Nearest" not in caught.value.message
    with pytest.raises(UnknownModel, match="none"):
        decide(Facts("chat", "m", stream=False), Table((), {}, FAMILIES))


def test_the_nearest_names_are_three_at_most():
    """The closest first, capitals aside."""
    crowded = table(LOCAL, catalogs={"local": ("Qwen-1", "qwen-2", "qwen-3", "qwen-33", "phi")})
    assert nearest_models("QWEN-3", crowded)[0] == "qwen-3"
    assert len(nearest_models("qwen-3", crowded)) == 3
    assert nearest_models("phj", crowded) == ["phi"]


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
    ((DEMO,), "responses", None, "demo"),
]


@pytest.mark.parametrize(("backends", "protocol", "default", "wanted"), NAMELESS)
def test_without_a_model_the_only_speaker_serves(backends, protocol, default, wanted):
    """Files, batches, sub-paths: the only backend that speaks the protocol; the demo does not stand in its way."""
    found = decide(Facts(protocol, None, stream=False), table(*backends, default=default))
    assert (found.backend.name, found.model) == (wanted, None)


def test_without_a_model_two_speakers_are_a_question():
    """400, naming them and how to choose."""
    with pytest.raises(BadRequest, match=r"openai, local.*--default-backend"):
        decide(Facts("chat", None, stream=False), table(OPENAI, LOCAL, DEMO))


def test_without_a_speaker_the_request_is_refused():
    """400, naming what is configured."""
    with pytest.raises(BadRequest, match=r"(?s)responses.*claude"):
        decide(Facts("responses", None, stream=False), table(CLAUDE))
    with pytest.raises(BadRequest, match="OpenAI"):
        decide(Facts(None, None, stream=False), table(CLAUDE))


ROUTER = Backend(name="router", root="https://r/v1", protocols=("messages", "chat", "responses"), vendor="openrouter")
GPT = Backend(name="gpt", root="https://g/v1", protocols=("chat",))
FULL = {
    **CATALOGS,
    "claude": ("claude-opus-4-8", "claude-opus-5", "claude-opus-4-6-20260101", "claude-haiku-4-5", "shared"),
    "router": ("anthropic/claude-opus-5", "claude-sonnet-5", "claude-sonnet-5[1m]", "qwen/qwen3", "gpt-5:free"),
    "gpt": ("oss",),
}
EVERY = (OPENAI, CLAUDE, LOCAL, ROUTER, DEMO)
ALIASES = {"Fast": "openai:gpt-5", "best": "opus", "gpt-5": "claude-opus-4-8", "a": "b", "b": "a", "self": "self"}
LONG = Rule(name="long", when=Condition(tokens_over=100_000), backend="local", model="llama3:8b")
ANY_CLAUDE = Rule(name="any claude", when=Condition(model="claude-*"), backend="router")
GONE = Rule(name="gone", when=Condition(model="claude-*"), backend="nowhere")
RENAME = Rule(name="rename", when=Condition(model="old-*"), model="gpt-5")
TO_OPUS = Rule(name="to opus", when=Condition(model="draft"), backend="claude", model="opus")
BY_PREFIX = Rule(name="by prefix", when=Condition(model="odd"), model="local:x:y")
EDITS = Rule(name="edits", when=Condition(protocol="messages"), edits=Edits(effort="low"))
SMALL = Rule(name="small", when=Condition(model="*haiku*"), model="opus46")
BIG = Traits({}, None, 1_000_000, None)

# What is configured, the request, and what comes of it: backend, name sent, the step that found the backend, and the
# alias and the rule that were used.
GOLDEN = [
    # 0: forced
    ({"model": "qwen/qwen3"}, "claude-opus-5", ("router", "qwen/qwen3", "catalog", "", "")),
    ({"model": "openai:gpt-5"}, "claude-opus-5", ("openai", "gpt-5", "prefix", "", "")),
    ({"model": "best"}, "gpt-oss", ("claude", "claude-opus-5", "catalog", "best", "")),
    ({"model": "opus"}, "gpt-oss", ("claude", "claude-opus-5", "catalog", "opus", "")),
    ({"model": "qwen/qwen3"}, "claude-haiku-4-5", ("router", "qwen/qwen3", "catalog", "", "")),
    ({"model": "qwen/qwen3", "fast_model": "gpt-oss"}, "claude-haiku-4-5", ("local", "gpt-oss", "catalog", "", "")),
    ({"model": "qwen/qwen3", "fast_model": "gpt-oss"}, "o4-mini", ("local", "gpt-oss", "catalog", "", "")),
    ({"model": "qwen/qwen3", "fast_model": "gpt-oss"}, "haiku45", ("local", "gpt-oss", "catalog", "", "")),
    ({"model": "qwen/qwen3", "fast_model": "gpt-oss"}, "gemini-2.5-pro", ("router", "qwen/qwen3", "catalog", "", "")),
    ({"fast_model": "gpt-oss"}, "claude:haiku[1m]", ("local", "gpt-oss", "catalog", "", "")),
    ({"fast_model": "gpt-oss"}, "claude-opus-5", ("claude", "claude-opus-5", "catalog", "", "")),
    # 1: aliases in any case, one step, before real names
    ({}, "FAST", ("openai", "gpt-5", "prefix", "FAST", "")),
    ({}, "gpt-5", ("claude", "claude-opus-4-8", "catalog", "gpt-5", "")),
    ({}, "best", ("claude", "claude-opus-5", "catalog", "best", "")),
    ({"default": "local"}, "a", ("local", "b", "default", "a", "")),
    ({"default": "local"}, "b", ("local", "a", "default", "b", "")),
    ({"default": "local"}, "self", ("local", "self", "default", "self", "")),
    # 1: shortcuts and pins
    ({}, "opus", ("claude", "claude-opus-5", "catalog", "opus", "")),
    ({}, "Opus[1m]", ("claude", "claude-opus-5", "catalog", "Opus[1m]", "")),
    ({}, "sonnet[1m]", ("router", "claude-sonnet-5[1m]", "catalog", "sonnet[1m]", "")),
    ({}, "sonnet", ("router", "claude-sonnet-5", "catalog", "sonnet", "")),
    ({}, "opus46", ("claude", "claude-opus-4-6-20260101", "catalog", "opus46", "")),
    ({}, "opus48[1m]", ("claude", "claude-opus-4-8", "catalog", "opus48[1m]", "")),
    ({"default": "local"}, "opus47", ("local", "opus47", "default", "", "")),
    ({}, "claude-opus-5[1m]", ("claude", "claude-opus-5", "catalog", "", "")),
    ({}, "claude-opus-99[1m]", ("claude", "claude-opus-99", "family", "", "")),
    ({"default": "local"}, "mystery[1m]", ("local", "mystery[1m]", "default", "", "")),
    # 2: prefixes, in any case; `claude:` is the Anthropic backend
    ({}, "Router:anything:x", ("router", "anything:x", "prefix", "", "")),
    ({}, "router:opus", ("router", "anthropic/claude-opus-5", "prefix", "", "")),
    ({}, "router:sonnet[1m]", ("router", "claude-sonnet-5[1m]", "prefix", "", "")),
    ({}, "claude:claude-opus-5[1m]", ("claude", "claude-opus-5", "prefix", "", "")),
    ({}, "local:mystery[1m]", ("local", "mystery[1m]", "prefix", "", "")),
    ({}, "openai:opus", ("openai", "opus", "prefix", "", "")),
    ({"routes": [ANY_CLAUDE]}, "claude:claude-opus-5", ("claude", "claude-opus-5", "prefix", "", "")),
    # 3: rules, the first that applies
    ({"routes": [LONG, ANY_CLAUDE]}, "claude-opus-5", ("router", "claude-opus-5", "rule", "", "any claude")),
    ({"routes": [LONG, ANY_CLAUDE], "traits": BIG}, "claude-opus-5", ("local", "llama3:8b", "rule", "", "long")),
    ({"routes": [ANY_CLAUDE]}, "CLAUDE-X", ("router", "CLAUDE-X", "rule", "", "any claude")),
    ({"routes": [ANY_CLAUDE]}, "best", ("router", "claude-opus-5", "rule", "best", "any claude")),
    ({"routes": [GONE, ANY_CLAUDE]}, "claude-opus-5", ("router", "claude-opus-5", "rule", "", "any claude")),
    ({"routes": [GONE]}, "claude-opus-5", ("claude", "claude-opus-5", "catalog", "", "")),
    ({"routes": [RENAME]}, "old-1", ("openai", "gpt-5", "catalog", "", "rename")),
    ({"routes": [TO_OPUS]}, "draft", ("claude", "claude-opus-5", "rule", "", "to opus")),
    ({"routes": [BY_PREFIX]}, "odd", ("local", "x:y", "prefix", "", "by prefix")),
    ({"routes": [SMALL]}, "claude-haiku-4-5", ("claude", "claude-opus-4-6-20260101", "catalog", "", "small")),
    ({"routes": [EDITS]}, "gpt-oss", ("local", "gpt-oss", "catalog", "", "edits")),
    # a rule does not rename what is forced; one that only says where, or edits, still applies
    ({"routes": [RENAME], "model": "old-1", "default": "local"}, "x", ("local", "old-1", "default", "", "")),
    ({"routes": [ANY_CLAUDE], "model": "claude-opus-5"}, "x", ("router", "claude-opus-5", "rule", "", "any claude")),
    # a backend named like a family
    ({"backends": (OPENAI, GPT)}, "gpt:5", ("gpt", "5", "prefix", "", "")),
    ({"backends": (OPENAI, GPT)}, "gpt-7", ("openai", "gpt-7", "family", "", "")),
    ({"backends": (LOCAL, Backend(name="llama3", root="http://x/v1", protocols=("chat",)))}, "llama3:8b",
     ("llama3", "8b", "prefix", "", "")),
]  # fmt: skip


def full_table(*, backends=EVERY, aliases=ALIASES, **options):
    options.pop("traits", None)
    return Table(backends, FULL, FAMILIES, options.pop("default", None), aliases=aliases, **options)


@pytest.mark.parametrize(("given_options", "model", "wanted"), GOLDEN)
def test_the_golden_rows(given_options, model, wanted):
    """Every step and tie; the same with a trace, whose last word is the step that decided."""
    facts = Facts("messages", model, stream=False, generates=True)
    traits = given_options.get("traits", NO_TRAITS)
    found = decide(facts, full_table(**given_options), traits)
    assert (found.backend.name, found.model, found.why, found.alias, found.rule) == wanted
    assert found.renamed == (found.model != model)
    trace = []
    assert decide(facts, full_table(**given_options), traits, trace) == found
    assert any(step.took and step.step == found.why for step in trace) or found.rule
    assert [step.rule for step in trace if step.step == "rule" and step.took] == ([found.rule] if found.rule else [])


def test_only_text_generation_is_forced():
    """Counting tokens, embeddings and lists keep their model."""
    forced = full_table(model="gpt-oss", fast_model="gpt-oss", aliases={})
    facts = Facts("messages", "claude-opus-5", stream=False)
    assert decide(facts, forced).model == "claude-opus-5"
    assert decide(Facts(None, None, stream=False, generates=True), table(OPENAI)).model is None


def test_a_listed_name_is_no_shortcut():
    """Someone's own model may be called opus; the user's alias still comes before it."""
    listed = {"local": ("opus", "sonnet46"), "claude": ("claude-opus-5", "claude-sonnet-4-6")}
    facts = Facts("chat", "opus", stream=False)
    assert decide(facts, Table((LOCAL, CLAUDE), listed, FAMILIES)).model == "opus"
    assert decide(facts, Table((LOCAL, CLAUDE), listed, FAMILIES, aliases={"OPUS": "claude-opus-5"})).alias == "opus"
    pinned = Facts("chat", "sonnet46", stream=False)
    assert decide(pinned, Table((LOCAL, CLAUDE), listed, FAMILIES)).backend is LOCAL


def test_claude_is_the_anthropic_backend():
    """The one of that name, else the first of that vendor; a backend called claude is itself."""
    named = Backend(name="anthropic", root="https://a/v1", protocols=("messages",), vendor="anthropic")
    other = Backend(name="work", root="https://w/v1", protocols=("messages",), vendor="anthropic")
    own = Backend(name="claude", root="https://o/v1", protocols=("chat",))
    facts = Facts("messages", "claude:m", stream=False)
    for backends, wanted in (((other, named), named), ((other,), other), ((named, own), own)):
        assert decide(facts, Table(backends, {}, FAMILIES)).backend is wanted
    with pytest.raises(UnknownModel):
        decide(facts, Table((OPENAI,), {}, FAMILIES))


def test_a_rule_carries_its_edits():
    """And nothing when it has none, so that a body need not be looked at."""
    facts = Facts("messages", "gpt-oss", stream=False)
    assert decide(facts, full_table(routes=[EDITS])).edits == Edits(effort="low")
    assert decide(Facts("messages", "old-1", stream=False), full_table(routes=[RENAME])).edits is None


def test_what_hangs_on_catalogs_floats():
    """A shortcut may mean another model once all catalogs are read, wherever it stands; a name does not."""
    rule = Rule(name="r", when=Condition(model="draft"), model="opus")
    for model, floats in [("opus", True), ("best", True), ("claude:opus", True), ("draft", True), ("opus99", True),
                          ("claude-opus-5", False), ("claude:x", False), ("Fast", False)]:  # fmt: skip
        facts = Facts("messages", model, stream=False)
        assert decide(facts, full_table(routes=[rule], default="local")).floats is floats, model


def test_the_trace_says_why():
    """Each step that was looked at, in order, with its reason; rules behind the winner are not looked at."""
    trace = []
    rules = [LONG, GONE, ANY_CLAUDE, EDITS]
    decide(Facts("messages", "opus", stream=False), full_table(routes=rules), trace=trace)
    assert [(step.step, step.took, step.text, step.rule) for step in trace] == [
        ("alias", False, "none", ""),
        ("shortcut", True, "opus → claude-opus-5", ""),
        ("prefix", False, "none", ""),
        ("rule", False, "needs > 100k tokens", "long"),
        ("rule", False, "applies, but its backend nowhere is not configured or disabled", "gone"),
        ("rule", True, "to router", "any claude"),
        ("rule", False, "not looked at", "edits"),
    ]
    trace = []
    with pytest.raises(UnknownModel):
        decide(Facts("messages", "what:ever", stream=False, generates=True), full_table(fast_model="x"), trace=trace)
    assert [(step.step, step.took, step.text) for step in trace] == [
        ("forced", False, "this tier is left alone"),
        ("alias", False, "none"),
        ("prefix", False, "no backend is named what"),
        ("catalog", False, "no catalog lists what:ever"),
        ("family", False, "no backend's vendor names its models so"),
        ("default", False, "none is set"),
    ]


def test_a_prefix_comes_before_rules():
    """The trace says so: rules were not looked at."""
    trace = []
    decide(Facts("messages", "local:m", stream=False), full_table(routes=[ANY_CLAUDE]), trace=trace)
    assert [(step.step, step.took, step.text) for step in trace] == [
        ("alias", False, "none"),
        ("prefix", True, "local: is the backend local"),
        ("rule", False, "not looked at"),
    ]


def test_a_name_that_stands_for_nothing():
    """The 404 names both, and for a shortcut the family's newest models."""
    facts = Facts("messages", "quick", stream=False)
    with pytest.raises(UnknownModel, match="'zzz', which 'quick' stands for"):
        decide(facts, full_table(aliases={"quick": "zzz"}))
    with pytest.raises(UnknownModel, match=r"'opus47'\. Nearest: claude-opus-5 \(claude\), claude-opus-4-8 \(claude\)"):
        decide(Facts("messages", "opus47", stream=False), full_table())


@pytest.mark.parametrize("model", ["[1m]", ":", "::", ":x", "x:", "[1m]:[1m]", "\u2028", "a" * 256, " ", "*", "opus:"])
def test_weird_names(model):
    """They are names like others: known to nobody, and nobody's fault."""
    with pytest.raises((UnknownModel, BadRequest)):
        decide(Facts("messages", model, stream=False, generates=True), full_table(routes=[LONG, RENAME, SMALL]))


def test_a_table_is_built_in_no_time():
    """2,000 models of 10 backends and 20 rules: a reload and each catalog build one; generous for a busy machine."""
    backends = [Backend(name=f"b{n}", root="https://h/v1", protocols=("chat",), vendor="openai") for n in range(10)]
    catalogs = {
        one.name: [f"claude-opus-{n % 9}-{n}" if n % 2 else f"org/model-{n}" for n in range(200)] for one in backends
    }
    rules = [Rule(name=str(n), when=Condition(model=f"*{n}*x", images=True), backend="b1") for n in range(20)]
    began = time.perf_counter()
    Table(backends, catalogs, FAMILIES, "b1", ALIASES, rules)
    assert time.perf_counter() - began < 0.25


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


@settings(max_examples=300, deadline=None)
@given(TABLES, PROTOCOLS, st.none() | MODELS, st.sampled_from(NAMES))
def test_only_a_backend_of_the_table_is_picked(given_table, protocol, model, prefix):
    """Catalogs and defaults may name backends that are gone: none of them serves, and nothing else is raised."""
    name = model if model is None or protocol is None else f"{prefix}:{model}"
    try:
        found = decide(Facts(protocol, name, stream=False, generates=True), given_table)
    except (BadRequest, UnknownModel):
        return
    assert found.backend in given_table.backends
    assert (found.model is None) == (name is None)
    trace = []
    assert decide(Facts(protocol, name, stream=False, generates=True), given_table, trace=trace) == found
    assert sum(step.took for step in trace) >= 1


@settings(max_examples=300, deadline=None)
@given(TABLES, PROTOCOLS, st.text(min_size=1, max_size=5) | MODELS.filter(bool), st.sampled_from(NAMES))
def test_a_backend_s_own_prefix_always_wins(given_table, protocol, rest, prefix):
    """Whatever the catalogs list under the whole name."""
    listed = Table(given_table.backends, {name: [f"{prefix}:{rest}"] for name in NAMES}, FAMILIES, given_table.default)
    if prefix not in listed.named:
        return
    found = decide(Facts(protocol, f"{prefix}:{rest}", stream=False), listed)
    assert (found.backend.name, found.model, found.why) == (prefix, rest, "prefix")
