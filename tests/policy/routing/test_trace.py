"""The trace of a decision lists what it looked at, step by step, in order, with the reasons."""

import pytest

from router.errors import UnknownModel
from router.ir import RoutingFacts
from router.policy.routing.routes import decide

from .tables import ANY_CLAUDE, EDITS, GONE, LONG, full_table


def test_the_trace_says_why():
    """Each step that was looked at, in order, with its reason; rules behind the winner are not looked at."""
    trace = []
    rules = [LONG, GONE, ANY_CLAUDE, EDITS]
    decide(RoutingFacts("messages", "opus", stream=False), full_table(routes=rules), trace=trace)
    assert [(step.step, step.took, step.text, step.rule) for step in trace] == [
        ("alias", False, "none", ""),
        ("vendor", True, "a name of claude; router would serve it by prefix, alias, rule or fallback", ""),
        ("shortcut", True, "opus → claude-opus-5", ""),
        ("prefix", False, "none", ""),
        ("rule", False, "needs > 100k tokens", "long"),
        ("rule", False, "matches, but its backend nowhere is not configured", "gone"),
        ("rule", True, "to router", "any claude"),
        ("rule", False, "not looked at", "edits"),
    ]
    trace = []
    with pytest.raises(UnknownModel):
        decide(
            RoutingFacts("messages", "what:ever", stream=False, generates=True), full_table(fast_model="x"), trace=trace
        )
    assert [(step.step, step.took, step.text) for step in trace] == [
        ("forced", False, "this tier is left alone"),
        ("alias", False, "none"),
        ("prefix", False, "no backend is named what"),
        ("catalog", False, "in no model list"),
        ("family", False, "no provider's family matches"),
        ("default", False, "no default_backend"),
    ]


def test_a_prefix_comes_before_rules():
    """The trace says so: rules were not looked at."""
    trace = []
    decide(RoutingFacts("messages", "local:m", stream=False), full_table(routes=[ANY_CLAUDE]), trace=trace)
    assert [(step.step, step.took, step.text) for step in trace] == [
        ("alias", False, "none"),
        ("prefix", True, "local: (backend local)"),
        ("rule", False, "not looked at"),
    ]
