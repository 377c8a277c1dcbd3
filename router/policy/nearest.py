"""The words of a 404: what is configured, and which names look alike."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from router.backends import Backend

NEAREST = 3


def unknown_text(
    asked: str, model: str, near: Iterable[str], owners: Mapping[str, tuple[Backend, ...]], backends: Sequence[Backend]
) -> str:
    """Why a model is served by none. asked: the caller's name for it. near: names that may have been meant."""
    stands = f", which '{asked}' stands for" if asked != model else ""
    nearest = ", ".join(f"{name} ({owners[name][0].name})" for name in near)
    hint = f" Nearest: {nearest}." if nearest else ""
    return f"No backend serves the model '{model}'{stands}.{hint}{configured(backends)}"


def nearest_names(model: str, names: Iterable[str]) -> list[str]:
    """Up to three names that look like `model`, the closest first, capitals aside."""
    lowered: dict[str, str] = {}
    for name in names:
        lowered.setdefault(name.lower(), name)
    found = difflib.get_close_matches(model.lower(), lowered, n=NEAREST, cutoff=0.6)
    return [lowered[name] for name in found]


def configured(backends: Sequence[Backend]) -> str:
    """The configured backends, and how to add one."""
    return f" Configured backends: {names_of(backends) or 'none'}. Add one: fairlead backend add NAME"


def names_of(backends: Iterable[Backend]) -> str:
    """Their names in a row."""
    return ", ".join(backend.name for backend in backends)
