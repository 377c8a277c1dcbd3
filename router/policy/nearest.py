"""The words of a 404: what is configured, and which names look alike."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from router.backends import Backend

_NEAREST = 3


def unknown_text(model: str, owners: Mapping[str, tuple[Backend, ...]], backends: Sequence[Backend]) -> str:
    """Why a model is served by none."""
    nearest = ", ".join(f"{name} ({owners[name][0].name})" for name in nearest_names(model, owners))
    hint = f" Nearest: {nearest}." if nearest else ""
    return f"No backend serves the model '{model}'.{hint}{configured(backends)}"


def nearest_names(model: str, names: Iterable[str]) -> list[str]:
    """Up to three names that look like `model`, the closest first, capitals aside."""
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.lower(), name)
    found = difflib.get_close_matches(model.lower(), lowered, n=_NEAREST, cutoff=0.6)
    return [lowered[name] for name in found]


def configured(backends: Sequence[Backend]) -> str:
    """The configured backends, and how to add one."""
    return f" Configured backends: {names_of(backends) or 'none'}. Add one: fairlead backend add NAME"


def names_of(backends: Iterable[Backend]) -> str:
    """Their names in a row."""
    return ", ".join(backend.name for backend in backends)
