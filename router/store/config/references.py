"""Which backends and tools config.toml names, and which of them do not exist: a warning each, as a backend may come
later."""

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, cast

from router.backends.known import KNOWN
from router.policy.routing.clients import NAMES as CLIENTS
from router.policy.routing.table import CLAUDE, DEMO
from router.settings import ConfigFile
from router.settings.kinds import clean
from router.settings.reading import Path, format_path

_ACCOUNT_TABLES = ("pool", "guard")
_MODELS = ("model", "fast_model")


class _Reference(NamedTuple):
    path: Path
    #: The backend, in lower case.
    backend: str


def list_doubts(file: ConfigFile, configured: Collection[str]) -> list[str]:
    """A warning for each backend that the file names and that is not configured, and for each client that no rule can
    match. configured: the names of the backends."""
    known = {*configured, DEMO}
    doubts = [
        f"{_place(file, one.path)} names the backend {clean(one.backend)}, which does not exist{_fix(one, configured)}"
        for one in _list_references(file.tree)
        if one.backend not in known
    ]
    for path, client in _list_clients(file.tree):
        if client not in CLIENTS:
            near = get_close_matches(client, CLIENTS, n=1, cutoff=0.6)
            meant = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(CLIENTS)}."
            doubts.append(f"{_place(file, path)} is {clean(client)}, which fairlead does not recognise; {meant}")
    return doubts


def _place(file: ConfigFile, path: Path) -> str:
    return f"{file.format_place(path)}: {format_path(path)}"


def _fix(reference: _Reference, configured: Collection[str]) -> str:
    near = get_close_matches(reference.backend, configured, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]}?"
    return f". Add it:   {format_add_command(reference.backend)}"


def format_add_command(backend: str) -> str:
    """The command that adds a backend of this name."""
    return f"fairlead backend add {backend}" + ("" if backend in KNOWN else " --base-url URL")


def _list_references(tree: Mapping[str, Any]) -> Iterator[_Reference]:
    for name in _as_table(tree.get("backends")):
        yield _Reference(("backends", name), name.lower())
    for glob, chain in _as_table(tree.get("fallback")).items():
        yield from _list_targets(("fallback", glob), chain)
    for tool, target in _as_table(tree.get("server_tools")).items():
        yield _Reference(("server_tools", tool), str(target).lower().partition(":")[0])
    rules = tree.get("routes")
    for index, rule in enumerate(cast("list[Any]", rules) if isinstance(rules, list) else []):
        table = _as_table(rule)
        if isinstance(table.get("backend"), str):
            yield _Reference(("routes", index, "backend"), table["backend"].lower())
        yield from _list_targets(("routes", index, "fallback"), table.get("fallback"))
    named = {("aliases", name): target for name, target in _as_table(tree.get("aliases")).items()}
    for path, target in [*named.items(), *(((key,), tree.get(key)) for key in _MODELS)]:
        prefix, colon, _ = str(target).lower().partition(":")
        # Models have colons of their own, as in llama3:8b: only the name of a provider is taken for a backend.
        if colon and prefix in KNOWN and prefix != CLAUDE:
            yield _Reference(path, prefix)
    for first in _ACCOUNT_TABLES:
        for key, accounts in _as_table(_as_table(tree.get(first)).get("accounts")).items():
            for name in _as_table(accounts):
                yield _Reference((first, "accounts", key, name), name.lower().partition("/")[0])


def _list_targets(path: Path, chain: object) -> Iterator[_Reference]:
    for index, target in enumerate(cast("list[Any]", chain) if isinstance(chain, list) else []):
        backend = str(target).lower().partition(":")[0]
        if backend != CLAUDE:
            yield _Reference((*path, index), backend)


def _list_clients(tree: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    rules = tree.get("routes")
    for index, rule in enumerate(cast("list[Any]", rules) if isinstance(rules, list) else []):
        client = _as_table(_as_table(rule).get("when")).get("client")
        if isinstance(client, str):
            yield ("routes", index, "when", "client"), client.lower()


def _as_table(node: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", node) if isinstance(node, dict) else {}
