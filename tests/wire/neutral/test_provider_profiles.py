"""Providers' habits as data, and what Claude models take by their names."""

import pytest

from router.backends.known import KNOWN
from router.settings.tables import BACKENDS
from router.wire.neutral.provider_profiles import find_claude, find_profile

PROFILES = {name for name, entry in KNOWN.items() if entry.profile is not None}


def test_every_chat_provider_has_a_profile():
    """And none has one needlessly: of the others only Perplexity, which reports its own charge."""
    speaking = {name for name, entry in KNOWN.items() if "chat" in entry.protocols}
    assert PROFILES - speaking == {"perplexity"}
    assert speaking <= PROFILES
    (choice,) = [entry.kind for entry in BACKENDS if entry.key == "translate_as"]
    assert {name for name in KNOWN if choice.expected.find(name) >= 0} == PROFILES


@pytest.mark.parametrize(
    ("vendor", "model", "reasoning", "sampling", "stops"),
    [
        ("openai", "gpt-4o", "none", True, 4),
        ("openai", "gpt-5-mini", "reasoning_effort", False, 0),
        ("openai", "o3", "reasoning_effort", False, 0),
        ("openai", "gpt-5-chat-latest", "reasoning_effort", True, 4),
        ("groq", "llama-3.3-70b", "none", True, 4),
        ("groq", "openai/gpt-oss-120b", "reasoning_effort", True, 4),
        ("unknown", "x", "none", True, 4),
    ],
)
def test_habits_towards_a_model(vendor, model, reasoning, sampling, stops):
    """Reasoning, sampling and stop sequences only where the model takes them."""
    found = find_profile(vendor, model)
    assert (found.reasoning, "temperature" in found.sampling, found.stop_max) == (reasoning, sampling, stops)


@pytest.mark.parametrize(
    ("model", "adaptive", "sampling", "inline", "prefill"),
    [
        ("claude-3-5-sonnet-20241022", False, True, False, True),
        ("claude-3-opus-20240229", False, True, False, True),
        ("claude-sonnet-4-20250514", False, True, False, True),
        ("claude-sonnet-4-5-20250929", False, True, False, True),
        ("anthropic/claude-sonnet-4.6", True, True, False, False),
        ("claude-opus-4-7", True, False, False, False),
        ("claude-opus-4-8", True, False, True, False),
        ("claude-sonnet-5", True, False, False, False),
        ("claude-sonnet-5-5", True, False, True, False),
        ("claude-opus-5", True, False, True, False),
        ("llama3", False, True, False, True),
    ],
)
def test_models_of_claude(model, adaptive, sampling, inline, prefill):
    """Told from the name; of an unknown one little is assumed."""
    found = find_claude(model)
    assert (found.adaptive, found.sampling, found.inline_system, found.prefill) == (adaptive, sampling, inline, prefill)
