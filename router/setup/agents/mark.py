"""The last line of a file that fairlead writes for an agent: who wrote it, and a hash of all above and of the version,
by which a file that nobody changed is known, also where there is no record of it."""

import hashlib
from typing import NamedTuple

from router import __version__

#: The form of the line.
_FORM = 1
_BEGIN, _VERSION, _HASH = "fairlead agent file ", ", fairlead ", ", sha256:"
#: What begins and what ends a comment, of Markdown and of TOML.
MARKDOWN, TOML = ("<!-- ", " -->"), ("# ", "")
COMMENTS = (MARKDOWN, TOML)


class Mark(NamedTuple):
    """What the line says."""

    #: Of the fairlead that wrote it, "" where that cannot be read.
    version: str
    #: Nothing else in the file was changed since.
    intact: bool


def sign(text: str, comment: tuple[str, str]) -> str:
    """The text with its mark. text: whole lines. comment: one of COMMENTS."""
    return f"{text}{_format_line(text, __version__, comment)}"


def _format_line(text: str, version: str, comment: tuple[str, str]) -> str:
    digest = hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()
    return f"{comment[0]}{_BEGIN}{_FORM}{_VERSION}{version}{_HASH}{digest}{comment[1]}\n"


def read_mark(text: str) -> Mark | None:
    """The mark of a text, None where it has none. Ends of lines do not count: some tools change them."""
    lines = text.replace("\r\n", "\n").splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if _BEGIN in line and _HASH in line]
    if not places:
        return None
    at = places[-1]
    version = lines[at].partition(_VERSION)[2].partition(_HASH)[0]
    above = "".join(lines[:at])
    expected = [_format_line(above, version, comment) for comment in COMMENTS]
    intact = len(places) == 1 and at == len(lines) - 1 and lines[at] in expected
    return Mark(version if intact else "", intact)
