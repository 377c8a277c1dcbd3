"""Requests as they are written to upstreams, held against h11's client."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import BadRequest
from router.net.client.request_writer import RequestWriter
from router.net.headers import to_lines

HOST = (b"Host", b"up.example")
PIECES = st.lists(st.binary(max_size=40), max_size=5)


def written(writer, pieces):
    """All of a request."""
    return b"".join([writer.head, *(part for piece in pieces for part in writer.frame(piece)), *writer.end()])


@given(PIECES, st.booleans())
def test_a_request_is_what_h11_writes(pieces, chunked):
    """Head and body, by its length and in chunks; empty pieces end nothing."""
    framing = (b"Transfer-Encoding", b"chunked") if chunked else (b"content-length", b"%d" % len(b"".join(pieces)))
    fields = [HOST, (b"X-A", b"\xff b"), framing, (b"x-a", b"")]
    conn = h11.Connection(h11.CLIENT)
    theirs = conn.send(h11.Request(method=b"POST", target=b"/v1?a=b", headers=fields))
    theirs += b"".join(conn.send(h11.Data(data=piece)) for piece in pieces)
    theirs += conn.send(h11.EndOfMessage())
    assert written(RequestWriter(b"POST", b"/v1?a=b", to_lines(fields)), pieces) == theirs


@pytest.mark.parametrize(
    ("method", "target", "fields"),
    [
        (b"GET", b"/", [(b"X", b"a\r\nY: b")]),
        (b"GET", b"/", [(b"X", b"a\nY: b")]),
        (b"GET", b"/", [(b"X", b"a\rb")]),
        (b"GET", b"/", [(b"X", b"a\x00b")]),
        (b"GET", b"/", [(b"X\r\nY", b"b")]),
        (b"GET", b"/a b", []),
        (b"GET", b"/a\r\nX: y", []),
        (b"GET", b"/\xff", []),
        (b"GET", b"", []),
        (b"G ET", b"/", []),
    ],
)
def test_what_would_be_another_request_is_refused(method, target, fields):
    """Line ends and NUL in a field, and all that is no path or method."""
    with pytest.raises(BadRequest):
        RequestWriter(method, target, to_lines([HOST, *fields]))


def test_a_body_of_another_length_than_its_head_says_is_refused():
    """Its end would be read as the beginning of the next request."""
    lines = to_lines([HOST, (b"Content-Length", b"3")])
    with pytest.raises(ValueError, match="longer"):
        written(RequestWriter(b"POST", b"/", lines), [b"ab", b"cd"])
    with pytest.raises(ValueError, match="shorter"):
        written(RequestWriter(b"POST", b"/", lines), [b"ab"])
