"""The last line of a file that fairlead writes for an agent: who wrote it, and a hash of all above and of the version,
by which a file that nobody changed is known, also where there is no record of it."""

import hashlib
from typing import NamedTuple

from router import __version__

#: The form of the line.
_FORM = 1
_BEGIN, _VERSION, _HASH = "fairlead agent file ", ", fairlead ", ", sha256:"
_DIGITS = 64


class Mark(NamedTuple):
    """What the line says."""

    #: Of the fairlead that wrote it, "" where that cannot be read.
    version: str
    #: Nothing else in the file was changed since.
    intact: bool


def sign(text: str, comment: tuple[str, str]) -> str:
    """The text with its mark. comment: what begins and what ends a comment. text: whole lines."""
    mark = f"{_BEGIN}{_FORM}{_VERSION}{__version__}{_HASH}{_compute_hash(text, __version__)}"
    return f"{text}{comment[0]}{mark}{comment[1]}\n"


def _compute_hash(text: str, version: str) -> str:
    return hashlib.sha256(f"{version}\n{text}".encode()).hexdigest()


def read_mark(text: str) -> Mark | None:
    """The mark of a text, None where it has none. Ends of lines do not count: some tools change them."""
    lines = text.replace("\r\n", "\n").splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if _BEGIN in line and _HASH in line]
    if not places:
        return None
    at = places[-1]
    version, _, rest = lines[at].partition(_VERSION)[2].partition(_HASH)
    above = "".join(lines[:at])
    intact = len(places) == 1 and at == len(lines) - 1 and rest[:_DIGITS] == _compute_hash(above, version)
    return Mark(version if intact else "", intact)
