"""The inputs that probes send are valid files of their kinds."""

import base64
import io
import re
import struct
import wave
import zlib

from router.conform.forms.small_inputs import make_pdf, make_png, make_wav


def test_png():
    """The chunks have right sums, and the rows the colour."""
    raw, at, kinds, rows = base64.b64decode(make_png((1, 2, 3), side=5)), 8, [], b""
    while at < len(raw):
        size, kind = struct.unpack(">I4s", raw[at : at + 8])
        data = raw[at + 8 : at + 8 + size]
        assert struct.unpack(">I", raw[at + 8 + size : at + 12 + size]) == (zlib.crc32(kind + data),)
        kinds.append(kind)
        rows += zlib.decompress(data) if kind == b"IDAT" else b""
        at += 12 + size
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert rows == (b"\0" + b"\1\2\3" * 5) * 5


def test_pdf():
    """The table of its end points at each object, and at itself."""
    raw = base64.b64decode(make_pdf("The code word is lychee."))
    places = [int(place) for place in re.findall(rb"(\d{10}) 00000 n ", raw)]
    assert [raw[place:].split(b" ")[0] for place in places] == [b"1", b"2", b"3", b"4", b"5"]
    assert raw[int(raw.split(b"startxref\n")[1].split(b"\n")[0]) :].startswith(b"xref\n")
    length, shown = re.search(rb"/Length (\d+) >>\nstream\n(.*)\nendstream", raw).groups()
    assert int(length) == len(shown)


def test_wav():
    """The standard library reads it."""
    with wave.open(io.BytesIO(base64.b64decode(make_wav(seconds=0.1)))) as found:
        assert (found.getnchannels(), found.getsampwidth(), found.getnframes()) == (1, 2, 800)
