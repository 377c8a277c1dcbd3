"""Reads JSON with comments and trailing commas, as tools write their settings."""

import json
from typing import Any, cast


def read_jsonc(text: str) -> dict[str, Any]:
    """The object of a text. Raises ValueError, which names line and column, for anything else."""
    try:
        found: object = json.loads(_blank(text.removeprefix("\ufeff")))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    if not isinstance(found, dict):
        raise ValueError("it is no object")
    return cast("dict[str, Any]", found)


def _blank(text: str) -> str:
    """The text with spaces in the place of comments and of trailing commas: lines and columns stay."""
    out: list[str] = []
    # The last sign outside of comments, the one before it, and where it stands in `out`.
    last, previous, place, at = "", "", 0, 0
    while at < len(text):
        end = _find_end(text, at)
        part = text[at:end]
        if part.startswith(("//", "/*")):
            part = "".join(sign if sign == "\n" else " " for sign in part)
        elif not part.isspace():
            if part in "]}" and last == "," and previous not in ("", ",", "[", "{", ":"):
                out[place] = " "
            last, previous, place = part, last, len(out)
        out.append(part)
        at = end
    return "".join(out)


def _find_end(text: str, at: int) -> int:
    """Where what begins here ends: a string, a comment, or one sign."""
    if text.startswith("//", at):
        found = text.find("\n", at)
        return len(text) if found < 0 else found
    if text.startswith("/*", at):
        found = text.find("*/", at + 2)
        return len(text) if found < 0 else found + 2
    end = at + 1
    if text[at] == '"':
        while end < len(text) and text[end] != '"':
            end += 2 if text[end] == "\\" else 1
        end += 1
    return end
