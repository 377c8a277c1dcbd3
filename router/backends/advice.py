"""What helps when a backend cannot be reached, or does not answer in HTTP."""

from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from router.backends import Backend
from router.backends.known import KNOWN, host_of, known, plain_http_allowed

# A cause is why a backend gave no answer, as far as it is certain.
# - `refused`: nobody listens. `name`: its name cannot be resolved. `proxy`: the proxy on the way is at fault.
# - `speaks_http`, `speaks_tls`: it does, and was asked in the other. `not_tls`: its bytes are not TLS, but not known.
# - `tls_closed`, `closed`: it closed the connection, in the TLS handshake or before its answer was complete.
# - `silent`: it said nothing in time.
# - `path`: it has no API at its path. `redirect`: it points elsewhere.


class Advice(NamedTuple):
    """The next step: what to look at, and the command that helps, '' for none."""

    words: str
    command: str = ""

    def join(self, gap: str = " ") -> str:
        """Both as one text. gap: what separates them."""
        return f"{self.words}:{gap}{self.command}" if self.command else self.words


def advise(cause: str, backend: Backend, *, verb: Literal["add", "set"] = "set") -> Advice | None:
    """What to do after a failure, None where only the failure itself can be told. verb: the command of a new base URL:
    `add` for a backend that is not stored yet."""
    name = backend.name
    address = f"fairlead backend {verb} {name} --base-url"
    if cause == "refused":
        entry = known(backend.vendor)
        if entry is not None and entry.start:
            return Advice(f"Is {entry.title} running? Start it", entry.start)
        return Advice("Is its server running, and is the port right? Change the address", f"{address} URL")
    if cause == "name":
        return Advice("Is it spelled correctly, and are network and VPN up? Change the address", f"{address} URL")
    if cause == "proxy":
        return Advice(
            "The proxy comes from upstream_proxy, else from HTTPS_PROXY. Go without it",
            "fairlead config set upstream_proxy off",
        )
    if cause == "speaks_tls":
        return Advice("It expects TLS: use https://", f"{address} {_swap_scheme(backend.root)}")
    if cause == "closed" and backend.root.startswith("http:"):
        return Advice("Does it expect TLS? Then use https://", f"{address} {_swap_scheme(backend.root)}")
    if cause in ("speaks_http", "not_tls", "tls_closed"):
        return _advise_plain(cause, backend, address)
    if cause == "redirect":
        return Advice("Redirects are not followed. Correct its base URL", f"{address} URL")
    if cause == "path":
        other = guess_root(backend.root)
        if other:
            return Advice(f"Is its path right? It may be {other}", f"{address} {other}")
        return Advice("Is its path right? Change the address", f"{address} URL")
    return None


def advise_error(backend: Backend, said: str) -> str:
    """What to do about an error of a backend's provider, '' where nothing is known. said: its message."""
    entry = known(backend.vendor)
    lowered = said.lower()
    return next((hint for words, hint in entry.error_hints if words in lowered), "") if entry is not None else ""


def guess_root(root: str) -> str:
    """Where the API of a server probably is that has none at this root: at the root of the known provider on its host,
    else at /v1; '' when that is this root."""
    place = urlsplit(root)
    entry = next((entry for entry in KNOWN.values() if urlsplit(entry.root).netloc == place.netloc), None)
    other = entry.root if entry is not None else f"{place.scheme}://{place.netloc}/v1"
    return "" if other == root else other


def _advise_plain(cause: str, backend: Backend, address: str) -> Advice:
    other = _swap_scheme(backend.root)
    place = f"http://{urlsplit(other).netloc}"
    if plain_http_allowed(host_of(backend.root)):
        words = "It speaks plain HTTP: use" if cause == "speaks_http" else "Does it speak plain HTTP? Then use"
        return Advice(f"{words} {place}", f"{address} {other}")
    if cause == "speaks_http":
        return Advice("It speaks plain HTTP, in which anyone on the way can read keys and texts. Check its base URL")
    if cause == "not_tls":
        return Advice("A login page or proxy may be intercepting the connection")
    return Advice("A firewall or filter may be blocking it")


def _swap_scheme(root: str) -> str:
    scheme, _, rest = root.partition("://")
    return f"{'http' if scheme == 'https' else 'https'}://{rest}"
