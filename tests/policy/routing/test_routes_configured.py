"""Routes of a full configuration: forced models, aliases, shortcuts, prefixes and rules."""

import re

import msgspec
import pytest

from router.backends import Backend
from router.errors import BadRequest, UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.request_traits import NO_TRAITS, RequestTraits
from router.policy.routing.routes import Table, decide
from router.settings.tables import Condition, Edits, Rule

from .tables import (
    ANY_CLAUDE,
    BY_PREFIX,
    CLAUDE,
    EDITS,
    FAMILIES,
    GONE,
    GPT,
    LOCAL,
    LONG,
    OPENAI,
    RENAME,
    ROUTER,
    SMALL,
    TO_OPUS,
    full_table,
    table,
)

NO_CLAUDE = (OPENAI, LOCAL, ROUTER)
BIG = RequestTraits({}, None, 1_000_000, None)

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
    ({"backends": NO_CLAUDE}, "sonnet[1m]", ("router", "claude-sonnet-5[1m]", "catalog", "sonnet[1m]", "")),
    ({"backends": NO_CLAUDE}, "sonnet", ("router", "claude-sonnet-5", "catalog", "sonnet", "")),
    ({"default": "local"}, "sonnet", ("local", "sonnet", "default", "", "")),
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
    # Wrappers write it in any case, and add it to a name that has it.
    ({}, "claude-opus-5[1M][1m]", ("claude", "claude-opus-5", "catalog", "", "")),
    ({}, "claude-opus-5[1m][1m][1M]", ("claude", "claude-opus-5", "catalog", "", "")),
    ({}, "claude-opus-99[1M][1m]", ("claude", "claude-opus-99", "family", "", "")),
    ({}, "claude:claude-opus-5[1M][1m]", ("claude", "claude-opus-5", "prefix", "", "")),
    ({}, "opus[1M][1m]", ("claude", "claude-opus-5", "catalog", "opus[1M][1m]", "")),
    ({}, "opus48[1m][1m]", ("claude", "claude-opus-4-8", "catalog", "opus48[1m][1m]", "")),
    ({}, "claude-sonnet-5[1M][1m]", ("claude", "claude-sonnet-5", "family", "", "")),
    ({"backends": NO_CLAUDE}, "claude-sonnet-5[1M][1m]", ("router", "claude-sonnet-5[1m]", "catalog", "", "")),
    ({}, "router:claude-sonnet-5[1M]", ("router", "claude-sonnet-5[1m]", "prefix", "", "")),
    ({"default": "local"}, "mystery[1M][1m]", ("local", "mystery[1M][1m]", "default", "", "")),
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


@pytest.mark.parametrize(("given_options", "model", "wanted"), GOLDEN)
def test_the_golden_rows(given_options, model, wanted):
    """Every step and tie; the same with a trace, whose last word is the step that decided."""
    facts = RoutingFacts("messages", model, stream=False, generates=True)
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
    facts = RoutingFacts("messages", "claude-opus-5", stream=False)
    assert decide(facts, forced).model == "claude-opus-5"
    assert decide(RoutingFacts(None, None, stream=False, generates=True), table(OPENAI)).model is None


def test_a_listed_name_is_no_shortcut():
    """Someone's own model may be called opus; the user's alias still comes before it, and the vendor's own backend."""
    listed = {"local": ("opus", "sonnet46"), "router": ("claude-opus-5",), "claude": ("claude-opus-5",)}
    facts = RoutingFacts("chat", "opus", stream=False)
    both = (LOCAL, ROUTER)
    assert decide(facts, Table(both, listed, FAMILIES)).model == "opus"
    assert decide(facts, Table(both, listed, FAMILIES, aliases={"OPUS": "claude-opus-5"})).alias == "opus"
    pinned = RoutingFacts("chat", "sonnet46", stream=False)
    assert decide(pinned, Table(both, listed, FAMILIES)).backend is LOCAL
    vendors = decide(facts, Table((*both, CLAUDE), listed, FAMILIES))
    assert (vendors.backend, vendors.model) == (CLAUDE, "claude-opus-5")


