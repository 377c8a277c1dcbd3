"""Google's list of models in the form that most servers have."""

from collections.abc import Mapping
from typing import Any, cast

_PREFIX, _METHOD = "models/", "generateContent"


def to_common(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A page of a list, in the common form: Google's `models`, each with `name` and `supportedGenerationMethods`,
    becomes `data` with `id`, without the models that write no text. Any other page stays as it is."""
    found = data.get("models")
    if "data" in data or not isinstance(found, list):
        return data
    entries: list[Mapping[str, Any]] = []
    for one in cast("list[object]", found):
        entry: Mapping[str, Any] = cast("Mapping[str, Any]", one) if isinstance(one, dict) else {}
        name, methods = entry.get("name"), entry.get("supportedGenerationMethods")
        if isinstance(name, str) and (not isinstance(methods, list) or _METHOD in methods):
            entries.append({**entry, "id": name.removeprefix(_PREFIX)})
    token = data.get("nextPageToken")
    return {"data": entries, "has_more": bool(token), "last_id": token if isinstance(token, str) else None}
