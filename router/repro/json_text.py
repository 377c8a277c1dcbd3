"""Replaces the content of JSON that stands in a text, perhaps without its beginning or end: as long as before."""

import re
from collections.abc import Callable

from router.repro.fill import fill_number, fill_text

# Strings (the last may be cut off), what stands between them, and numbers and words of JSON.
_PART = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?$)|true|false|null|-?[0-9][0-9.eE+-]*+|.', re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,4}|.|$)", re.DOTALL)
_COLON = re.compile(r"\s*:")
_FILLED_ESCAPE = "\\u25cb"


def fill_json_text(text: str, rename: Callable[[str], str], keep: Callable[[str], bool] = lambda name: False) -> str:
    """The text with all strings filled; names of members are renamed, so that they stay different. keep: True for a
    name that stays."""
    out: list[str] = []
    for match in _PART.finditer(text):
        part = match[0]
        if part.startswith('"'):
            inner = part[1:-1] if len(part) > 1 and part.endswith('"') else part[1:]
            named = _COLON.match(text, match.end()) is not None
            filled = inner if named and keep(inner) else _fill_inner(inner, rename if named else fill_text)
            out.append(f'"{filled}{part[1 + len(inner) :]}')
        elif part in ("true", "false", "null"):
            out.append(part)
        elif part[-1].isdigit():
            out.append(fill_number(part))
        else:
            out.append(fill_text(part))
    return "".join(out)


def _fill_inner(inner: str, fill: Callable[[str], str]) -> str:
    """What stands between the quotes; escapes of characters become one of the same length."""
    if "\\" not in inner:
        return fill(inner)
    out: list[str] = []
    end = 0
    for match in _ESCAPE.finditer(inner):
        out += [fill_text(inner[end : match.start()]), _fill_escape(match[0])]
        end = match.end()
    return "".join([*out, fill_text(inner[end:])])


def _fill_escape(escape: str) -> str:
    return _FILLED_ESCAPE[: len(escape)] if escape.startswith("\\u") else escape
