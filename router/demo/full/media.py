"""What demo-full sees in images, PDFs and audio. It loads nothing from the network."""

import base64
import binascii
import re
import struct
import zlib
from urllib.parse import urlsplit

from router.errors import BadRequest

_PNG = b"\x89PNG\r\n\x1a\n"
# Bytes of an image row that are unpacked at most.
_ROW = 65536
_COLOURS = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "red": (255, 0, 0),
    "green": (0, 160, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
}
# The text of a PDF whose streams are not compressed.
_SHOWN_TEXT = re.compile(rb"\(([^()\\]{1,1000})\) ?Tj")


def describe_url(url: str, kind: str) -> str:
    """What is at an address: the content of a data: URL, and of others their host. Raises BadRequest."""
    if not url.startswith("data:"):
        try:
            host = urlsplit(url).hostname
        except ValueError:
            host = None
        if not host:
            raise BadRequest(f"The {kind}'s URL is not valid.")
        return f"an {kind} at {host}, which the demo does not load"
    _, _, data = url.partition(",")
    return describe_data(data, kind)


def describe_data(data: str, kind: str) -> str:
    """What base64 holds: the colour of an image, the text of a PDF, the format of audio. Raises BadRequest."""
    try:
        raw = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise BadRequest(f"The {kind} is not valid base64.") from None
    return describe_bytes(raw, kind)


def describe_bytes(raw: bytes, kind: str) -> str:
    """The colour of an image, the text of a PDF, the format of audio. Raises BadRequest."""
    if raw.startswith(_PNG):
        return _name_colour(raw)
    if raw.startswith(b"%PDF-"):
        found = [text.decode("latin-1") for text in _SHOWN_TEXT.findall(raw)]
        return " ".join(found) or "a PDF"
    if raw.startswith(b"RIFF") and raw[8:12] == b"WAVE":
        return "audio"
    known = {b"\xff\xd8\xff": "a JPEG image", b"GIF8": "a GIF image", b"RIFF": "a WebP image", b"ID3": "audio"}
    for begin, name in known.items():
        if raw.startswith(begin):
            return name
    raise BadRequest(f"The {kind} could not be read: its format is not known.")


def _name_colour(raw: bytes) -> str:
    """The colour of the first pixel of a PNG of 8-bit RGB, with or without alpha; for others only that it is one."""
    try:
        width, _, depth, kind = struct.unpack(">IIBB", raw[16:26])
        packed, at = b"", 8
        while at < len(raw):
            size, name = struct.unpack(">I4s", raw[at : at + 8])
            packed += raw[at + 8 : at + 8 + size] if name == b"IDAT" else b""
            at += 12 + size
        row = zlib.decompressobj().decompress(packed, _ROW)
    except (struct.error, zlib.error):
        raise BadRequest("The image could not be read: it is not a valid PNG.") from None
    if depth != 8 or kind not in (2, 6) or not width or len(row) < 4:
        return "a PNG image"
    # Whatever its row's filter, the first pixel stands as it is.
    pixel = row[1:4]
    return min(_COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(_COLOURS[name], pixel, strict=True)))
