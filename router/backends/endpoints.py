"""Where and how a backend is asked in each protocol: its root, its paths and its headers. No I/O.

Most providers have one root for all protocols, and the protocols' own paths. What others have instead stands in their
entries as data (`Known.endpoints`).
"""

import re

from router.backends import AUTH_HEADERS, Backend, Endpoint
from router.backends.known import KNOWN, api_of, known
from router.backends.variables import fill

#: Of providers that have the protocol's own paths.
PLAIN = Endpoint()
_VERSION = re.compile(r"/v\d{1,3}(?:(?:alpha|beta)\d{0,3})?(?=/)")


def find_endpoint(backend: Backend, protocol: str | None) -> Endpoint:
    """How a backend serves a protocol; None: a path of no protocol."""
    entry = known(backend.vendor)
    return PLAIN if entry is None or protocol is None else entry.endpoints.get(protocol, PLAIN)


def find_protocols(backend: Backend, model: str | None) -> tuple[str, ...]:
    """The protocols in which a backend serves a model; all of the backend's where that is not known, and where it gets
    the caller's own login, which is never sent along a translation."""
    entry = KNOWN.get(backend.vendor)
    if entry is None or not entry.endpoints or not model or backend.auth == "client":
        return backend.protocols
    found = tuple(name for name in backend.protocols if _serves(entry.endpoints.get(name, PLAIN), model))
    return found or backend.protocols


def _serves(endpoint: Endpoint, model: str) -> bool:
    return not endpoint.models or re.fullmatch(endpoint.models, model) is not None


def find_root(backend: Backend, protocol: str | None) -> str:
    """The root of a protocol's paths; None: of paths of no protocol."""
    return backend.roots.get(protocol or "", backend.root)


def find_key_header(backend: Backend, protocol: str | None = None) -> tuple[str, str]:
    """The header that carries a key in a protocol, as it is written, and the text before the key in it. protocol: None
    for the list of models and paths of no protocol."""
    entry = known(backend.vendor)
    form = backend.auth_header or find_endpoint(backend, protocol).auth_header
    form = form or (entry.auth_header if entry is not None else None)
    if form is not None:
        return AUTH_HEADERS[form]
    api = api_of(backend)
    return api.key_header, api.key_prefix


def list_set_headers(backend: Backend) -> dict[str, str]:
    """The headers that a backend's provider needs with every request, by lower-case name."""
    entry = known(backend.vendor)
    found = entry.set_headers if entry is not None else ()
    return {name: value for name, template in found if (value := fill(template, backend.variables))}


def below_version(path: str) -> str:
    """A protocol's path below its version, which a root has where the provider has it: /v1/messages -> /messages."""
    if path.startswith("/v1/"):
        return path[3:]  # that of most paths
    found = _VERSION.match(path)
    return path[found.end() :] if found else path
