"""Makes an answer fit for a model's context: short, without characters that hide or reorder text, without keys."""

import json
from typing import Any, cast

import msgspec

from router.redaction import KEYS, remove_controls

#: Bytes of a text that may quote others, and of any other text.
QUOTED_LIMIT, TEXT_LIMIT = 200, 600
#: Entries of a list; of one list the caller chooses more.
LIST_LIMIT = 50
LONGER_LISTS = {"models": 200}
#: Bytes of the whole answer.
ANSWER_LIMIT = 8192
# Characters of a text that are searched for keys; the rest is cut off.
_LOOKED_THROUGH = 4096
_QUOTED = "upstream_text_untrusted"
# Variation selectors: they are printable, show nothing, and may carry a text.
_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def bound(answer: msgspec.Struct) -> dict[str, Any]:
    """The answer as JSON has it, cleaned and cut; `more` counts what was left out of lists."""
    left: list[int] = []
    value = cast("dict[str, Any]", _clean(msgspec.to_builtins(answer), TEXT_LIMIT, left))
    value["more"] = value.get("more", 0) + sum(left)
    while len(format_text(value)) > ANSWER_LIMIT:
        longest = max(_iter_lists(value), key=lambda one: len(format_text(one)), default=None)
        if longest is None:
            break
        half = len(longest) // 2
        value["more"] += len(longest) - half
        del longest[half:]
    return value


def format_text(value: object) -> bytes:
    """A value as compact JSON in UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8")


def clean_text(text: str, limit: int) -> str:
    """A text without control, bidirectional and hidden characters, of at most `limit` bytes."""
    # What is cut off below need not be looked at: no character has less than a byte.
    plain = remove_controls(text[: limit + 1])
    if not plain.isascii():
        plain = "".join(char for char in plain if ord(char) not in _SELECTORS)
    data = plain.encode("utf-8", "replace")
    if len(data) <= limit and len(text) <= limit:
        return plain
    mark = "\N{HORIZONTAL ELLIPSIS}"
    return data[: limit - len(mark.encode())].decode("utf-8", "ignore") + mark


def _clean(value: Any, limit: int, left: list[int]) -> Any:
    """A value with all its texts cleaned. left: collects how many entries were cut off lists."""
    if isinstance(value, str):
        return clean_text(value, limit)
    if isinstance(value, list):
        return _clean_list(cast("list[Any]", value), limit, left)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {name: _clean_field(name, one, limit, left) for name, one in fields.items()}
    return value


def _clean_list(entries: list[Any], limit: int, left: list[int], most: int = LIST_LIMIT) -> list[Any]:
    left.append(max(0, len(entries) - most))
    return [_clean(one, limit, left) for one in entries[:most]]


def _clean_field(name: str, value: Any, limit: int, left: list[int]) -> Any:
    if name == _QUOTED and isinstance(value, str):
        # Before it is cut, else half a key might be left.
        return clean_text(KEYS.sub("[redacted]", value[:_LOOKED_THROUGH]), QUOTED_LIMIT)
    if name in LONGER_LISTS and isinstance(value, list):
        return _clean_list(cast("list[Any]", value), limit, left, LONGER_LISTS[name])
    return _clean(value, limit, left)


def _iter_lists(value: Any) -> Any:
    """All lists in a value that have entries."""
    if isinstance(value, list):
        entries = cast("list[Any]", value)
        if entries:
            yield entries
        for one in entries:
            yield from _iter_lists(one)
    elif isinstance(value, dict):
        for one in cast("dict[str, Any]", value).values():
            yield from _iter_lists(one)
