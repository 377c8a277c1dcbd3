"""Makes what the local page is told safe to show: texts of callers and upstreams may be hostile, and may be long."""

from typing import Any

import msgspec

from router.settings.kinds import clean

#: Characters of one text.
TEXT_LIMIT = 2000
_LISTED = 500


def encode(value: object) -> bytes:
    """The JSON of a struct, whose texts have no control characters and none that reorder or hide text, and are cut."""
    return msgspec.json.encode(_clean(msgspec.to_builtins(value)))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() and value.isprintable() and len(value) <= TEXT_LIMIT else _cut(value)
    if isinstance(value, dict):
        return {_clean(name): _clean(inner) for name, inner in value.items()}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, list):
        return [_clean(inner) for inner in value[:_LISTED]]  # pyright: ignore[reportUnknownVariableType]
    return value


def _cut(text: str) -> str:
    # Lines of a problem stay lines.
    return "\n".join(clean(line, TEXT_LIMIT) for line in text[: 2 * TEXT_LIMIT].split("\n"))