def test_claude_is_the_anthropic_backend():
    """The one of that name, else the first of that vendor; a backend called claude is itself."""
    named = Backend(name="anthropic", root="https://a/v1", protocols=("messages",), vendor="anthropic")
    other = Backend(name="work", root="https://w/v1", protocols=("messages",), vendor="anthropic")
    own = Backend(name="claude", root="https://o/v1", protocols=("chat",))
    facts = RoutingFacts("messages", "claude:m", stream=False)
    for backends, wanted in (((other, named), named), ((other,), other), ((named, own), own)):
        assert decide(facts, Table(backends, {}, FAMILIES)).backend is wanted
    with pytest.raises(UnknownModel):
        decide(facts, Table((OPENAI,), {}, FAMILIES))


def test_a_rule_carries_its_edits():
    """And nothing when it has none, so that a body need not be looked at."""
    facts = RoutingFacts("messages", "gpt-oss", stream=False)
    assert decide(facts, full_table(routes=[EDITS])).edits == Edits(effort="low")
    assert decide(RoutingFacts("messages", "old-1", stream=False), full_table(routes=[RENAME])).edits is None


def test_what_hangs_on_catalogs_floats():
    """A shortcut may mean another model once all catalogs are read, wherever it stands; a name does not."""
    rule = Rule(name="r", when=Condition(model="draft"), model="opus")
    for model, floats in [("opus", True), ("best", True), ("claude:opus", True), ("draft", True), ("opus99", True),
                          ("claude-opus-5", False), ("claude:x", False), ("Fast", False)]:  # fmt: skip
        facts = RoutingFacts("messages", model, stream=False)
        assert decide(facts, full_table(routes=[rule], default="local")).floats is floats, model


def test_a_name_that_stands_for_nothing():
    """The 404 names both, and for a shortcut the family's newest models."""
    facts = RoutingFacts("messages", "quick", stream=False)
    with pytest.raises(UnknownModel, match="'zzz', which 'quick' stands for"):
        decide(facts, full_table(aliases={"quick": "zzz"}))
    with pytest.raises(UnknownModel, match=r"'opus47'\. Nearest: claude-opus-5 \(claude\), claude-opus-4-8 \(claude\)"):
        decide(RoutingFacts("messages", "opus47", stream=False), full_table())


@pytest.mark.parametrize("model", ["[1m]", ":", "::", ":x", "x:", "[1m]:[1m]", "\u2028", "a" * 256, " ", "*", "opus:"])
def test_weird_names(model):
    """They are names like others: no backend lists them, and they break nothing."""
    with pytest.raises((UnknownModel, BadRequest)):
        decide(RoutingFacts("messages", model, stream=False, generates=True), full_table(routes=[LONG, RENAME, SMALL]))


def auxiliary(model, backends, catalogs, request_class="auxiliary", trace=None, **options):
    """The route of a request that Claude Code makes by itself."""
    traits = RequestTraits({b"x-claude-code-request-class": request_class.encode()}, "messages", 0, None)
    known = Table(backends, catalogs, FAMILIES, **options)
    facts = RoutingFacts("messages", model, stream=False, generates=True)
    # Twice, as what is decided by the name alone is remembered.
    found = [decide(facts, known, traits, trace) for _ in range(2)]
    assert found[0] == found[1]
    return found[0].backend.name, found[0].model, found[0].note_renaming()


def test_a_model_of_the_tools_own_choice_has_a_relative():
    """Claude Code asks for names that nobody configured, and denies actions without an answer: another model of the
    family serves them, by catalogs or by the user's alias, and it is said."""
    catalogs = {"router": ("anthropic/claude-sonnet-4.6", "anthropic/claude-sonnet-4.5", "qwen/qwen3"), "gpt": ("oss",)}
    said = "model renamed by shortcut sonnet, as the tool itself asks for claude-sonnet-5"
    assert auxiliary("claude-sonnet-5", [ROUTER, GPT], catalogs) == ("router", "anthropic/claude-sonnet-4.6", said)
    assert auxiliary("claude-sonnet-5[1m]", [ROUTER], catalogs)[1] == "anthropic/claude-sonnet-4.6"
    aliased = auxiliary("claude-sonnet-5", [GPT], {"gpt": ("oss",)}, aliases={"sonnet": "gpt:oss"})
    assert aliased == ("gpt", "oss", said)
    steps = []
    auxiliary("claude-sonnet-5", [ROUTER], catalogs, trace=steps)
    assert any("asked for by the tool itself" in step.text for step in steps)


