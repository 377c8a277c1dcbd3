"""Requests that name an id go to the backend that issued it (product.md 6): it means nothing to any other."""

from collections.abc import Mapping

from router.backends import Backend
from router.errors import NotFound


def owner_of(name: str | None, named: Mapping[str, Backend]) -> Backend | None:
    """The backend that issued an id; name: as it was remembered, None when there is none. named: the backends at hand.

    Raises NotFound when it is none of them.
    """
    if name is None:
        return None
    backend = named.get(name)
    if backend is None:
        raise NotFound(
            f"The request names an id that the backend {name} issued, and {name} is no longer "
            "configured or not enabled. `fairlead backend list` shows what is."
        )
    return backend
