"""What a rule asks: every condition given must hold, and what is lacking is said in words."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ir import RoutingFacts
from router.policy.routing.request_traits import NO_TRAITS, RequestTraits
from router.policy.routing.rules import compile_glob, prepare_rule
from router.settings.tables import Condition, Edits, Rule
from router.wire.raw.json.top_level import peek

BODY = (
    b'{"model":"m","tools":[{"name":"t"}],"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":'
    b'[{"type":"image","source":{}}]}]}'
)
HEADERS = {b"x-claude-code-session-id": b"1", b"x-app": b"cli", b"x-claude-code-request-class": b"subagent"}
FULL = RequestTraits(HEADERS, "messages", 45_000, peek(BODY))


def unmet(traits=NO_TRAITS, **when):
    facts = RoutingFacts("messages", "claude-opus-5", stream=False)
    return prepare_rule(Rule(name="r", when=Condition(**when))).unmet("claude-opus-5", facts, traits)


@pytest.mark.parametrize(
    ("when", "full", "empty"),
    [
        ({}, None, None),
        ({"protocol": "messages"}, None, None),
        ({"protocol": "chat"}, "needs protocol chat", "needs protocol chat"),
        ({"model": "CLAUDE-*"}, None, None),
        ({"model": "gpt-*"}, "needs model gpt-*", "needs model gpt-*"),
        ({"client": "Claude-Code"}, None, "needs client claude-code"),
        ({"client": "codex"}, "needs client codex", "needs client codex"),
        ({"request_class": "subagent"}, None, "needs class subagent"),
        ({"request_class": "main"}, "needs class main", "needs class main"),
        ({"tokens_over": 9_999}, None, "needs > 9,999 tokens"),
        ({"tokens_over": 10_000}, "needs > 10k tokens", "needs > 10k tokens"),
        ({"tokens_over": 0}, None, "needs > 0 tokens"),
        ({"tokens_under": 10_001}, None, None),
        ({"tokens_under": 10_000}, "needs < 10k tokens", None),
        ({"tools": True}, None, "needs tools"),
        ({"tools": False}, "needs a request without tools", None),
        ({"images": True}, None, "needs images"),
        ({"images": False}, "needs a request without images", None),
        ({"thinking": True}, None, "needs thinking"),
        ({"thinking": False}, "needs a request without thinking", None),
        ({"model": "gpt-*", "tools": True}, "needs model gpt-*", "needs model gpt-*"),
        ({"model": "claude-*", "tools": True, "tokens_over": 20_000}, "needs > 20k tokens", "needs > 20k tokens"),
    ],
)
def test_each_condition(when, full, empty):
    """Against a request that has everything, and one that has nothing."""
    assert (unmet(FULL, **when), unmet(**when)) == (full, empty)


def test_an_unknown_client_is_said():
    """A rule that can never apply says what is known."""
    assert "known are claude-code" in unmet(FULL, client="emacs")


@pytest.mark.parametrize(
    ("pattern", "name", "wanted"),
    [
        ("*", "", True),
        ("claude-*", "Claude-Opus-5", True),
        ("claude-?", "claude-55", False),
        ("*[1m]", "claude-opus-5[1m]", True),
        ("*[1m]", "claude-opus-1", False),
        ("gpt-5", "gpt-5x", False),
        ("gpt.5", "gptx5", False),
        ("*/qwen*", "org/Qwen3:8b", True),
        ("(a|b)", "a", False),
        ("é*", "ÉA", True),
    ],
)
def test_a_glob(pattern, name, wanted):
    """`*` and `?` in any case; brackets, dots and the rest are themselves."""
    assert (compile_glob(pattern).match(name) is not None) is wanted


def test_no_glob_backtracks():
    """However many stars a rule has, a name of the greatest length is read in no time."""
    match = compile_glob("*a" * 60 + "b").match
    began = time.thread_time()
    assert match("a" * 256) is None
    assert time.thread_time() - began < 0.5


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_glob(pattern, name):
    """Without stars and question marks it fits itself and, capitals aside, nothing else."""
    fits = compile_glob(pattern).match(name) is not None
    if not set(pattern) & set("*?") and len(pattern) != len(name):
        assert not fits
    assert compile_glob(pattern.replace("*", "").replace("?", "")).match(pattern.replace("*", "").replace("?", ""))


def test_only_what_costs_is_asked():
    """Rules on model and protocol need no look at the request; an empty table of edits is none."""
    assert not prepare_rule(Rule(name="r", when=Condition(model="a", protocol="chat"))).asks
    assert prepare_rule(Rule(name="r", when=Condition(client="codex"))).asks
    assert not prepare_rule(Rule(name="r", when=Condition(client="codex"))).looks_inside
    assert prepare_rule(Rule(name="r", when=Condition(images=False))).looks_inside
    assert prepare_rule(Rule(name="r")).edits is None
    assert prepare_rule(Rule(name="r", edits=Edits(effort="low"))).edits == Edits(effort="low")
