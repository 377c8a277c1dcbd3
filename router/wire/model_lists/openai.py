"""OpenAI's list of models."""

from collections.abc import Callable, Sequence

from router.wire.model_lists.listed import ListedModel
from router.wire.raw.json.json_values import Json


def entry(model: ListedModel) -> Json:
    """One model of OpenAI's list, with the fields that other providers of this form have for what is known of it."""
    found: Json = {"id": model.name, "object": "model", "created": model.created or 0, "owned_by": model.owner}
    window = model.window or model.max_input
    for name, value in (
        ("name", model.label),
        ("description", model.description or None),
        ("context_length", window),
        ("context_window", window),
        ("max_input_tokens", model.max_input),
        ("max_output_tokens", model.max_output),
        ("input_modalities", model.modalities),
        ("supported_efforts", model.efforts),
        ("shutdown_date", model.retires),
    ):
        if value is not None:
            found[name] = value
    return found


def page(names: Sequence[str], describe: Callable[[Sequence[str]], list[ListedModel]], query: str) -> Json:
    """OpenAI's list of models, which has no pages. describe: what is known of some of the models."""
    return {"object": "list", "data": [entry(model) for model in describe(names)]}
