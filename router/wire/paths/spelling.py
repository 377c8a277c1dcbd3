"""The one spelling of a request path, by which everything is decided and which is sent upstream.

Servers decode percent escapes, merge slashes and ignore a last one before they find the handler of a path; two readings
of one path would be two decisions. What servers read in different ways has no safe spelling and is refused with the
head of the request (net/server/request_path.py). Source: RFC 3986, 3.3 and 6.2.2.
"""

import re

# What may stand in a segment as it is (pchar), without the semicolon.
_LITERAL = r"A-Za-z0-9._~!$&'()*+,=:@-"
_SPELT = re.compile(rf"(?:/[{_LITERAL}]+)+")
_OTHER = re.compile(rf"%[0-9A-Fa-f]{{2}}|[^/{_LITERAL}]")
_STANDS = re.compile(f"[{_LITERAL}]")
_SLASHES = re.compile("/{2,}")


def spell(path: str) -> str:
    """A path in its one spelling: only what must be is escaped, in capital letters; no segment is empty, so that only
    `/` itself ends in a slash. An escaped slash stays one. path: ASCII, from the first slash to the query."""
    if _SPELT.fullmatch(path):
        return path
    return _SLASHES.sub("/", _OTHER.sub(_spell_one, path)).rstrip("/") or "/"


def _spell_one(match: re.Match[str]) -> str:
    text = match[0]
    character = chr(int(text[1:], 16)) if len(text) == 3 else text
    return character if _STANDS.fullmatch(character) else f"%{ord(character):02X}"
