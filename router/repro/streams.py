"""Shapes event streams, and keeps where their chunks ended. Arguments of calls, which come in pieces, are shaped as a
whole and cut again where they were."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, cast

from router.repro.fill import fill_text
from router.repro.json_text import fill_json_text
from router.repro.shape import Filled, Shaper, write_like
from router.repro.vocabulary import PROTOCOL_WORDS

_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|$)")
_FIELD = re.compile(r"(event|data|id|retry)(: ?)")

# Where a piece stands, and the stream of pieces that it belongs to.
_Piece = tuple[dict[str, Any], str, tuple[object, ...]]


def shape_stream(text: str, chunks: Sequence[tuple[int, int]], shaper: Shaper) -> tuple[str, list[tuple[int, int]]]:
    """The stream shaped, and the ends of its chunks in the new text. chunks: milliseconds, and bytes up to there."""
    lines = [match[0] for match in _LINE.finditer(text) if match[0]]
    values = [_decode(line) for line in lines]
    _fill_pieces([value for value in values if value is not None], shaper)
    out: list[str] = []
    places = _Places()
    for line, value in zip(lines, values, strict=True):
        shaped = _shape_line(line, value, shaper)
        places.add(len(line.encode("utf-8", "surrogatepass")), len(shaped.encode("utf-8", "surrogatepass")))
        out.append(shaped)
    return "".join(out), [(moment, places.find(end)) for moment, end in chunks]


class _Places:
    """Where the bytes of a text are in another one, line by line. Asked for in order."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, int]] = []
        self._at = self._before = self._after = 0

    def add(self, before: int, after: int) -> None:
        """A line of so many bytes has so many bytes now."""
        self._lines.append((before, after))

    def find(self, place: int) -> int:
        """The place in the new text. Within a line it is as near to the line's end as it was."""
        while self._at < len(self._lines) and self._before + self._lines[self._at][0] <= place:
            self._before += self._lines[self._at][0]
            self._after += self._lines[self._at][1]
            self._at += 1
        within = place - self._before
        if self._at == len(self._lines) or not within:
            return self._after
        before, after = self._lines[self._at]
        return self._after + max(1, after - (before - within))


def _decode(line: str) -> dict[str, Any] | None:
    """The JSON of a data line; None for other lines, and for what is no JSON object."""
    if not line.startswith("data:"):
        return None
    try:
        found = json.loads(line[5:])
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _shape_line(line: str, value: dict[str, Any] | None, shaper: Shaper) -> str:
    match = _FIELD.match(line)
    if match is None:
        # A comment, a blank line, or what is no event stream.
        return fill_text(line)
    begin, rest = match[0], line[match.end() :]
    content = rest.rstrip("\r\n")
    end = rest[len(content) :]
    if value is not None:
        return begin + write_like(content, shaper.shape_value(value)) + end
    if content == "[DONE]" or (match[1] == "event" and content in PROTOCOL_WORDS):
        return line
    if match[1] == "data":
        return begin + fill_json_text(content, shaper.names.rename, PROTOCOL_WORDS.__contains__) + end
    return begin + (shaper.names.rename(content) if match[1] == "event" else fill_text(content)) + end


def _fill_pieces(values: Sequence[dict[str, Any]], shaper: Shaper) -> None:
    """Fill the pieces of arguments in place."""
    found: dict[tuple[object, ...], list[tuple[dict[str, Any], str]]] = {}
    for value in values:
        for holder, key, stream in _find_pieces(value):
            found.setdefault(stream, []).append((holder, key))
    for pieces in found.values():
        filled = fill_json_text(
            "".join(holder[key] for holder, key in pieces), shaper.names.rename, PROTOCOL_WORDS.__contains__
        )
        at = 0
        for holder, key in pieces:
            size = len(holder[key])
            holder[key] = Filled(filled[at : at + size])
            at += size


def _find_pieces(value: dict[str, Any]) -> Iterator[_Piece]:
    """The pieces of arguments in one event of any protocol."""
    delta = value.get("delta")
    if isinstance(delta, dict) and isinstance(cast("dict[str, Any]", delta).get("partial_json"), str):
        yield cast("dict[str, Any]", delta), "partial_json", ("block", str(value.get("index")))
    if value.get("type") == "response.function_call_arguments.delta" and isinstance(delta, str):
        yield value, "delta", ("item", str(value.get("item_id")))
    for choice in _objects(value.get("choices")):
        inner = choice.get("delta")
        calls = cast("dict[str, Any]", inner).get("tool_calls") if isinstance(inner, dict) else None
        for call in _objects(calls):
            function = call.get("function")
            if isinstance(function, dict) and isinstance(cast("dict[str, Any]", function).get("arguments"), str):
                stream = ("call", str(choice.get("index")), str(call.get("index")))
                yield cast("dict[str, Any]", function), "arguments", stream


def _objects(value: Any) -> list[dict[str, Any]]:
    items = cast("list[Any]", value) if isinstance(value, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
