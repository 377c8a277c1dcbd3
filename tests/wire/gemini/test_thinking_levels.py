"""How much a Gemini model is asked to think, by model and effort."""

import pytest

from router.ir import Reasoning, Request
from router.wire.gemini.models import find_model
from router.wire.gemini.requests.thinking import encode_thinking

from ..translations import context
from .test_sent_request import config, encoded

# Model, then what is sent for none, minimal, low, medium, high, xhigh and max; `!` marks a loss that is named.
LEVELS = {
    "gemini-3-pro-preview": "LOW! LOW! LOW HIGH! HIGH HIGH! HIGH!",
    "gemini-3.1-pro-preview": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.5-pro": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3-flash-preview": "MINIMAL! MINIMAL LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.1-flash-lite": "MINIMAL! MINIMAL LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.5-flash": "MINIMAL! MINIMAL LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.5-flash-lite": "MINIMAL! MINIMAL LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.6-flash": "MINIMAL! MINIMAL LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-3.7-flash": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "models/gemini-3.8-flash": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-flash-latest": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-4-argon": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-4-hydrogen": "LOW! LOW! LOW MEDIUM HIGH XHIGH XHIGH!",
    "gemini-9-quux": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "my-tuned-model": "LOW! LOW! LOW MEDIUM HIGH HIGH! HIGH!",
    "gemini-2.5-pro": "128! 512 1024 8192 24576 32768 32768",
    "gemini-2.5-flash": "0 512 1024 8192 24576 24576! 24576!",
    "google/gemini-2.5-flash-lite": "0 512 1024 8192 24576 24576! 24576!",
    "gemini-2.0-flash": "-! -! -! -! -! -! -!",
    "gemini-2.5-flash-image": "-! -! -! -! -! -! -!",
    "gemma-4-31b-it": "-! -! -! -! -! -! -!",
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def asked(model, reasoning, **fields):
    """The thinkingConfig, None without one, and whether a loss was named."""
    ctx = context("gemini", model=model, **fields)
    body, losses = encoded(model, ctx=ctx, reasoning=reasoning)
    assert losses in ([], ["reasoning=weakened"], ["reasoning=dropped"])
    return body.get("generationConfig", {}).get("thinkingConfig"), losses


def told(found, losses):
    """As in the table."""
    found = found or {}
    sent = found.get("thinkingLevel", found.get("thinkingBudget", "-"))
    return f"{sent}{'!' if losses else ''}"


@pytest.mark.parametrize("model", LEVELS)
def test_efforts(model):
    """A level, or a budget, but never both; what the model cannot do becomes the next stronger, and is named."""
    made = [told(*asked(model, Reasoning(effort=effort))) for effort in EFFORTS]
    assert " ".join(made) == LEVELS[model]


@pytest.mark.parametrize("model", LEVELS)
def test_off_is_none(model):
    """Both ways to turn thinking off are one, and thoughts are not asked for with either."""
    none = asked(model, Reasoning(effort="none"))
    assert asked(model, Reasoning(off=True)) == none
    assert asked(model, Reasoning(off=True, shown=True)) == none


@pytest.mark.parametrize(
    ("model", "budget", "wanted"),
    [
        ("gemini-2.5-pro", 100, "128!"),
        ("gemini-2.5-pro", 5000, "5000"),
        ("gemini-2.5-pro", 10**6, "32768!"),
        ("gemini-2.5-flash", 1, "1"),
        ("gemini-2.5-flash", 30_000, "24576!"),
        ("gemini-2.5-flash-lite", 100, "512!"),
        ("gemini-3-flash-preview", 1024, "LOW!"),
        ("gemini-3-flash-preview", 10_000, "MEDIUM!"),
        ("gemini-3-pro-preview", 10_000, "HIGH!"),
        ("gemini-3.8-flash", 20_000, "HIGH!"),
        ("gemini-4-hydrogen", 100_000, "XHIGH!"),
        ("gemini-2.0-flash", 1024, "-!"),
    ],
)
def test_budgets(model, budget, wanted):
    """A budget is kept within the bounds of the model; since version 3 it becomes a level."""
    assert told(*asked(model, Reasoning(budget=budget))) == wanted


def test_budget_is_exact_where_both_are_given():
    """A budget says more than an effort, where the model takes one."""
    assert told(*asked("gemini-2.5-pro", Reasoning(effort="low", budget=3000))) == "3000"
    assert told(*asked("gemini-3.8-flash", Reasoning(effort="low", budget=30_000))) == "LOW"


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-3.8-flash"])
def test_thoughts_to_read(model):
    """Thoughts are asked for where the caller wants to read them, and how much to think is then not said."""
    assert asked(model, Reasoning(shown=True)) == ({"includeThoughts": True}, [])
    found, _ = asked(model, Reasoning(effort="high", shown=True))
    assert found["includeThoughts"] is True
    assert len(found) == 2


def test_nothing_asked():
    """A request that says nothing of thinking says nothing of it to Gemini."""
    assert config("gemini-3.8-flash") == (None, [])
    assert config("gemini-2.0-flash", reasoning=Reasoning()) == (None, [])


@pytest.mark.parametrize(
    ("model", "efforts", "effort", "wanted"),
    [
        # What is known of the model narrows the levels of its name.
        ("gemini-3.6-flash", ("low", "medium", "high"), "minimal", "LOW!"),
        # It does not widen them: another level would be refused.
        ("gemini-3.8-flash", ("minimal", "low", "medium", "high"), "minimal", "LOW!"),
        # Of a name that says nothing it tells all.
        ("gemini-4-neon", ("low", "medium", "high", "xhigh"), "max", "XHIGH!"),
        ("gemini-robotics-er-2-preview", ("minimal", "low", "medium", "high"), "minimal", "MINIMAL"),
        ("gemini-9-quux", (), "high", "-!"),
        ("gemini-3.8-flash", ("none", "max"), "high", "HIGH"),
        ("gemini-2.5-pro", ("low",), "high", "24576"),
    ],
)
def test_efforts_that_are_known(model, efforts, effort, wanted):
    """What the backend's list or the user says of a model's efforts counts as far as it cannot do harm."""
    body, losses = encoded_unchecked(model, efforts, Reasoning(effort=effort))
    assert told(body, losses) == wanted


def encoded_unchecked(model, efforts, reasoning):
    """As `asked`, without the check of the levels by the name alone."""

    ctx = context("gemini", model=model, efforts=efforts)
    found = encode_thinking(Request(model=model, turns=(), reasoning=reasoning), find_model(model), ctx)
    return found, ctx.losses
