"""Content codings: every one of them whole, in pieces, cut, spoilt, one over another, and as a bomb."""

import gzip
import random
import sys
import tracemalloc
import zlib
from functools import partial

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.raw.content_coding import (
    CODINGS_LIMIT,
    STEP,
    Decoder,
    Malformed,
    OverLimit,
    UnknownCoding,
    parse_codings,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


# name -> field, what packs
PACKERS = {
    "gzip": (b"gzip", gzip.compress),
    "x-gzip": (b"X-GZIP", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "raw deflate": (b"deflate", raw_deflate),
    "br": (b"br", partial(brotli.compress, quality=5)),
    "zstd": (b"zstd", zstd.compress),
}
TEXTS = (b"", b"x", b'{"model":"m"}' * 50, random.Random(1).randbytes(70_000), b"\0" * (3 * STEP + 5))


@pytest.fixture(params=PACKERS)
def packer(request):
    """A coding's field, and what packs in it."""
    return PACKERS[request.param]


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_whole(packer, text):
    """What was packed comes out, and the end is known."""
    field, pack = packer
    decoder = Decoder(field)
    assert decoder.decode(pack(text), len(text) or 1) == text
    assert decoder.whole


@pytest.mark.parametrize("text", TEXTS[:4], ids=len)
def test_byte_by_byte(packer, text):
    """The same when each byte comes alone."""
    field, pack = packer
    decoder = Decoder(field)
    packed = pack(text)
    assert b"".join(decoder.decode(packed[at : at + 1], 1 << 20) for at in range(len(packed))) == text
    assert decoder.whole


def test_every_cut_shows(packer):
    """A body cut anywhere is never whole, and what came is its beginning."""
    field, pack = packer
    packed = pack(TEXTS[2])
    for end in range(len(packed)):
        decoder = Decoder(field)
        assert TEXTS[2].startswith(decoder.decode(packed[:end], 1 << 20))
        assert not decoder.whole


@pytest.mark.parametrize("more", [b"\0", b"garbage that is long enough for any head", b"\x1f\x8b"])
def test_garbage_behind_the_end_shows(packer, more):
    """Two readers could take it for different bodies: it is an error, or the body is not whole."""
    field, pack = packer
    for pieces in ((pack(b"hello") + more,), (pack(b"hello"), more)):
        decoder = Decoder(field)
        try:
            for piece in pieces:
                decoder.decode(piece, 1 << 20)
        except Malformed:
            continue
        assert not decoder.whole


@settings(max_examples=200)
@given(st.sampled_from(sorted(PACKERS)), st.binary(max_size=300), st.data())
def test_spoilt_bytes_are_malformed_or_give_something(name, text, data):
    """Any change of any byte ends in Malformed, OverLimit, or some bytes: in nothing else."""
    field, pack = PACKERS[name]
    packed = bytearray(pack(text))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert len(Decoder(field).decode(bytes(packed), 4096)) <= 4096
    except (Malformed, OverLimit):
        return


@settings(max_examples=60)
@given(st.lists(st.sampled_from(sorted(PACKERS)), min_size=2, max_size=CODINGS_LIMIT), st.binary(max_size=500))
def test_several_codings_come_off_in_their_order(names, text):
    """The field lists them as they were applied (RFC 9110, 8.4)."""
    packed = text
    for name in names:
        packed = PACKERS[name][1](packed)
    decoder = Decoder(b", ".join(PACKERS[name][0] for name in names))
    assert decoder.decode(packed, 1 << 20) == text
    assert decoder.whole


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_members_follow_each_other(name):
    """gzip members and zstd frames are one body; a skippable frame says nothing."""
    field, pack = PACKERS[name]
    skipped = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc" if name == "zstd" else b""
    packed = pack(b"one ") + skipped + pack(b"two")
    decoder = Decoder(field)
    assert decoder.decode(packed, 100) == b"one two"
    assert decoder.whole


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_empty_members_do_not_work_for_ever(name):
    """Each costs time and gives nothing that a limit would see."""
    field, pack = PACKERS[name]
    with pytest.raises(Malformed, match="members"):
        Decoder(field).decode(pack(b"") * 1001, 100)


def test_limit_is_exact(packer):
    """As many bytes as the limit pass, one more does not."""
    field, pack = packer
    assert len(Decoder(field).decode(pack(b"x" * 5000), 5000)) == 5000
    with pytest.raises(OverLimit):
        Decoder(field).decode(pack(b"x" * 5001), 5000)


@pytest.mark.parametrize("times", [1, 2])
def test_a_bomb_holds_no_more_than_the_limit(packer, times):
    """64 MiB of zeros, packed once and twice: what is allocated is the limit and some steps."""
    field, pack = packer
    bomb = pack(b"\0" * (1 << 26))
    for _ in range(times - 1):
        bomb = pack(bomb)
    tracemalloc.start()
    try:
        with pytest.raises(OverLimit):
            Decoder(b", ".join([field] * times)).decode(bomb, 8 << 20)
        assert tracemalloc.get_traced_memory()[1] < (8 << 20) + 6 * STEP
    finally:
        tracemalloc.stop()


def test_an_inner_bomb_without_output_is_one_too():
    """What one coding gives another counts, though nothing comes out in the end."""
    empty = gzip.compress(gzip.compress(b"") * 200_000)
    with pytest.raises((OverLimit, Malformed)):
        Decoder(b"gzip, gzip").decode(empty, 1 << 20)


def test_a_window_over_8_mib_is_refused():
    """RFC 9659: no sender may ask for more memory than that."""
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(Malformed, match="memory"):
        Decoder(b"zstd").decode(packer.compress(b"hello") + packer.flush(), 100)


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (b"", []),
        (b"identity", []),
        (b" GZip ,, identity,Br ", ["gzip", "br"]),
        (b"\xff", ["\xff"]),
    ],
)
def test_names(field, names):
    """Lower-case, without identity and empty elements."""
    assert parse_codings(field) == names


def test_identity_passes_everything():
    """It has no end to miss."""
    decoder = Decoder(b"identity")
    assert decoder.decode(b"anything", 1) == b"anything"
    assert decoder.whole


@pytest.mark.parametrize("field", [b"compress", b"gzip, aes128gcm", b"gzip;q=1", b"\xff"])
def test_others_are_unknown(field):
    """And are named."""
    with pytest.raises(UnknownCoding):
        Decoder(field)


def test_too_many_codings_are_malformed():
    """Each multiplies what a bomb costs."""
    with pytest.raises(Malformed, match="codings"):
        Decoder(b", ".join([b"gzip"] * (CODINGS_LIMIT + 1)))
