"""The reader of upstreams' answers, held against h11's client: the same bodies, the same answers refused.

Where the two differ, it is meant: a line before a chunk of over 4 KiB is refused, however it comes (h11: 64 KiB, where
it comes in parts); a head of over 64 KiB too; an answer that switches protocols is a head here and an error there; and
what stands behind the end is left alone.
"""

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from router.net.client.response_reader import (
    CHUNK_LINE_LIMIT,
    PrematureClose,
    ResponseReader,
    UnreadableAnswer,
)
from router.net.client.tunnels import HEAD_LIMIT

from ...growth import grows_evenly

INVALID, CUT = "invalid", "cut"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def read_by_h11(pieces, method):
    """Heads, body, how it ended (True for whole), and whether the connection may serve again."""
    conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_LIMIT)
    conn.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    conn.send(h11.EndOfMessage())
    heads, body = [], b""
    left = [*pieces, b""]
    try:
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                conn.receive_data(left.pop(0))
            elif isinstance(event, h11.InformationalResponse | h11.Response):
                heads.append((event.status_code, bytes(event.reason), list(map(bytes_of, event.headers.raw_items()))))
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                break
    except h11.RemoteProtocolError as error:
        return heads, body, CUT if str(error).startswith("peer ") or not conn._receive_buffer else INVALID, False
    whole = isinstance(event, h11.EndOfMessage)
    keeps = conn.their_state is h11.DONE and conn.trailing_data == (b"", False) and left == [b""]
    return heads, body, whole or CUT, whole and keeps


def bytes_of(pair):
    """A field without the type that h11 cut it out of."""
    return tuple(map(bytes, pair))


def read(pieces, method):
    """The same by the reader."""
    reader = ResponseReader()
    reader.start(method)
    heads, body = [], b""
    left = list(pieces)
    try:
        while not heads or heads[-1][0] < 200:
            head = reader.read_head()
            if head is not None:
                heads.append((head.status, head.reason, [(name, value) for name, _, value in head.lines]))
            elif left:
                reader.receive(left.pop(0))
            else:
                return heads, body, CUT, False
        while True:
            got = reader.read_body()
            body += got
            if reader.ended:
                break
            if got or reader.more:
                continue
            if left:
                reader.receive(left.pop(0))
            else:
                reader.close()
    except UnreadableAnswer:
        return heads, body, INVALID, False
    except PrematureClose:
        return heads, body, CUT, False
    return heads, body, True, reader.is_reusable and not left


def compare(pieces, method=b"POST"):
    """Assert that both read the same."""
    theirs, ours = read_by_h11(pieces, method), read(pieces, method)
    if any(head[0] == 101 for head in ours[0]):
        assert theirs[2] is not True
        return
    # An error is one: of a connection that closes within what is invalid, either may be said.
    assert (ours[2] is True) == (theirs[2] is True), (ours, theirs)
    if theirs[2] is True:
        assert ours == theirs
    else:
        assert ours[:2] == theirs[:2]


STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.1 404", b"HTTP/1.0 200 ", b"HTTP/1.1 304 N", b"HTTP/1.1 204 \xff"]
)
ODD_STATUS = st.sampled_from(
    [
        b"HTTP/2.0 200 OK",
        b"HTTP/1.1  200",
        b"HTTP/1.1 2000 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 099 X",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1 200 a\x00",
        b"HTTP/1.1 200 a\x0b",
        b"HTTP/1.1 200 \x1b\t ",
        b"HTTP/1.1 200\r",
        b"\rHTTP/1.1 200 X",
        b"",
    ]
)
FRAMING = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length:5",
        b"Content-Length: 5, 5",
        b"Content-Length: 0",
        b"Content-Length: 1",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: CHUNKED",
        b"Connection: close",
        b"Connection: x, CLOSE ,",
        b"Connection: keep-alive",
    ]
)
ODD_FIELD = st.sampled_from(
    [
        b"Content-Length: 5,6",
        b"Content-Length: ",
        b"Content-Length: +5",
        b"Content-Length: 05",
        b"Content-Length: 5,",
        b"Content-Length: " + b"9" * 20,
        b"Content-Length: " + b"9" * 21,
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: ",
        b" folded",
        b"\tfolded: too",
        b"  ",
        b"X : y",
        b": y",
        b"X",
        b"X: a\rb",
        b"X: a\x00b",
        b"X:  a\tb \t",
        b"X: \xff\x80",
        b"X: a\x0cb",
        b"X: a\x01b",
        b"X: a\r",
        b"X:",
        b"X\xff: y",
        b"a b: c",
    ]
)
FIELD = st.one_of(FRAMING, st.sampled_from([b"X-A: 1", b"Date: Thu, 01 Jan 2026 00:00:00 GMT", b"!#$%&'*+-.^_`|~9: z"]))
LINE_END = st.sampled_from([b"\r\n"] * 9 + [b"\n"])
BODY = st.one_of(
    st.sampled_from([b"", b"hello", b"hello!", b"hel", b"h"]),
    st.lists(
        st.sampled_from(
            [
                b"5\r\nhello\r\n",
                b"1\r\n\n\r\n",
                b'A;x="y"\r\n0123456789\r\n',
                b"0005 \t\r\nhello\r\n",
                b"2;\r\n\r\n\r\n",
                b"5\r\nhell\r\n",
                b"5\r\nhelloo\r\n",
                b"0x5\r\nhello\r\n",
                b"+1\r\nh\r\n",
                b"1_0\r\n",
                b" 5\r\nhello\r\n",
                b"5\nhello\r\n",
                b"5 ;x\r\nhello\r\n",
                b"5;a\nb\r\nhello\r\n",
                b"5;a\rb\r\nhello\r\n",
                b"\r\n",
                b"5\r\rhello",
                b"1" * 20 + b"\r\n",
                b"1" * 21 + b"\r\n",
                b"0\r\n\r\n",
                b"0\r\nX: y\r\n\r\n",
                b"0;x\r\n\n",
                b"0\r\n X: y\r\n\r\n",
                b"0\r\nX: y\n\n",
                b"0\r\nX: y\r\n z\r\n\r\n",
                b"0\r\nno colon\r\n\r\n",
                b"000\r\nContent-Length: x\r\n\r\n",
            ]
        ),
        max_size=5,
    ).map(b"".join),
)
HEAD = st.tuples(
    st.one_of(STATUS, STATUS, STATUS, ODD_STATUS),
    st.lists(st.one_of(FIELD, FIELD, FIELD, ODD_FIELD), max_size=4),
    LINE_END,
).map(lambda head: head[2].join([head[0], *head[1], b"", b""]))
INTERIM = st.sampled_from([b"", b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\nContent-Length: 9\n\n"])
# Bodies that are well framed come often enough to be read to their end.
WELL_FRAMED = st.sampled_from([CHUNKED, CHUNKED.replace(b"200", b"500")])
ANSWER = st.tuples(INTERIM, st.one_of(HEAD, WELL_FRAMED), BODY, st.sampled_from([b"", b"", b"0\r\n\r\n"])).map(b"".join)
CHANGE = st.tuples(st.integers(0, 200), st.binary(max_size=3), st.integers(0, 4))


def change(data, changes):
    """Some bytes put in and taken out."""
    for at, put, cut in changes:
        at = min(at, len(data))
        data = data[:at] + put + data[at + cut :]
    return data


def split(data, sizes):
    """The data cut at these sizes."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    return [piece for piece in (*pieces, data[at:]) if piece]


@settings(max_examples=600, deadline=None)
@given(
    ANSWER,
    st.lists(CHANGE, max_size=2),
    st.one_of(st.just([]), st.lists(st.integers(1, 30), max_size=20), st.just([1] * 400)),
    st.sampled_from([b"POST", b"POST", b"HEAD"]),
)
@example(CHUNKED + b"1\r\na\r\n0\r\nX: y", [], [], b"POST")
@example(b"HTTP/1.1 200 OK\r\n\r\nabc", [], [], b"POST")
@example(CHUNKED.replace(b"\r\n", b"\r\nContent-Length: 3\r\n", 1) + b"1\r\na\r\n0\r\n\r\n", [], [], b"POST")
def test_what_h11_reads_is_read_alike(data, changes, sizes, method):
    """Random and mutated answers, cut anywhere: heads, bodies, verdict, and whether the connection serves again."""
    compare(split(change(data, changes), sizes), method)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), max_size=40), st.lists(st.integers(1, 900), max_size=40))
def test_chunks_are_put_together_whatever_they_hold(pieces, sizes):
    """Chunks of any bytes, cut anywhere, give their body and nothing else."""
    data = CHUNKED + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    _, body, whole, keeps = read(split(data, sizes), b"POST")
    assert (body, whole, keeps) == (b"".join(pieces), True, True)


def test_the_chunks_of_a_read_come_as_one_piece():
    """A whole burst at once, with nothing more to take."""
    reader = ResponseReader()
    reader.start(b"POST")
    reader.receive(CHUNKED + b"5\r\nhello\r\n" * 500 + b"0\r\n\r\n")
    reader.read_head()
    assert reader.read_body() == b"hello" * 500
    assert (reader.ended, reader.more) == (True, False)


def test_many_small_chunks_are_taken_in_parts():
    """Others run between them: what one call takes is bounded, and it says that there is more."""
    reader = ResponseReader()
    reader.start(b"POST")
    reader.receive(CHUNKED + b"1\r\nx\r\n" * 10_000 + b"0\r\n\r\n")
    reader.read_head()
    sizes = []
    while not reader.ended:
        sizes.append(len(reader.read_body()))
        assert reader.ended or reader.more
    assert sum(sizes) == 10_000
    assert max(sizes) < 5000


def test_what_came_before_a_fault_is_given_out_first():
    """Then the fault, each time."""
    reader = ResponseReader()
    reader.start(b"POST")
    reader.receive(CHUNKED + b"1\r\nx\r\nzz\r\n")
    reader.read_head()
    assert reader.read_body() == b"x"
    for _ in range(2):
        with pytest.raises(UnreadableAnswer, match="illegal chunk header"):
            reader.read_body()


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * HEAD_LIMIT + b"\r\n\r\n",
        CHUNKED + b"5;" + b"x" * CHUNK_LINE_LIMIT + b"\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"5" + b" " * CHUNK_LINE_LIMIT + b"\r\nhello\r\n0\r\n\r\n",
        CHUNKED + b"0\r\nX: " + b"y" * HEAD_LIMIT + b"\r\n\r\n",
    ],
)
def test_lines_are_bounded_however_they_come(data):
    """Heads, the lines before chunks, and trailers."""
    assert read([data], b"POST")[2] == INVALID
    assert read(split(data, [7] * 20_000), b"POST")[2] == INVALID


@pytest.mark.parametrize("kind", ["chunks of a byte", "a chunk in bytes", "a head in bytes", "trailers in bytes"])
def test_the_work_grows_with_the_bytes(kind):
    """And not with their square."""
    pieces = {
        "chunks of a byte": lambda count: [CHUNKED, b"1\r\nx\r\n" * count, b"0\r\n\r\n"],
        "a chunk in bytes": lambda count: [CHUNKED, b"%x\r\n" % count, *[b"x"] * count, b"\r\n0\r\n\r\n"],
        "a head in bytes": lambda count: [
            b"HTTP/1.1 200 OK\r\n",
            *[b"A:b\r\n"] * (count // 4),
            b"Content-Length: 0\r\n\r\n",
        ],
        "trailers in bytes": lambda count: [CHUNKED, b"0\r\n", *[b"A:b\r\n"] * (count // 4), b"\r\n"],
    }[kind]

    def work(parts):
        assert read(parts, b"POST")[2] is True

    grows_evenly(pieces, work, 20_000, factor=3.2)
