"""References within a JSON schema: what they refer to, and whether they come back to themselves."""

from typing import cast
from urllib.parse import unquote

from router.wire.raw.json.json_values import Json

_PLACES = ("#/$defs/", "#/definitions/")


def find_definition(root: Json, ref: str) -> Json | None:
    """The definition under `$defs` or `definitions` that a reference names; None for any other reference."""
    for place in _PLACES:
        if ref.startswith(place):
            held = root.get(place[2:-1])
            name = _read_name(ref[len(place) :])
            found = cast("Json", held).get(name) if isinstance(held, dict) else None
            return cast("Json", found) if isinstance(found, dict) else None
    return None


def _read_name(pointer: str) -> str:
    return unquote(pointer).replace("~1", "/").replace("~0", "~")


def is_recursive(root: Json) -> bool:
    """True when a definition refers to itself, directly or by others, or something refers to the root."""
    if "#" in _find_refs(root):
        return True
    edges: dict[str, set[str]] = {}
    for place in _PLACES:
        held = root.get(place[2:-1])
        for name, definition in cast("Json", held).items() if isinstance(held, dict) else ():
            edges[place + name] = {_normalize(ref) for ref in _find_refs(definition)}
    return _has_cycle(edges)


def _normalize(ref: str) -> str:
    for place in _PLACES:
        if ref.startswith(place):
            return place + _read_name(ref[len(place) :])
    return ref


def _find_refs(schema: object) -> set[str]:
    """All references within a schema."""
    found: set[str] = set()
    left = [schema]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            node = cast("Json", one)
            ref = node.get("$ref")
            if isinstance(ref, str):
                found.add(ref)
            left += node.values()
        elif isinstance(one, list):
            left += cast("list[object]", one)
    return found


def _has_cycle(edges: dict[str, set[str]]) -> bool:
    """True when a way along the edges comes back to where it began: without a cycle, all nodes can be taken away, each
    after those that lead to it."""
    entering = dict.fromkeys(edges, 0)
    for targets in edges.values():
        for target in targets:
            if target in entering:
                entering[target] += 1
    free = [name for name, count in entering.items() if not count]
    taken = 0
    while free:
        taken += 1
        for target in edges[free.pop()]:
            if target in entering:
                entering[target] -= 1
                if not entering[target]:
                    free.append(target)
    return taken < len(edges)
