"""Fuzz target: server-sent events. Oracle: a slow reading of WHATWG HTML 9.2, and the limit of an event."""

import pytest

from router.wire.raw import sse

from .mutation import MILLION, cases, cut, spoilt

SEEDS = (
    b'event: message_start\ndata: {"type":"message_start"}\n\nevent: ping\ndata: {}\n\n',
    b"data: 1\r\n\r\n: comment\r\n\r\ndata: 2\r\ndata: 3\r\n\r\n",
    b"data: a\rdata: b\r\revent: x\r\r",
    'data: {"t":"a\u2028b\x85"}\n\ndata: [DONE]\n\n'.encode(),
    b"\xef\xbb\xbfdata\n\nid: 7\nretry: 5\n\n\n\n",
    b"",
)
WORDS = (b"data: ", b"data", b"event: x", b"\r\r", b"\n\r\n", b": c", "\u2028".encode(), b"\xef\xbb\xbf")

# A blank line more than an event needs.
SPARE = 2


def borders(data):
    """Slow and plain: the offset behind each empty line that follows another line."""
    found = []
    line = at = 0
    while at < len(data):
        if data[at : at + 1] not in (b"\r", b"\n"):
            at += 1
            continue
        end = at + (2 if data[at : at + 2] == b"\r\n" else 1)
        if at == line > 0:
            found.append(end)
        line = at = end
    return found


def fields(block):
    """Slow and plain: name and data of one event."""
    text = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").removeprefix(b"\xef\xbb\xbf")
    name, lines = b"", []
    for line in text.split(b"\n"):
        key, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if key == b"event":
            name = value[:256]
        elif key == b"data":
            lines.append(value)
    return name.decode("utf-8", "replace"), b"\n".join(lines)


def stands_at_border(data, at):
    """True behind an empty line; its LF may come later than its CR and then stands before the next event."""
    ends = borders(data)
    return at in ends or (data[at - 1 : at + 1] == b"\r\n" and at + 1 in ends)


def check(data, pieces, limit):
    """One stream, cut anywhere."""
    splitter = sse.Splitter(limit)
    given = b""
    for at, piece in enumerate(pieces):
        try:
            batch = splitter.feed(piece)
        except sse.EventTooLarge:
            seen = b"".join(pieces[: at + 1])
            assert len(seen) - max([0, *borders(seen)]) > limit - SPARE
            return
        given += batch
        assert data.startswith(given + splitter.tail)
        assert len(splitter.tail) <= limit
        assert not batch or stands_at_border(given + splitter.tail, len(given))
    assert given + splitter.tail == data
    ends = borders(data)
    assert not given or stands_at_border(data, len(given))
    # Of several blank lines the last may wait for the next event; no event does.
    assert not any(data[len(given) : end].strip(b"\r\n") for end in ends if end > len(given))
    found = list(sse.parse_events(given))
    assert [tuple(event) for _, event in found] == [
        fields(given[start:end]) for start, (end, _) in zip([0, *(end for end, _ in found)], found, strict=False)
    ]


@pytest.mark.parametrize("count", [5000, MILLION])
def test_sse(count):
    """Every byte comes out, cut at borders alone, and events read as they do slowly."""
    for chance in cases("sse", count):
        data = b"".join(spoilt(chance, chance.choice(SEEDS), WORDS) for _ in range(chance.randrange(1, 4)))
        pieces = cut(chance, data)
        try:
            check(data, pieces, chance.choice((10, 100, 1 << 20)))
        except AssertionError as error:
            raise AssertionError(f"{pieces!r}") from error
