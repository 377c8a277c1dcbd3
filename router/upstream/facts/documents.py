"""Asks backends for the documents that say more of their models than their catalogs do.

Providers are asked where their catalog leaves facts out and another of their documents has them. Servers of the user's
own are asked what they have allocated for the models that are loaded. Only backends that are known to be such are
asked, with the key that their catalog is read with, and when that is read anyway.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol, TypeVar

import msgspec
import trio

from router.backends import Backend
from router.policy.facts.catalogs import Listed, read_entry
from router.policy.facts.local_servers import (
    iter_entries,
    read_llamacpp,
    read_lmstudio,
    read_ollama_loaded,
    read_ollama_model,
)
from router.policy.facts.model_facts import FACT_FIELDS, ModelFacts

#: Seconds for all documents of a backend together.
ALL_SECONDS = 15.0
#: Models of an Ollama server that are asked for one by one: the loaded ones, then the others in the list's order.
OLLAMA_MODELS = 40
_NAME_LIMIT = 256
_T = TypeVar("_T")
Facts = dict[str, Listed]


class Ask(Protocol):
    """Fetches a document of one backend and reads it. Raises ControlError."""

    async def __call__(
        self, path: str, read: Callable[[object], _T], *, body: bytes | None = None, key_header: str = ""
    ) -> _T:
        """path: from the root of the host. body: for a POST. key_header: the header for the key, '' for the usual."""
        ...


class Document(NamedTuple):
    """A list of models with facts."""

    path: str
    #: The field that holds the list, and those of an entry that may hold its name.
    field: str
    names: tuple[str, ...] = ("id", "name")
    #: What stands before the names there.
    prefix: str = ""
    #: The header that takes the key, '' for the usual one.
    key_header: str = ""


#: Known provider -> the document that has more than its catalog.
_PROVIDERS = {
    "gemini": Document("/v1beta/models?pageSize=1000", "models", ("name",), "models/", "x-goog-api-key"),
    "xai": Document("/v1/language-models", "models"),
    "fireworks": Document("/v1/accounts/fireworks/models?pageSize=200", "models", ("name",)),
    "cerebras": Document("/v1/models?format=openrouter", "data"),
}


async def read_documents(backend: Backend, names: Sequence[str], owner: str, ask: Ask) -> Facts:
    """What further documents of a backend say of its models, by name; nothing for a backend that has none. names: those
    of its catalog. owner: of the models, as the catalog says. Raises ControlError."""
    found: Facts = {}
    reader = _find_reader(backend, owner)
    if reader is not None:
        with trio.move_on_after(ALL_SECONDS):
            await reader(names, ask, found)
    return found


def is_local(backend: Backend, owner: str) -> bool:
    """True for a server that says what it has allocated for the models that are loaded."""
    return backend.vendor in _LOCAL or (not backend.vendor and owner in _LOCAL)


def _find_reader(backend: Backend, owner: str) -> Callable[[Sequence[str], Ask, Facts], Awaitable[None]] | None:
    if is_local(backend, owner):
        return _LOCAL[backend.vendor or owner]
    document = _PROVIDERS.get(backend.vendor)
    return None if document is None else partial(_read_provider, document)


async def _read_provider(document: Document, names: Sequence[str], ask: Ask, found: Facts) -> None:
    def read(data: object) -> Facts:
        facts: Facts = {}
        for entry in iter_entries(data, document.field):
            name = next((value for one in document.names if isinstance(value := entry.get(one), str)), "")
            name = name.removeprefix(document.prefix)
            if name and len(name) <= _NAME_LIMIT:
                facts[name] = read_entry(entry)
        return facts

    listed = await ask(document.path, read, key_header=document.key_header)
    found.update({name: listed[name] for name in names if name in listed})


async def _read_ollama(names: Sequence[str], ask: Ask, found: Facts) -> None:
    found.update(await ask("/api/ps", read_ollama_loaded))
    loaded = [name for name in names if name in found]
    others = [name for name in names if name not in found]
    for name in [*loaded, *others][:OLLAMA_MODELS]:
        said = await ask("/api/show", read_ollama_model, body=msgspec.json.encode({"model": name}))
        # What is allocated now counts for more than what the model would be loaded with.
        allocated = found[name].allocated if name in found else said.allocated
        found[name] = Listed(said.facts, allocated, said.refused)


async def _read_lmstudio(names: Sequence[str], ask: Ask, found: Facts) -> None:
    from router.net.control.request import ControlError

    try:
        listed = await ask("/api/v1/models", read_lmstudio)
    except ControlError as error:
        if error.status is None:
            raise
        listed = {}
    if not listed:
        listed = await ask("/api/v0/models", read_lmstudio)
    found.update({name: listed[name] for name in names if name in listed})


async def _read_llamacpp(names: Sequence[str], ask: Ask, found: Facts) -> None:
    if len(names) == 1:
        found[names[0]] = await ask("/props", read_llamacpp)


#: Servers of the user's own: known provider, or the owner that their catalogs name -> how they are asked.
_LOCAL: Mapping[str, Callable[[Sequence[str], Ask, Facts], Awaitable[None]]] = {
    "ollama": _read_ollama,
    "lmstudio": _read_lmstudio,
    "llamacpp": _read_llamacpp,
}


def join_listed(first: Mapping[str, Listed], more: Mapping[str, Listed]) -> Facts:
    """What the catalog and a further document say together; the document's facts count first."""
    found = dict(first)
    for name, listed in more.items():
        before = found.get(name)
        found[name] = listed if before is None else _join_one(before, listed)
    return found


def _join_one(before: Listed, more: Listed) -> Listed:
    kept = {
        name: value
        for name in FACT_FIELDS
        if getattr(more.facts, name) is None and (value := getattr(before.facts, name)) is not None
    }
    facts: ModelFacts = msgspec.structs.replace(more.facts, **kept) if kept else more.facts
    allocated = before.allocated if more.allocated is None else more.allocated
    return Listed(facts, allocated, (*before.refused, *more.refused))
