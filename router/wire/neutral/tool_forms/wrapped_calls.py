"""Unwraps several calls that a model put into one: some GPT models do so when parallel calls are allowed."""

from collections.abc import Collection
from typing import cast

from router.wire.raw.json import json_values

WRAPPERS = frozenset(("parallel", "multi_tool_use.parallel", "multi_tool_use_parallel"))
_PREFIX = "functions."


def unwrap_calls(arguments: str, declared: Collection[str]) -> list[tuple[str, str]]:
    """Name and arguments of each call inside a wrapper; [] unless all are of declared tools.

    arguments: the wrapper's.
    """
    data = json_values.decode_object(arguments)
    uses = data.get("tool_uses") if data is not None else None
    found: list[tuple[str, str]] = []
    for one in cast("list[object]", uses) if isinstance(uses, list) else []:
        use = cast("dict[str, object]", one) if isinstance(one, dict) else {}
        name, parameters = use.get("recipient_name"), use.get("parameters")
        if not isinstance(name, str) or not isinstance(parameters, dict):
            return []
        name = name.removeprefix(_PREFIX)
        if name not in declared:
            return []
        found.append((name, json_values.encode_json(cast("object", parameters))))
    return found
