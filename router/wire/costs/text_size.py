"""How much of a request's body is text that a model reads as tokens.

Not counted are base64 of files and images, sealed reasoning and signatures; an image counts as the text of as many
tokens as it takes. A character that is written as `\\uXXXX` counts as the two bytes that most such characters have.
There are two measures: what a body has most likely, and what it has at least.
"""

import re
from collections.abc import Iterator

from router.wire.raw import scan

#: Bytes for an image, and for a document: about 1,600 tokens.
IMAGE_BYTES = 7200
#: Shorter values are texts, or too small to matter.
_LEAST = 256
#: Most values that are looked for; what follows counts as text.
_VALUES = 2000
# The names and marks that values stand behind which are no text, and whether they are files.
_MARKS = ((b'"data":', True), (b";base64,", True), (b'"encrypted_content":', False), (b'"signature":', False))
_SPACES = b" \t\r\n"
# Runs of base64 or hex, wherever they stand. Possessive: each character is looked at once.
_ENCODED = re.compile(rb"[A-Za-z0-9+/=_-]++")
_LEAST_ENCODED = 400
#: Bytes that are counted for each such run at least: of an image, a file, or a signature.
_RUN_BYTES = 1200
# Runs of one character, such as indentation, of which a token holds many.
_REPEATED = re.compile(rb"([^A-Za-z0-9])\1{7,63}+")
# Characters of the longest run that is found at once.
_LONGEST_REPEATED = 64


def measure_text(body: bytes | bytearray) -> int:
    """The bytes of text in a JSON body, at least 1. Linear: the body is searched a few times, in
    calls of bounded size."""
    text = len(body) - 4 * scan.count(body, b"\\u")
    for mark, is_file in _MARKS:
        at = scan.find(body, mark)
        for _ in range(_VALUES):
            if at < 0:
                break
            start = at + len(mark)
            end = _find_end(body, start, quoted=mark[-1:] == b":")
            size = end - start
            if (
                size >= _LEAST
                and b"\\" not in body[start : start + _LEAST]
                and b" " not in body[start + 2 : min(end, start + 66)]
            ):
                text -= size - (IMAGE_BYTES if is_file else 0)
            at = scan.find(body, mark, max(start, end))
    return max(1, text)


def measure_least_text(body: bytes | bytearray) -> int:
    """The bytes of text that a JSON body has at least: without anything that may be no text, and with runs of one
    character as one. Time grows with its size."""
    text = len(body) - 4 * scan.count(body, b"\\u")
    for size in _iter_encoded(body):
        if size >= _LEAST_ENCODED:
            text -= size - _RUN_BYTES
    for at in range(0, len(body), scan.STEP):
        text -= sum(found.end() - found.start() - 1 for found in _REPEATED.finditer(body, at, at + scan.STEP))
    # A run across the end of a step may not be found.
    text -= len(body) // scan.STEP * _LONGEST_REPEATED
    return max(0, text)


def _iter_encoded(body: bytes | bytearray) -> Iterator[int]:
    """The lengths of the runs that may be base64 or hex, found in calls of bounded size."""
    open_run = 0  # of a run that reaches the end of the step before
    for at in range(0, len(body), scan.STEP):
        stop = min(at + scan.STEP, len(body))
        if open_run and _ENCODED.match(body, at, at + 1) is None:
            yield open_run
            open_run = 0
        for found in _ENCODED.finditer(body, at, stop):
            length = found.end() - found.start()
            if found.start() == at:
                length += open_run
            open_run = length if found.end() == stop else 0
            if not open_run:
                yield length
    if open_run:
        yield open_run


def _find_end(body: bytes | bytearray, start: int, *, quoted: bool) -> int:
    """Where the value ends that begins at `start`, which is `start` for one that is no string. quoted: a quotation mark
    comes first."""
    if quoted:
        while start < len(body) and body[start] in _SPACES:
            start += 1
        if body[start : start + 1] != b'"':
            return start
        start += 1
    end = scan.find(body, b'"', start)
    return len(body) if end < 0 else end
