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
        raise ValueError("it is no object")  # noqa: TRY004 - an error of the text
    return cast("dict[str, Any]", found)


def _blank(text: str) -> str:
    """The text with spaces in the place of comments and of trailing commas: lines and columns stay."""
    out: list[str] = []
    at, comma = 0, -1
    while at < len(text):
        if text[at] == '"':
            end = _find_string_end(text, at)
            comma = -1
        elif text.startswith("//", at):
            found = text.find("\n", at)
            end = len(text) if found < 0 else found
            out.append(" " * (end - at))
            at = end
            continue
        elif text.startswith("/*", at):
            found = text.find("*/", at + 2)
            end = len(text) if found < 0 else found + 2
            out.append("".join(sign if sign == "\n" else " " for sign in text[at:end]))
            at = end
            continue
        else:
            end = at + 1
            if text[at] == ",":
                comma = len(out)
            elif text[at] in "]}" and comma >= 0:
                out[comma] = " "
                comma = -1
            elif not text[at].isspace():
                comma = -1
        out.append(text[at:end])
        at = end
    return "".join(out)


def _find_string_end(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at + 1
