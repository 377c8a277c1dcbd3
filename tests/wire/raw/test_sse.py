"""Server-sent events are cut at their borders wherever the network cut them, and no byte changes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.raw import scan, sse

# name -> stream, events (name, data), what is left without its blank line
GOLDEN = {
    "lf": (b"event: a\ndata: 1\n\ndata: 2\n\n", [("a", b"1"), ("", b"2")], b""),
    "crlf": (b"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", [("a", b"1"), ("", b"2")], b""),
    "cr": (b"event: a\rdata: 1\r\rdata: 2\r\r", [("a", b"1"), ("", b"2")], b""),
    "mixed": (b"event: a\r\ndata: 1\n\rdata: 2\r\r\ndata: 3\n\r\n", [("a", b"1"), ("", b"2"), ("", b"3")], b""),
    "bom": (b"\xef\xbb\xbfdata: 1\n\n", [("", b"1")], b""),
    "comments": (b": hello\n\ndata: 1\n: inside\n\n:\n\n", [("", b"1")], b""),
    "several data lines": (b"data: 1\ndata:2\ndata\ndata:  3\n\n", [("", b"1\n2\n\n 3")], b""),
    "unknown fields": (b"id: 7\nretry: 5\nDATA: no\ndata: 1\n\n", [("", b"1")], b""),
    "line separators": (
        'data: {"t":"a\u2028b\u2029c\x85d\x0be"}\n\n'.encode(),
        [("", '{"t":"a\u2028b\u2029c\x85d\x0be"}'.encode())],
        b"",
    ),
    "escaped ends": (b'data: {"t":"a\\n\\ndata: b"}\n\n', [("", b'{"t":"a\\n\\ndata: b"}')], b""),
    "colons": (b"data: a: b\nevent:x\n\n", [("x", b"a: b")], b""),
    "no final blank line": (b"data: 1\n\nevent: b\ndata: 2\n", [("", b"1")], b"event: b\ndata: 2\n"),
    "only an end": (b"\n", [], b"\n"),
    "not utf-8": (b"data: \xff\n\n", [("", b"\xff")], b""),
    "blank lines between": (b"data: 1\n\n\n\n\ndata: 2\n\n", [("", b"1"), ("", b"2")], b""),
}


def read(pieces):
    """The batches that a splitter gives, the events in them, and what it still holds."""
    splitter = sse.Splitter()
    batches = [batch for batch in map(splitter.feed, pieces) if batch]
    found = [tuple(event) for batch in batches for _, event in sse.parse_events(batch) if event.data]
    return batches, found, splitter.tail


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


@pytest.mark.parametrize("name", GOLDEN)
def test_a_stream_fed_whole_gives_its_events(name):
    """Whole, each stream of the table gives its events; what has no blank line yet is held."""
    stream, events, tail = GOLDEN[name]
    batches, found, held = read([stream])
    assert found == events
    assert held == tail
    assert b"".join(batches) + held == stream


@pytest.mark.parametrize("name", GOLDEN)
def test_a_stream_fed_byte_by_byte_gives_the_same_events(name):
    """Byte by byte the events are the same and no byte is lost."""
    stream, events, _ = GOLDEN[name]
    batches, found, held = read([stream[at : at + 1] for at in range(len(stream))])
    assert found == events
    assert b"".join(batches) + held == stream


@pytest.mark.parametrize("name", GOLDEN)
def test_a_stream_cut_anywhere_gives_the_same_events(name):
    """Cut in two at any place the events are the same and no byte is lost."""
    stream, events, _ = GOLDEN[name]
    for cut in range(1, len(stream)):
        batches, found, held = read([stream[:cut], stream[cut:]])
        assert found == events
        assert b"".join(batches) + held == stream


TOKENS = st.sampled_from(
    [b"\n", b"\r", b"\r\n", b"\n\n", b"data: x", b"data:", b":", b"event: e", b"\xe2\x80\xa8", b"\xff"]
)
STREAMS = st.tuples(st.sampled_from([b"", b"\xef\xbb\xbf"]), st.lists(TOKENS, max_size=24)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)


def cut_at(data, places):
    """The data in pieces."""
    places = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


@settings(max_examples=400)
@given(STREAMS, st.lists(st.integers(min_value=0), max_size=8))
def test_the_splitter_keeps_every_byte_and_ends_at_borders(stream, places):
    """However it is fed: the bytes come out as they went in, each batch ends at a border, the events are the same."""
    batches, found, held = read(cut_at(stream, places))
    assert b"".join(batches) + held == stream
    sent = 0
    for batch in batches:
        sent += len(batch)
        assert sent in borders(stream[:sent])
    assert found == read([stream])[1]


@settings(max_examples=400)
@given(STREAMS)
def test_the_last_border_is_found(stream):
    """The border found is one, and nothing but further line ends stands between it and the last."""
    found, expected = sse.find_last_border(stream, 0), borders(stream)
    assert (found > 0) == bool(expected)
    if expected:
        assert found in expected
        assert not stream[found : expected[-1]].strip(b"\r\n")


@settings(max_examples=200)
@given(STREAMS)
def test_events_end_where_their_blank_lines_end(stream):
    """The offsets beside the events are borders, in order: cut there, the pieces are the stream again."""
    ends = [end for end, _ in sse.parse_events(stream)]
    assert ends == sorted(set(ends))
    assert set(ends) <= set(borders(stream))


def test_an_event_of_the_limit_is_held_and_one_byte_more_is_refused():
    """32 MiB may wait for their blank line, not more; events before them do not count."""
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\n" + b"x" * sse.EVENT_LIMIT) == b"data: 1\n\n"
    with pytest.raises(sse.EventTooLarge):
        splitter.feed(b"x")


def test_a_whole_batch_over_the_limit_passes():
    """The limit is for one event without an end, not for many whole ones."""
    splitter = sse.Splitter(limit=16)
    assert splitter.feed(b"data: 1\n\n" * 10) == b"data: 1\n\n" * 10


@pytest.mark.parametrize(("name", "framed"), [("", b"data: {}\n\n"), ("ping", b"event: ping\ndata: {}\n\n")])
def test_a_frame_is_one_event(name, framed):
    """What `frame` writes, `events` reads."""
    assert sse.frame(b"{}", name) == framed
    assert [event for _, event in sse.parse_events(framed)] == [sse.Event(name, b"{}")]


@pytest.mark.parametrize("size", [1 << 20, 1 << 22])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_the_work_for_a_large_event_is_linear(monkeypatch, size, end):
    """Each byte is searched about once and joined once, however many reads an event takes."""
    searched = []
    find = sse.find_last_border

    def counted(data, start, stop=None):
        searched.append(len(data) - start)
        return find(data, start, stop)

    monkeypatch.setattr(sse, "find_last_border", counted)
    splitter = sse.Splitter()
    event = b"data: " + b"x" * size + end
    got = [splitter.feed(event[at : at + 4096]) for at in range(0, len(event), 4096)]
    assert b"".join(got) == event
    assert [len(one) for one in got if one] == [len(event)]
    assert sum(searched) <= 1.01 * len(event) + 4096
    assert (splitter.size, splitter.tail) == (0, b"")


def test_the_tail_can_be_read_at_any_time():
    """Reading it changes nothing."""
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1") == b""
    assert splitter.feed(b"2\r\n") == b""
    assert (splitter.tail, splitter.size) == (b"data: 12\r\n", 10)
    assert splitter.feed(b"\r") == b"data: 12\r\n\r"
    assert splitter.feed(b"\ndata: 3\n\n") == b"\ndata: 3\n\n"


@pytest.mark.parametrize(
    ("tail", "whole"),
    [
        (b"data: 1", b"data: 1\n\n"),
        (b"data: 1\n", b"data: 1\n\n"),
        (b"id: 1\r\ndata: 1", b"id: 1\r\ndata: 1\r\n\r\n"),
        (b"data: 1\r\n", b"data: 1\r\n\r\n"),
        (b"data: 1\r", b"data: 1\r\r"),
    ],
)
def test_a_last_event_is_completed(tail, whole):
    """With the line ends that it uses itself, so that readers see one event."""
    assert sse.complete_event(tail) == whole
    assert [event.data for _, event in sse.parse_events(whole)] == [b"1"]


@pytest.mark.parametrize(
    ("block", "event"),
    [
        (b'error: {"message":"no"}', sse.Event("error", b'{"message":"no"}')),
        (b"error: no", sse.Event("error", b"no")),
        (b"error:", sse.Event("", b"")),
        (b"data: 1\nerror: 2", sse.Event("", b"1")),
        (b"errors: 2", sse.Event("", b"")),
    ],
)
def test_an_error_line_is_an_event(block, event):
    """A line `error: {...}` without any data is an event of that name, as no standard has it."""
    assert sse.parse_event(block) == event


PARTS = st.sampled_from([b"data: ", b"event: a", b"a" * 9, b"\n", b"\r", b"\r\n", b"\n\n", b": c", b"error: x"])


def told_by(stream):
    """What a read brings."""
    return (
        list(sse.payloads(stream)),
        list(sse.parse_events(stream)),
        sse.find_last_border(stream, 0),
        sse.find_next_border(stream, 3),
    )


@given(st.lists(PARTS))
def test_large_reads_give_the_same_events(pieces):
    """What is read in steps, because it is large, is what is read at once."""
    stream = b"".join(pieces) + b"\n\n"
    expected = told_by(stream)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "STEP", 7)
        patch.setattr(sse, "_SEARCHED", 5)
        patch.setattr(sse, "_GROUP", 2)
        assert told_by(stream) == expected


class Watched(bytes):
    """Bytes that note how much of them one call copies."""

    copied = 0

    def __getitem__(self, key):
        found = super().__getitem__(key)
        if isinstance(key, slice):
            Watched.copied = max(Watched.copied, len(found))
        return found


@pytest.mark.parametrize("read", [sse.parse_events, sse.payloads, lambda data: [(0, sse.parse_event(data))]])
@pytest.mark.parametrize("blanks", [b"", b" \t"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("kind", [b"data: ", b"event: a\ndata: ", b"data: 1\ndata:", b"error: ", b": ", b"event: "])
def test_a_large_event_is_read_in_steps(monkeypatch, kind, end, blanks, read):
    """No call copies more of it than a step: others run between two."""
    monkeypatch.setattr(Watched, "copied", 0)
    size = 3 * scan.STEP
    list(read(Watched((kind + blanks + b"x" * size + blanks + b"\n\n").replace(b"\n", end))))
    assert 0 < Watched.copied <= scan.STEP + len(b"\r\n")


@given(st.binary(max_size=8), st.integers(0, 30), st.integers(0, 30))
def test_large_bytes_are_stripped_as_small_ones(data, before, behind):
    """Whatever stands at the ends of a step."""
    whole = b" " * before + data + b"\n" * behind
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "STEP", 5)
        assert scan.strip(whole) == whole.strip()


@pytest.mark.parametrize("event", [b"data: ", b"data:", b"data:  ", b"event: ping\ndata: ", b"data: " + b" " * 20])
def test_an_event_without_data_has_no_payload(event, monkeypatch):
    """However it is written, in small reads and in large ones: servers keep connections open by such events."""
    assert list(sse.payloads(event + b"\n\ndata: 1\n\n")) == [("", b"1")]
    monkeypatch.setattr(scan, "STEP", 8)
    assert list(sse.payloads(event + b"\n\ndata: 1\n\n")) == [("", b"1")]


@given(st.lists(PARTS, min_size=1), st.integers(4, 12))
def test_a_read_is_cut_between_events(pieces, size):
    """In parts that are read as the whole is, none of which begins with the LF of a CR LF."""
    stream = b"".join(pieces) + b"\n\n"
    at, parts = 0, []
    while at < len(stream):
        cut = sse.find_cut(stream, at, size)
        assert stream[cut - 1 : cut + 1] != b"\r\n"
        parts.append(stream[at:cut])
        at = cut
    assert b"".join(parts) == stream
    assert [one for part in parts for one in sse.payloads(part)] == list(sse.payloads(stream))
