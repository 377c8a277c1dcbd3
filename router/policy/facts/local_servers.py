"""Reads what servers of the user's own say of the models that they have loaded.

A local model has the window that the server allocated when it loaded it, which is often a fraction of what the model
was trained for; a longer prompt is refused or, worse, cut without a word. Until a model is loaded its window is not
known. Documents: Ollama's /api/ps and /api/show, LM Studio's /api/v1/models and /api/v0/models, llama.cpp's /props, and
`max_model_len` in vLLM's own model list (catalogs.py).

Rules of this file as in catalogs.py: nothing here raises, whatever a document holds.
"""

from collections.abc import Iterator, Mapping
from typing import cast

import msgspec

from router.policy.facts.catalogs import Listed, Reading, find_value, read_by, read_efforts, read_entry, read_tokens
from router.policy.facts.model_facts import ModelFacts

#: Entries of a document that are read.
ENTRIES = 20_000
_LMSTUDIO = (
    Reading("trained_window", ("max_context_length",), read_tokens),
    Reading("efforts", ("capabilities.reasoning.allowed_options",), read_efforts),
)
#: What Ollama calls the kinds of input beside text.
_OLLAMA_KINDS = {"vision": "image", "audio": "audio"}
_NAME_LIMIT = 256
#: Characters of the parameters of a model that are searched for `num_ctx`.
_PARAMETERS = 8192


def read_ollama_loaded(document: object) -> dict[str, Listed]:
    """By model, what GET /api/ps says of the loaded ones."""
    found: dict[str, Listed] = {}
    for entry in iter_entries(document, "models"):
        window = read_tokens(entry.get("context_length"))
        for name in _list_names(entry.get("name"), entry.get("model")):
            if isinstance(window, int):
                found[name] = Listed(ModelFacts(), window)
    return found


def read_ollama_model(document: object) -> Listed:
    """What POST /api/show says of a model, loaded or not: the trained window, and what it takes. `num_ctx` in its own
    parameters is what it will be loaded with."""
    entry = _as_object(document)
    info = _as_object(entry.get("model_info"))
    trained = next((read_tokens(value) for name, value in info.items() if name.endswith(".context_length")), None)
    facts = ModelFacts(trained_window=trained if isinstance(trained, int) else None)
    kinds = entry.get("capabilities")
    if isinstance(kinds, list):
        words = {word for word in cast("list[object]", kinds)[:64] if isinstance(word, str)}
        modalities = ("text", *(kind for word, kind in _OLLAMA_KINDS.items() if word in words))
        facts = msgspec.structs.replace(facts, modalities=modalities)
    return Listed(facts, _find_num_ctx(entry.get("parameters")))


def _find_num_ctx(parameters: object) -> int | None:
    if not isinstance(parameters, str):
        return None
    for line in parameters[:_PARAMETERS].splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "num_ctx":
            found = read_tokens(value.strip())
            return found if isinstance(found, int) else None
    return None


def read_lmstudio(document: object) -> dict[str, Listed]:
    """By model, what LM Studio's /api/v1/models or the older /api/v0/models says. Of several loaded instances the
    smallest window counts, since any of them may serve."""
    found: dict[str, Listed] = {}
    for entry in (*iter_entries(document, "models"), *iter_entries(document, "data")):
        windows = [read_tokens(entry.get("loaded_context_length"))]
        names = [entry.get("key"), entry.get("id")]
        for instance in iter_entries(entry, "loaded_instances"):
            windows.append(read_tokens(find_value(instance, "config.context_length")))
            names.append(instance.get("id"))
        known = [window for window in windows if isinstance(window, int)]
        own = read_by(_LMSTUDIO, entry)
        general = read_entry({name: value for name, value in entry.items() if name != "max_context_length"})
        facts = msgspec.structs.replace(
            own.facts, modalities=general.facts.modalities, title=general.facts.title, window=None
        )
        for name in _list_names(*names):
            found[name] = Listed(facts, min(known, default=None), own.refused)
    return found


def read_llamacpp(document: object) -> Listed:
    """What llama.cpp's /props says of the one model that it serves; its window is that of one slot."""
    window = read_tokens(find_value(_as_object(document), "default_generation_settings.n_ctx"))
    facts = read_entry({"modalities": _as_object(document).get("modalities")}).facts
    return Listed(facts, window if isinstance(window, int) else None)


def _list_names(*values: object) -> list[str]:
    """Those of the values that may be names of models."""
    return [value for value in values if isinstance(value, str) and 0 < len(value) <= _NAME_LIMIT]


def iter_entries(document: object, field: str) -> Iterator[Mapping[str, object]]:
    """The objects of a list in a document, ENTRIES at most."""
    listed = _as_object(document).get(field)
    if isinstance(listed, list):
        for entry in cast("list[object]", listed)[:ENTRIES]:
            if isinstance(entry, dict):
                yield cast("Mapping[str, object]", entry)


def _as_object(document: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", document) if isinstance(document, dict) else {}
