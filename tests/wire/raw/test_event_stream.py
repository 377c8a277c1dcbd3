"""Amazon's event stream: cut at any byte, broken in any way, and read as the vendor's own library reads it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.raw.event_stream import HEADERS_LIMIT, PAYLOAD_LIMIT, Decoder

from ...providers.event_frames import crc32, write_event, write_exception, write_message

STREAM = b"".join(
    (
        write_event(b'{"type":"message_start"}'),
        write_message([], b""),
        write_event(b'{"type":"message_stop"}'),
        write_exception("throttlingException", message="Too many tokens"),
    )
)
#: Of each type, the value as it is written, and as it is read.
VALUES = {
    "true": (True, True),
    "false": (False, False),
    "byte": ((2, b"\xff"), -1),
    "short": ((3, b"\x80\x00"), -32768),
    "integer": ((4, b"\x00\x00\x01\x00"), 256),
    "long": ((5, b"\xff" * 8), -1),
    "bytes": (b"\x00\xff", b"\x00\xff"),
    "string": ("Grüße", "Grüße"),
    "timestamp": ((8, b"\x00" * 6 + b"\x03\xe8"), 1000),
    "uuid": ((9, b"0123456789abcdef"), b"0123456789abcdef"),
}


def read(data, size=0):
    """The messages of a stream that comes in pieces of a size, 0 for one piece; and why it ended."""
    decoder, found = Decoder(), []
    for at in range(0, len(data), size or len(data)):
        found += decoder.feed(data[at : at + (size or len(data))])
    return found, decoder.problem, decoder.size


def prelude(total, headers):
    """The first bytes of a message with these lengths."""
    lengths = struct.pack(">II", total, headers)
    return lengths + struct.pack(">I", crc32(lengths))


@pytest.mark.parametrize("size", [1, 7, 12, 64])
def test_wherever_it_is_cut(size):
    """A stream in pieces of any size is what it is in one."""
    whole = read(STREAM)
    assert [message.text(":message-type") for message in whole[0]] == ["event", "", "event", "exception"]
    assert whole[1:] == ("", 0)
    assert read(STREAM, size) == whole


@pytest.mark.parametrize("cut", range(len(STREAM)))
def test_one_cut(cut):
    """At every byte, and a stream that ends there says how much waits."""
    decoder = Decoder()
    first = decoder.feed(STREAM[:cut])
    assert decoder.problem == ""
    assert decoder.size < cut or not first
    assert first + decoder.feed(STREAM[cut:]) == read(STREAM)[0]


@pytest.mark.parametrize("name", VALUES)
def test_a_header_of_each_type(name):
    """Its value is read by its type, and others stand behind it."""
    written, expected = VALUES[name]
    [message], problem, _ = read(write_message([("before", "a"), (name, written), ("after", "b")], b"payload"))
    assert (message.headers, message.payload) == ({"before": "a", name: expected, "after": "b"}, b"payload")
    assert type(message.headers[name]) is type(expected)
    assert problem == ""


BAD = {
    "the lengths' checksum": (STREAM[:8] + b"\x00\x00\x00\x00" + STREAM[12:], "checksum of a message's lengths"),
    "a bit of the payload": (STREAM[:120] + bytes((STREAM[120] ^ 1,)) + STREAM[121:], "checksum of a message is wrong"),
    "text": (b"data: {}\n\n" * 3, "checksum of a message's lengths"),
    "a giant": (prelude(PAYLOAD_LIMIT + 17, 0), "over 24 MiB"),
    "the largest number": (prelude(0xFFFFFFFF, 0), "over 24 MiB"),
    "giant headers": (prelude(HEADERS_LIMIT + 17, HEADERS_LIMIT + 1), "headers over 128 KiB"),
    "shorter than its headers": (prelude(20, 8), "contradict"),
    "shorter than itself": (prelude(3, 0), "contradict"),
    "a type of headers nobody knows": (write_message([("a", (10, b"\x00" * 9))], b""), "unknown type 10"),
    "a header twice": (write_message([("a", "1"), ("a", "2")], b""), "twice"),
    "a number that is cut": (write_message([("a", (5, b"\x00"))], b""), "broken headers"),
    "a text that is cut": (write_message([("a", (7, b"\x00\x09abc"))], b""), "broken headers"),
    "a uuid that is cut": (write_message([("a", (9, b"abc"))], b""), "broken headers"),
    "no UTF-8": (write_message([("a", (7, b"\x00\x01\xff"))], b""), "broken headers"),
    "a name that is cut": (write_message([("a", True)], b"")[:8], ""),
}


@pytest.mark.parametrize("size", [0, 1])
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read(name, size):
    """What came before it is read, it is told why the rest is not, and nothing more is held."""
    data, word = BAD[name]
    good = write_event(b'{"type":"ping"}')
    found, problem, _ = read(good + data, size)
    assert len(found) == 1
    assert word in problem
    assert bool(word) is bool(problem)
    decoder = Decoder()
    decoder.feed(data)
    if word:
        assert decoder.size == 0
        assert decoder.feed(good) == []


def test_a_large_message():
    """One of the largest payload comes whole in pieces, and is not refused."""
    payload = b"x" * PAYLOAD_LIMIT
    data = write_message([(":message-type", "event")], payload)
    found, problem, size = read(data, 1 << 20)
    assert [one.payload == payload for one in found] == [True]
    assert (problem, size) == ("", 0)


NAMES = st.text(max_size=20).filter(lambda name: len(name.encode()) < 256)
HEADERS = st.dictionaries(
    NAMES,
    st.one_of(
        st.booleans(),
        st.binary(max_size=40),
        st.text(max_size=40),
        st.tuples(st.just(2), st.binary(min_size=1, max_size=1)),
        st.tuples(st.just(3), st.binary(min_size=2, max_size=2)),
        st.tuples(st.just(4), st.binary(min_size=4, max_size=4)),
        st.tuples(st.sampled_from((5, 8)), st.binary(min_size=8, max_size=8)),
        st.tuples(st.just(9), st.binary(min_size=16, max_size=16)),
        st.tuples(st.integers(10, 255), st.binary(max_size=4)),
    ),
    max_size=5,
)
MESSAGES = st.lists(st.tuples(HEADERS, st.binary(max_size=60)), min_size=1, max_size=4)


def read_by_botocore(data, size):
    """The messages by the vendor's library, and whether it went on to the end."""
    eventstream = pytest.importorskip("botocore.eventstream")
    buffer, found = eventstream.EventStreamBuffer(), []
    try:
        for at in range(0, len(data), size):
            buffer.add_data(data[at : at + size])
            found += [(dict(message.headers), message.payload) for message in buffer]
    except (eventstream.ParserError, KeyError, struct.error, UnicodeDecodeError):
        return found, False
    return found, True


@given(MESSAGES, st.integers(1, 90), st.data())
def test_as_the_vendors_library(messages, size, data):
    """Random messages, whole or with a byte changed or cut off, are read as botocore reads them, or not at all."""
    stream = b"".join(write_message(list(headers.items()), payload) for headers, payload in messages)
    changed = bytearray(stream)
    if data.draw(st.booleans(), "broken"):
        at = data.draw(st.integers(0, len(stream) - 1), "at")
        changed[at] ^= data.draw(st.integers(0, 255), "bits")
        del changed[data.draw(st.integers(0, len(stream)), "end") :]
    expected, good = read_by_botocore(bytes(changed), size)
    found, problem, _ = read(bytes(changed), size)
    assert [(dict(one.headers), one.payload) for one in found] == expected
    assert (problem == "") is good
