"""Looks for model servers of the user's own where they usually listen on this machine, and tells them from other
programs by what only they answer.

Rules of this file: loopback alone is asked, with GET, without a key and past every proxy; all of it ends after the
seconds that are given; an answer is read up to a bound and no redirect is followed; what is not certain is not named.
Documents: Ollama's `/` and `/api/version`, LM Studio's `/api/v0/models` and `/api/v1/models`, llama.cpp's `/props` and
the `Server` header that all its answers have, vLLM's `/version` with the owner in its `/v1/models`; where that wants a
key, with its refusal and `/load`, neither of which it guards.
"""

import ssl
from collections.abc import Awaitable, Callable, Collection, Mapping
from types import MappingProxyType
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import msgspec
import trio

from router.backends.known import KNOWN
from router.net.control.request import Answer, ControlError, clean, make_client, send
from router.net.loopback import LOCALHOST, make_literal_url

#: For all servers together: beside something else, and where they are what is asked for.
SECONDS, PATIENT_SECONDS = 0.3, 1.0
_BYTES = 256 << 10
_VERSION = 40
_OK, _UNAUTHORIZED, _UNAVAILABLE = 200, 401, 503

_Document = Mapping[str, object]


class LocalServer(NamedTuple):
    """A server that answered as the known one of this name does."""

    name: str
    #: The root for a backend, with the address at which it answered.
    root: str
    #: As it names it, "" where it does not.
    version: str = ""
    #: It refused to be asked without a key.
    wants_key: bool = False

    @property
    def url(self) -> str:
        """Where it is, for people."""
        return self.root.removesuffix("/v1")


class _Found(NamedTuple):
    version: str = ""
    wants_key: bool = False


async def find_local_servers(
    ports: Mapping[str, int], seconds: float, *, avoid: Collection[int] = ()
) -> list[LocalServer]:
    """Those of the known servers that answer on loopback, in the order of `ports`; each once, by IPv4 where it answers
    there. ports: name -> port. seconds: for all of them together. avoid: ports that are not asked."""
    # What is loaded at the first request does not count as time in which nobody answered.
    async with make_client(None, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), seconds):
        pass
    found: dict[tuple[str, str], LocalServer] = {}
    deadline = trio.current_time() + seconds

    async def look(name: str, port: int, address: str) -> None:
        url = make_literal_url(address, port)
        seen = await _RECOGNISE[name](_Asker(url, deadline))
        if seen is not None:
            found[name, address] = LocalServer(name, f"{url}/v1", *seen)

    # Each request ends by itself at the deadline: cutting one off leaves its socket to the collector.
    async with trio.open_nursery() as nursery:
        for name, port in ports.items():
            for address in LOCALHOST if port not in avoid else ():
                nursery.start_soon(look, name, port, address)
    order = ((name, address) for name in ports for address in LOCALHOST)
    kept: dict[str, LocalServer] = {}
    for place in order:
        if place in found:
            kept.setdefault(place[0], found[place])
    return list(kept.values())


class _Asker(NamedTuple):
    """Asks one server until a moment of trio's clock."""

    url: str
    deadline: float

    async def ask(self, path: str) -> Answer | None:
        """The answer; None for none in time, and for one that cannot be read."""
        left = self.deadline - trio.current_time()
        if left <= 0:
            return None
        try:
            return await send("GET", self.url + path, {}, None, left, limit=_BYTES)
        except ControlError:
            return None

    async def ask_object(self, path: str) -> _Document | None:
        """The object in the answer of a success, else None."""
        answer = await self.ask(path)
        return None if answer is None or answer.status != _OK else _read_object(answer)


def _read_object(answer: Answer) -> _Document | None:
    try:
        value = cast("object", msgspec.json.decode(answer.body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("_Document", value) if isinstance(value, dict) else None


def _read_version(document: _Document | None) -> str | None:
    version = document.get("version") if document is not None else None
    return clean(version, _VERSION) if isinstance(version, str) and version.strip() else None


def _list_objects(document: _Document, field: str) -> list[_Document] | None:
    """The objects of a list; None where there is no list, or one of something else."""
    value = document.get(field)
    if not isinstance(value, list):
        return None
    entries = cast("list[object]", value)
    return [cast("_Document", entry) for entry in entries] if all(isinstance(one, dict) for one in entries) else None


async def _find_ollama(server: _Asker) -> _Found | None:
    version = _read_version(await server.ask_object("/api/version"))
    root = await server.ask("/") if version is not None else None
    greets = root is not None and root.status == _OK and root.body.strip() == b"Ollama is running"
    return _Found(version or "") if greets else None


async def _find_lmstudio(server: _Asker) -> _Found | None:
    for path, field, marks in (
        ("/api/v1/models", "models", ("key", "loaded_instances")),
        ("/api/v0/models", "data", ("publisher", "state")),
    ):
        document = await server.ask_object(path)
        entries = _list_objects(document, field) if document is not None else None
        # Without a model an answer of it is like many others.
        if entries and all(mark in entry for entry in entries for mark in marks):
            return _Found()
    return None


async def _find_llamacpp(server: _Asker) -> _Found | None:
    answer = await server.ask("/props")
    if answer is None:
        return None
    document = _read_object(answer) if answer.status == _OK else None
    if document is not None and isinstance(document.get("default_generation_settings"), dict):
        build = document.get("build_info")
        return _Found(clean(build, _VERSION) if isinstance(build, str) else "")
    # While it loads its model, and where it wants a key, it answers so.
    busy = answer.status in (_UNAUTHORIZED, _UNAVAILABLE) and answer.headers.get("server") == "llama.cpp"
    return _Found(wants_key=answer.status == _UNAUTHORIZED) if busy else None


async def _find_vllm(server: _Asker) -> _Found | None:
    version = _read_version(await server.ask_object("/version"))
    answer = await server.ask("/v1/models") if version is not None else None
    document = _read_object(answer) if answer is not None else None
    if version is None or answer is None or document is None:
        return None
    if answer.status == _UNAUTHORIZED:
        # The refusal is that of many programs.
        load = await server.ask_object("/load") if document == {"error": "Unauthorized"} else None
        return _Found(version, wants_key=True) if load is not None and "server_load" in load else None
    entries = _list_objects(document, "data") if answer.status == _OK else None
    return _Found(version) if entries and all(one.get("owned_by") == "vllm" for one in entries) else None


_RECOGNISE: Mapping[str, Callable[[_Asker], Awaitable[_Found | None]]] = {
    "ollama": _find_ollama,
    "lmstudio": _find_lmstudio,
    "llamacpp": _find_llamacpp,
    "vllm": _find_vllm,
}
#: Name -> the port on which it usually listens.
PORTS: Mapping[str, int] = MappingProxyType({name: urlsplit(KNOWN[name].root).port or 0 for name in _RECOGNISE})