@pytest.mark.parametrize(
    ("model", "request_class"),
    [
        ("claude-sonnet-5", "main"),
        ("claude-sonnet-5", ""),
        ("claude-haiku-4-5", "auxiliary"),
        ("qwen4", "auxiliary"),
        ("sonnet", "auxiliary"),
    ],
)
def test_what_the_user_chose_has_none(model, request_class):
    """A name of the conversation's own is refused, as is one without a relative."""
    catalogs = {"router": ("anthropic/claude-sonnet-4.6",) if model != "sonnet" else ("qwen/qwen3",)}
    with pytest.raises(UnknownModel, match=re.escape(model)):
        auxiliary(model, [ROUTER], catalogs, request_class)


def test_a_name_that_is_served_needs_no_relative():
    """The default backend, or a catalog, has the name as it is."""
    catalogs = {"router": ("anthropic/claude-sonnet-4.6", "claude-sonnet-5"), "gpt": ("oss",)}
    assert auxiliary("claude-sonnet-5", [ROUTER, GPT], catalogs)[:2] == ("router", "claude-sonnet-5")
    assert auxiliary("claude-haiku-4-5", [ROUTER, GPT], catalogs, default="gpt")[:2] == ("gpt", "claude-haiku-4-5")


GEMINI = Backend(name="gemini", root="https://g/v1beta", protocols=("chat", "gemini"), vendor="gemini")
COMPATIBLE = Backend(name="google", root="https://g/v1beta/openai", protocols=("chat",), vendor="gemini")
SEARCH = RoutingFacts("gemini", "gemini-3-flash-preview", stream=False, generates=True, bound="tools[0].googleSearch")


@pytest.mark.parametrize(
    ("facts", "backends", "expected"),
    [
        (SEARCH, (CLAUDE, GEMINI), ("gemini", "gemini-3-flash-preview", "bound to the protocol")),
        (SEARCH, (CLAUDE, COMPATIBLE, GEMINI), ("gemini", "gemini-3-flash-preview", "bound to the protocol")),
        (SEARCH, (CLAUDE, COMPATIBLE), ("claude", "claude-opus-5", "catalog")),
        ({"bound": ""}, (CLAUDE, GEMINI), ("claude", "claude-opus-5", "catalog")),
        ({"model": "claude:claude-opus-5"}, (CLAUDE, GEMINI), ("claude", "claude-opus-5", "prefix")),
        ({"model": "claude-opus-5"}, (CLAUDE, GEMINI), ("claude", "claude-opus-5", "catalog")),
        ({"model": "gemini-x"}, (CLAUDE, GEMINI), ("gemini", "gemini-x", "family")),
    ],
)
def test_what_only_one_protocol_can_have(facts, backends, expected):
    """A tool that runs at the vendor goes to a backend that has it for the model that was asked for, whatever its alias
    says; not where the caller names the backend, nor where there is none."""
    if isinstance(facts, dict):
        facts = msgspec.structs.replace(SEARCH, **facts)
    families = {**FAMILIES, "gemini": (r"gemini-.*",)}
    aliases = {"gemini-3-flash-preview": "claude-opus-5"}
    found = Table(backends, {"claude": ("claude-opus-5",)}, families, aliases=aliases)
    trace = []
    for steps in (None, trace):
        route = decide(facts, found, trace=steps)
        assert (route.backend.name, route.model, route.why) == expected
    bound = [step for step in trace if step.step == "bound"]
    assert [step.took for step in bound] == ([expected[2].startswith("bound")] if bound else [])


def test_a_rule_is_passed_over_for_a_tool_of_the_vendor():
    """A rule that leads the model elsewhere is passed over too, and a forced model."""
    families = {**FAMILIES, "gemini": (r"gemini-.*",)}
    rule = Rule(name="all", when=Condition(model="gemini-*"), backend="claude", model="claude-opus-5")
    for options in ({"routes": [rule]}, {"model": "claude-opus-5"}):
        found = Table((CLAUDE, GEMINI), {"claude": ("claude-opus-5",)}, families, **options)
        assert decide(SEARCH, found).backend is GEMINI
        assert decide(msgspec.structs.replace(SEARCH, bound=""), found).backend is CLAUDE
