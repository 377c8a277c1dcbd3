"""Checks the shape of a TOML text before it is parsed: parsers take more than linear time for deep and large ones.

Rules of this file: it is no parser, so it accepts much that is no TOML; its own time grows with the text alone.
"""

import re
from typing import NamedTuple

#: Parts of one key; settings have at most five.
PARTS_LIMIT = 32
#: Brackets inside each other.
DEPTH_LIMIT = 64
#: Keys, and items of lists.
VALUES_LIMIT = 50_000
#: Digits of a number: more are no setting, and Python reads no more.
DIGITS_LIMIT = 4000

# Each alternative takes an unfinished string or comment whole, so that no character is looked at again.
_TOKEN = re.compile(
    r'"""(?:[^"\\]++|\\.|"(?!""))*+(?:"{3,5}+)?+'
    r"|'''(?:[^']++|'(?!''))*+(?:'{3,5}+)?+"
    r'|"(?:[^"\\\n]++|\\[^\n])*+"?+'
    r"|'[^'\n]*+'?+"
    r"|\#[^\n]*+"
    r"|[\[\]{}.=,\n]"
    r"|[0-9][0-9_]*+",
    re.DOTALL,
)


class Fault(NamedTuple):
    """What is too much in a text, and its line, from 1."""

    what: str
    line: int


def find_fault(text: str) -> Fault | None:
    """The first thing in a TOML text that is too deep, too long or too many; None when there is none."""
    depth = parts = values = 0
    for token in _TOKEN.finditer(text):
        found = token[0]
        what = ""
        if found == ".":
            parts += 1
            if parts >= PARTS_LIMIT:
                what = f"a key has over {PARTS_LIMIT} parts"
        elif found in ("=", ",", "\n"):
            parts = 0
            values += found != "\n"
            if values > VALUES_LIMIT:
                what = f"the file has over {VALUES_LIMIT:,} values"
        elif found in ("[", "{"):
            depth += 1
            if depth > DEPTH_LIMIT:
                what = f"brackets are nested over {DEPTH_LIMIT} deep"
        elif found in ("]", "}"):
            depth = max(0, depth - 1)
        elif len(found) > DIGITS_LIMIT and found[0].isdigit():
            what = f"a number has over {DIGITS_LIMIT:,} digits"
        if what:
            return Fault(what, text.count("\n", 0, token.start()) + 1)
    return None
