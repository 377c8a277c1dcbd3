"""Reads the text of another program's configuration: JSON with comments, or YAML.

Rules of this file: the time grows with the text alone; what a parser would take longer for is refused before it is
parsed, with its line.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from router.errors import CommandError

#: Characters of a YAML text, and of one line; its parser takes 5 s for a mebibyte, and longer for long lines.
YAML_LIMIT = 256 << 10
LINE_LIMIT = 8192
#: Lines of a YAML text, and what is in brackets.
YAML_LINES = 10_000
YAML_ITEMS = 10_000
#: Brackets inside each other.
DEPTH_LIMIT = 64
#: Merge keys: each copies all keys of what it names.
MERGES_LIMIT = 100

# Strings and comments, also unfinished ones, so that no character is looked at again.
_STRING = r'"(?:[^"\\\n]++|\\.)*+"?+'
_COMMENT = re.compile(rf"({_STRING})|//[^\n]*+|/\*.*?(?:\*/|\Z)", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"({_STRING})|,(?=\s*+[}}\]])", re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


def parse_tree(text: str, name: str) -> Mapping[str, Any]:
    """Parse JSON, also with comments and trailing commas, or YAML. Raises CommandError."""
    try:
        tree = (
            json.loads(strip_comments(text)) if text.lstrip().startswith(("{", "//", "/*")) else _parse_yaml(text, name)
        )
    except json.JSONDecodeError as error:
        raise CommandError(f"{name}, line {error.lineno}, column {error.colno}: invalid JSON.") from None
    except RecursionError:
        raise CommandError(f"{name} has brackets nested too deep to be read.") from None
    except ValueError:
        raise CommandError(f"{name} has a value that cannot be read.") from None
    if not isinstance(tree, dict):
        raise CommandError(f"{name} has no settings.")
    return {key: value for key, value in cast("dict[object, Any]", tree).items() if isinstance(key, str)}


def strip_comments(text: str) -> str:
    """Remove comments and trailing commas, which claude-code-router accepts (JSON5). Line numbers do not change."""
    bare = _COMMENT.sub(lambda found: found[1] or "\n" * found[0].count("\n"), text)
    return _TRAILING_COMMA.sub(lambda found: found[1] or "", bare)


def _parse_yaml(text: str, name: str) -> object:
    _check_yaml(text, name)
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CommandError(f"{name}{place}: invalid YAML.") from None
    except yaml.YAMLError:
        raise CommandError(f"{name}: invalid YAML.") from None


def _check_yaml(text: str, name: str) -> None:
    """Raise CommandError for a text that the parser would take long for."""
    if len(text) > YAML_LIMIT:
        raise CommandError(f"{name} is larger than {YAML_LIMIT >> 10} KiB.")
    lines = text.split("\n")
    if len(lines) > YAML_LINES:
        raise CommandError(f"{name} has over {YAML_LINES:,} lines.")
    items = depth = merges = 0
    for number, line in enumerate(lines, 1):
        place = f"{name}, line {number}:"
        if len(line) > LINE_LIMIT:
            raise CommandError(f"{place} it is longer than {LINE_LIMIT:,} characters.")
        items += line.count(",")
        merges += line.count("<<")
        if items > YAML_ITEMS:
            raise CommandError(f"{place} the file has over {YAML_ITEMS:,} items in brackets.")
        if merges > MERGES_LIMIT:
            raise CommandError(f"{place} the file has over {MERGES_LIMIT} merge keys (<<).")
        for bracket in _BRACKET.findall(line):
            depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
            if depth > DEPTH_LIMIT:
                raise CommandError(f"{place} brackets are nested over {DEPTH_LIMIT} deep.")
