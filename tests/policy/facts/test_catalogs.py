"""Model lists of all providers are read by one table, whatever else they hold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.facts.catalogs import TEXT_LIMIT, read_entry
from router.policy.facts.model_facts import MODALITIES, TOKENS_LEAST, TOKENS_MOST, ModelFacts
from router.settings.kinds import escape_controls

# Provider -> an entry of its list as its API reference and SDK have it, and what it says.
ENTRIES = {
    "anthropic": (
        {
            "id": "claude-opus-5",
            "display_name": "Claude Opus 5",
            "created_at": "2026-06-01T00:00:00Z",
            "max_input_tokens": 1_000_000,
            "max_tokens": 128_000,
            "lifecycle": "deprecated",
            "retires_at": "2027-01-31T00:00:00Z",
            "capabilities": {
                "image_input": {"supported": True},
                "pdf_input": {"supported": False},
                "effort": {"supported": True, "low": {"supported": True}, "max": {"supported": True}},
            },
        },
        ModelFacts(
            max_input=1_000_000,
            max_output=128_000,
            modalities=("text", "image"),
            efforts=("low", "max"),
            deprecated=True,
            retires="2027-01-31",
            title="Claude Opus 5",
            created=1_780_272_000,
        ),
    ),
    "openai": (
        {
            "id": "gpt-5",
            "object": "model",
            "created": 1_754_000_000,
            "owned_by": "openai",
            "shutdown_date": 1_796_947_200,
        },
        ModelFacts(created=1_754_000_000, retires="2026-12-11"),
    ),
    "openrouter": (
        {
            "id": "a/b",
            "name": "A: B",
            "context_length": 200_000,
            "top_provider": {"context_length": 131_072, "max_completion_tokens": 8192},
            "architecture": {"input_modalities": ["image", "text", "hologram"], "output_modalities": ["text"]},
            "reasoning": {"supported_efforts": ["high", "low", "none"]},
            "expiration_date": "2026-12-31",
        },
        ModelFacts(
            window=200_000,
            max_output=8192,
            modalities=("text", "image"),
            efforts=("none", "low", "high"),
            retires="2026-12-31",
            title="A: B",
        ),
    ),
    "groq": (
        {"context_window": 131_072, "max_completion_tokens": 32_768},
        ModelFacts(window=131_072, max_output=32_768),
    ),
    "mistral": (
        {
            "max_context_length": 262_144,
            "capabilities": {"vision": True, "audio": False},
            "deprecation": "2026-11-30T12:00:00Z",
            "deprecation_replacement_model": "mistral-medium-latest",
        },
        ModelFacts(
            window=262_144, modalities=("text", "image"), retires="2026-11-30", successor="mistral-medium-latest"
        ),
    ),
    "together": (
        {"contextLength": "131072", "inputModalities": ["text"]},
        ModelFacts(window=131_072, modalities=("text",)),
    ),
    "fireworks": (
        {
            "contextLength": 163_840,
            "supportsImageInput": False,
            "deprecationDate": {"year": 2026, "month": 12, "day": 1},
            "displayName": "DeepSeek",
        },
        ModelFacts(window=163_840, modalities=("text",), retires="2026-12-01", title="DeepSeek"),
    ),
    "cerebras": (
        {"limits": {"max_context_length": 65_536, "max_completion_tokens": 8192}, "deprecated": True},
        ModelFacts(window=65_536, max_output=8192, deprecated=True),
    ),
    "gemini": (
        {
            "name": "models/gemini-3",
            "displayName": "Gemini 3",
            "inputTokenLimit": 1_048_576,
            "outputTokenLimit": 65_536,
        },
        ModelFacts(max_input=1_048_576, max_output=65_536, title="Gemini 3"),
    ),
    "xai": (
        {"max_prompt_length": 256_000, "input_modalities": ["text", "image"]},
        ModelFacts(max_input=256_000, modalities=("text", "image")),
    ),
    "llama.cpp": ({"owned_by": "llamacpp", "meta": {"n_ctx_train": 32_768}}, ModelFacts(trained_window=32_768)),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_of_each_provider(name):
    """Its fields are read, and nothing of it is refused."""
    entry, expected = ENTRIES[name]
    found = read_entry(entry)
    assert (found.facts, found.refused) == (expected, ())


def test_what_vllm_has_allocated():
    """Its `max_model_len` is no note of a vendor but what the server runs with."""
    found = read_entry({"id": "m", "owned_by": "vllm", "max_model_len": 8192})
    assert (found.allocated, found.owner, found.facts) == (8192, "vllm", ModelFacts())


@pytest.mark.parametrize(
    "value", [2**63, -1, 1, 10**30, 1e300, float("inf"), float("nan"), True, "a lot", "9" * 5000, [200_000], {"n": 1}],
    ids=["2^63", "negative", "one", "10^30", "1e300", "inf", "nan", "true", "words", "digits", "list", "object"],
)  # fmt: skip
def test_a_number_that_cannot_be_is_refused_and_named(value):
    """The rest of the entry stands."""
    found = read_entry({"context_length": value, "max_completion_tokens": 4096})
    assert found.facts == ModelFacts(max_output=4096)
    assert found.refused == ("context_length",)


@pytest.mark.parametrize("value", [0, None, 0.0])
def test_zero_means_that_it_is_not_said(value):
    """Some lists have it for models without a window; it is no defect."""
    assert read_entry({"context_length": value}) == read_entry({})


def test_the_next_place_counts_where_the_first_says_nothing():
    """OpenRouter has null for the whole and a number for its provider."""
    entry = {"context_length": None, "top_provider": {"context_length": 32_768}}
    assert read_entry(entry).facts.window == 32_768


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.sampled_from(
    ["context_length", "context_window", "top_provider", "architecture", "input_modalities", "capabilities", "limits",
     "reasoning", "lifecycle", "status", "deprecated", "retires_at", "deprecation", "created", "created_at", "name",
     "display_name", "max_model_len", "meta", "modalities", "owned_by", "max_tokens", "deprecationDate"]
)  # fmt: skip


@given(st.dictionaries(FIELDS | st.text(max_size=5), JSON, max_size=12))
def test_any_entry_gives_sound_facts(entry):
    """Whatever an entry holds, nothing is raised and every fact is within its bounds."""
    found = read_entry(entry)
    facts = found.facts
    for tokens in (facts.window, facts.max_input, facts.max_output, facts.trained_window, found.allocated):
        assert tokens is None or TOKENS_LEAST <= tokens <= TOKENS_MOST
    assert set(facts.modalities or ()) <= set(MODALITIES)
    title = facts.title
    assert title is None or (0 < len(title) <= TEXT_LIMIT * 6 and escape_controls(title) == title)
    assert facts.retires is None or len(facts.retires) == 10
    assert len(found.owner) <= TEXT_LIMIT
