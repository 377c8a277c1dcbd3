"""What local servers have allocated for the models they have loaded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.policy.facts.local_servers import (
    read_llamacpp,
    read_lmstudio,
    read_ollama_loaded,
    read_ollama_model,
)
from router.policy.facts.model_facts import ModelFacts

from .test_catalogs import JSON


def test_ollama_s_loaded_models():
    """GET /api/ps names them with their tag and their window."""
    found = read_ollama_loaded({"models": [{"name": "qwen3:8b", "model": "qwen3:8b", "context_length": 4096}]})
    assert {name: one.allocated for name, one in found.items()} == {"qwen3:8b": 4096}


def test_ollama_s_model():
    """POST /api/show has the trained window under the architecture's name, and what the Modelfile sets."""
    shown = {
        "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40_960},
        "capabilities": ["completion", "tools", "vision"],
        "parameters": 'stop    "<|im_end|>"\nnum_ctx                        16384',
    }
    found = read_ollama_model(shown)
    assert found.facts == ModelFacts(trained_window=40_960, modalities=("text", "image"))
    assert found.allocated == 16_384
    assert read_ollama_model({**shown, "parameters": "num_ctx lots"}).allocated is None


def test_lm_studio():
    """The smallest loaded instance counts, in both forms of the document; the model's maximum is the trained one."""
    newer = {
        "models": [
            {
                "key": "qwen/qwen3-8b",
                "display_name": "Qwen3 8B",
                "max_context_length": 32_768,
                "loaded_instances": [
                    {"id": "qwen/qwen3-8b", "config": {"context_length": 8192}},
                    {"id": "qwen/qwen3-8b:2", "config": {"context_length": 4096}},
                ],
                "capabilities": {"vision": True},
            },
            {"key": "idle", "max_context_length": 8192, "loaded_instances": []},
        ]
    }
    found = read_lmstudio(newer)
    assert found["qwen/qwen3-8b"].allocated == found["qwen/qwen3-8b:2"].allocated == 4096
    assert found["qwen/qwen3-8b"].facts == ModelFacts(
        trained_window=32_768, modalities=("text", "image"), title="Qwen3 8B"
    )
    assert (found["idle"].allocated, found["idle"].facts.window) == (None, None)
    older = {"data": [{"id": "a", "state": "loaded", "max_context_length": 8192, "loaded_context_length": 4096}]}
    assert read_lmstudio(older)["a"].allocated == 4096


def test_llama_cpp():
    """The window of a slot is what a request can have."""
    props = {"default_generation_settings": {"n_ctx": 8192}, "total_slots": 4, "modalities": {"vision": True}}
    found = read_llamacpp(props)
    assert (found.allocated, found.facts.modalities) == (8192, ("text", "image"))


@pytest.mark.parametrize("read", [read_ollama_loaded, read_ollama_model, read_lmstudio, read_llamacpp])
@given(
    JSON
    | st.fixed_dictionaries(
        {},
        optional={
            name: JSON | st.lists(st.dictionaries(st.sampled_from(["name", "key", "id", "loaded_instances"]), JSON))
            for name in ("models", "data", "model_info", "parameters", "default_generation_settings", "modalities")
        },
    )
)
def test_any_document_is_read(read, document):
    """Nothing is raised, whatever a server sends."""
    read(document)
