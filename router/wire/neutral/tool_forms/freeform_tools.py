"""Tools that take free text, towards backends whose tools take arguments.

The text is put into one field of the arguments, `{"input": "…"}`, and taken out again in the answer, also while the
arguments are still streaming. The grammar of the text becomes part of the description.
"""

import json
import re

import msgspec

from router.ir import Tool
from router.wire.raw.json.json_values import Json

SCHEMA: Json = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
OPENING, CLOSING = '{"input":"', '"}'
# Arguments that do not begin so within these characters have another form.
_BEGINNING_LIMIT = 1024
_BEGINNING = re.compile(r'\s*\{\s*"input"\s*:\s*"')
# Whole characters of a JSON string; an escape that JSON does not define is taken literally.
_WHOLE = re.compile(r'(?:[^"\\]|\\u[0-9a-fA-F]{4}|\\[^u])*')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_KNOWN = '"\\/bfnrtu'
_HIGH_SURROGATE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")


def describe(tool: Tool) -> str:
    """The description of a tool, with the grammar that its text follows."""
    grammar = (tool.format or {}).get("definition")
    return f"{tool.description}\n\nThe input follows this grammar:\n{grammar}".strip() if grammar else tool.description


def has_grammar(tool: Tool) -> bool:
    """True when the text has a grammar: a description cannot enforce it."""
    return bool((tool.format or {}).get("definition"))


def wrap(text: str) -> str:
    """Put free text into arguments."""
    return OPENING + escape(text) + CLOSING


def escape(text: str) -> str:
    """Escape text for the inside of a JSON string; half of a surrogate pair as its escape, since the other half may be
    in the next piece."""
    try:
        return msgspec.json.encode(text)[1:-1].decode()
    except UnicodeEncodeError:
        return json.dumps(text)[1:-1]


def unwrap(arguments: str) -> str:
    """The free text in whole arguments; arguments of another form are taken as the text itself."""
    unwrapper = Unwrapper()
    return unwrapper.feed(arguments) + unwrapper.finish()


class Unwrapper:
    """Takes the text out of arguments while they are streamed."""

    __slots__ = ("_buffer", "_ended", "_open", "_pieces")

    def __init__(self) -> None:
        # What is not decoded yet: a part of the beginning, or of an escape.
        self._buffer = ""
        # Arguments of another form, in pieces: they are returned at the end, and not looked at anew for each piece.
        self._pieces: list[str] = []
        self._open = False
        self._ended = False

    def feed(self, fragment: str) -> str:
        """The text that a piece of the arguments adds."""
        if self._ended:
            return ""
        if self._pieces:
            self._pieces.append(fragment)
            return ""
        data = self._buffer + fragment
        if not self._open:
            began = _BEGINNING.match(data)
            if began is None:
                self._buffer = data
                if len(data) > _BEGINNING_LIMIT:
                    self._pieces.append(data)
                return ""
            self._open = True
            data = data[began.end() :]
        return self._take_text(data)

    def _take_text(self, data: str) -> str:
        found = _WHOLE.match(data)
        end = found.end() if found else 0
        self._ended = data[end : end + 1] == '"'
        split = None if self._ended else _HIGH_SURROGATE.search(data[:end])
        if split is not None:
            end = split.start()
        self._buffer = "" if self._ended else data[end:]
        return _decode_string(data[:end])

    def finish(self) -> str:
        """The rest of the text at the end; arguments that are not of the form {"input": text} are returned whole."""
        held = "".join(self._pieces) or self._buffer
        self._pieces, self._buffer = [], ""
        if self._ended:
            return ""
        self._ended = True
        if self._open:
            return held
        try:
            value: object = json.loads(held or "{}", strict=False)
        except (ValueError, RecursionError):
            return held
        said = value.get("input", "" if not value else None) if isinstance(value, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return said if isinstance(said, str) else held


def _decode_string(inside: str) -> str:
    if "\\" not in inside:
        return inside
    known = _ESCAPE.sub(lambda found: found[0] if found[1] in _KNOWN else "\\" + found[0], inside)
    text: str = json.loads(f'"{known}"', strict=False)
    # A lone surrogate cannot be encoded as UTF-8.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
