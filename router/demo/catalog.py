"""The list of models, in OpenAI's or Anthropic's shape."""

from router.backends.profile import EFFORTS
from router.demo.script import CREATED, FULL, MODELS, WINDOW
from router.errors import UnknownModel

# What demo-full says of itself; the others have no limits. Clients skip fields that they do not know.
_LIMITS: dict[str, object] = {
    "context_window": WINDOW,
    "max_input_tokens": WINDOW,
    "max_tokens": WINDOW,
    "max_output_tokens": WINDOW,
    "input_modalities": ["text", "image", "file", "audio"],
    "supported_efforts": list(EFFORTS),
}


def model_list(*, anthropic: bool) -> object:
    """The answer of GET /v1/models; all models are on its one page."""
    data = [_make_entry(name, anthropic=anthropic) for name in MODELS]
    if anthropic:
        return {"data": data, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    return {"object": "list", "data": data}


def model_info(name: str, *, anthropic: bool) -> object:
    """The answer of GET /v1/models/ID; raises UnknownModel."""
    if name not in MODELS:
        raise UnknownModel(f"The demo backend has no model '{name[:200]}'.")
    return _make_entry(name, anthropic=anthropic)


def _make_entry(name: str, *, anthropic: bool) -> object:
    limits = _LIMITS if name == FULL else {}
    if anthropic:
        return {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "2026-01-01T00:00:00Z",
            "lifecycle": "active",
            **limits,
        }
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "fairlead", **limits}
