"""The list of models in the shape of each API."""

import msgspec
import pytest

from router.errors import BadRequest
from router.wire.model_lists import anthropic, codex, openai
from router.wire.model_lists.listed import ListedModel

FULL = ListedModel(
    name="a:m",
    owner="a",
    label="M (via a)",
    description="a: m",
    created=1_754_000_000,
    window=400_000,
    max_input=272_000,
    max_output=128_000,
    modalities=("text", "image", "audio"),
    efforts=("none", "low", "high", "max"),
    deprecated=True,
    retires="2026-12-11",
)
BARE = ListedModel(name="m", owner="b", label="m")
MODELS = {model.name: model for model in (FULL, BARE)}
# What codex-rs/protocol/src/openai_models.rs requires of an entry; without one of them Codex refuses the whole list.
REQUIRED = {
    *("slug", "display_name", "description", "supported_reasoning_levels", "shell_type", "visibility", "priority"),
    *("supported_in_api", "availability_nux", "upgrade", "base_instructions", "supports_reasoning_summaries"),
    *("support_verbosity", "default_verbosity", "apply_patch_tool_type", "truncation_policy"),
    *("supports_parallel_tool_calls", "experimental_supported_tools"),
}


def describe(names):
    return [MODELS[name] for name in names]


def test_anthropic_s_entry():
    """Its own fields, those of unknown facts left out; the dates in its form."""
    found = anthropic.entry(FULL)
    assert found["display_name"] == "M (via a)"
    assert (found["max_input_tokens"], found["max_tokens"]) == (272_000, 128_000)
    assert (found["created_at"], found["retires_at"]) == ("2025-07-31T22:13:20Z", "2026-12-11T00:00:00Z")
    assert found["lifecycle"] == "deprecated"
    assert found["capabilities"]["image_input"] == {"supported": True}
    assert found["capabilities"]["pdf_input"] == {"supported": False}
    assert found["capabilities"]["effort"]["max"] == {"supported": True}
    assert anthropic.entry(BARE) == {
        "type": "model",
        "id": "m",
        "display_name": "m",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
    }


def test_anthropic_s_pages():
    """Only the models of the page are described."""
    asked = []

    def note(names):
        asked.extend(names)
        return describe(names)

    page = anthropic.page([*MODELS], note, "limit=1&after_id=a:m")
    assert ([model["id"] for model in page["data"]], page["has_more"]) == (["m"], False)
    assert asked == ["m"]
    with pytest.raises(BadRequest):
        anthropic.page([*MODELS], note, "limit=0")


def test_openai_s_entry():
    """With the fields that other providers of this form have."""
    found = openai.entry(FULL)
    assert found["context_length"] == found["context_window"] == 400_000
    assert (found["max_input_tokens"], found["max_output_tokens"]) == (272_000, 128_000)
    assert found["shutdown_date"] == "2026-12-11"
    assert openai.entry(BARE) == {"id": "m", "object": "model", "created": 0, "owned_by": "b", "name": "m"}


def test_codex_s_list():
    """Every field that Codex requires, only words that it knows, and no model without a window."""
    small = msgspec.structs.replace(FULL, max_input=262_144)
    page = codex.page([*MODELS], lambda names: [small, BARE][: len(names)], "client_version=0.171.0")
    assert len(page["data"]) == 2
    [entry] = page["models"]
    assert set(entry) >= REQUIRED
    assert (entry["slug"], entry["context_window"]) == ("a:m", 262_144)
    assert [level["effort"] for level in entry["supported_reasoning_levels"]] == ["none", "low", "high"]
    assert entry["default_reasoning_level"] == "low"
    assert entry["input_modalities"] == ["text", "image"]
    assert "models" not in codex.page([*MODELS], describe, "limit=5")


@pytest.mark.parametrize(
    ("name", "window", "listed"),
    [
        ("qwen3", 271_999, True),
        ("qwen3", 272_000, False),
        ("claude-opus-5", 1_000_000, False),
        ("gpt-oss-120b", 131_072, True),
        ("openai/gpt-4o", 128_000, True),
        ("gpt-6-sol", 200_000, False),
        ("codex:gpt-5.6-sol", 200_000, False),
        ("openrouter:openai/gpt-5.5", 200_000, False),
    ],
)
def test_codex_is_told_only_what_it_has_wrong(name, window, listed):
    """An entry replaces Codex's own instructions: models that it knows, and those with at least the window that it
    assumes, are left to it."""
    model = ListedModel(name=name, owner="box", label=name, window=window)
    assert [entry["slug"] for entry in codex.list_models([model])] == [name] * listed
