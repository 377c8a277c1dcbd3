"""Requests that name an id go to the backend that issued it (product.md 6): it means nothing to any other."""

from collections.abc import Mapping

from router.backends import Backend
from router.errors import NotFound
from router.ir import Facts


def owner_of(facts: Facts, named: Mapping[str, Backend]) -> Backend | None:
    """The backend that issued an id the request names; None when none is known, or when the model's prefix decides.

    The owner goes before the model's own route, and a prefix before the owner: it is the caller's word. named: the
    backends at hand by name. Raises NotFound when the owner is none of them.
    """
    if facts.owner is None:
        return None
    prefix, colon, _ = (facts.model or "").partition(":")
    if colon and prefix in named:
        return None
    backend = named.get(facts.owner)
    if backend is None:
        raise NotFound(
            f"The request names an id that the backend {facts.owner} issued, and {facts.owner} is no longer "
            "configured or not enabled. `fairlead backend list` shows what is."
        )
    return backend
