"""How much of a request's body is text that a model reads as tokens.

Not counted are base64 of files and images, sealed reasoning and signatures; an image counts as the text of as many
tokens as it takes. A character that is written as `\\uXXXX` counts as the two bytes that most such characters have.
"""

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
