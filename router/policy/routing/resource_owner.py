"""Requests that name an id go to the backend that issued it: it means nothing to any other."""

from collections.abc import Mapping

from router.backends import Backend
from router.errors import NotFound


def find_owner(name: str | None, named: Mapping[str, Backend]) -> Backend | None:
    """The backend that issued an id the request names; None for a request without one.

    name: of the backend, as it was remembered. named: the backends there are. Raises NotFound when it is none of them.
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
