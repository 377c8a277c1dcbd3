"""The relay of an event stream: commit point, whole events, pings, deadlines, ends."""

import gzip
import json
import sys
import zlib

import brotli
import pytest

from router.errors import BadGateway
from router.exchange.client_response.relay import PREAMBLE_LIMIT, Relay
from router.exchange.client_response.stream_timeouts import StreamTimeouts
from router.net.client.exchange import UpstreamDisconnected
from router.net.server.cancel_reason import CancelReason
from router.wire.dialect import Failure
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.raw.content_coding import Decoder
from router.wire.tap import Tap

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKED = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress, "zstd": zstd.compress}
PROTOCOLS = ("messages", "chat", "responses")


def events(*payloads):
    """Framed events, named by their type."""
    return b"".join(sse.frame(json.dumps(payload).encode(), payload.get("type", "")) for payload in payloads)


def chunk(finish=None, **delta):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


PREAMBLE = {
    "messages": events({"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 3}}}),
    "chat": events(chunk(role="assistant", content="")),
    "responses": events(
        {"type": "response.created", "sequence_number": 0, "response": {"id": "resp_1", "created_at": 1}},
        {"type": "response.in_progress", "sequence_number": 1, "response": {"id": "resp_1"}},
    ),
}
CONTENT = {
    "messages": events({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    "chat": events(chunk(content="Hi")),
    "responses": events({"type": "response.output_item.added", "sequence_number": 2, "output_index": 0}),
}
END = {
    "messages": events({"type": "message_delta", "usage": {"output_tokens": 5}}, {"type": "message_stop"}),
    "chat": events(chunk(finish="stop")) + b"data: [DONE]\n\n",
    "responses": events({"type": "response.completed", "sequence_number": 3, "response": {"id": "resp_1"}}),
}
ERROR = {
    "messages": events({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}),
    "chat": events({"error": {"code": 529, "message": "busy"}}),
    "responses": events(
        {"type": "error", "sequence_number": 2, "error": {"code": "overloaded_error", "message": "busy"}}
    ),
}
PINGS = {
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "chat": b": keep-alive\n\n",
    "responses": b'event: keepalive\ndata: {"type":"keepalive"}\n\n',
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_is_relayed_byte_for_byte(relayed, protocol):
    """In one piece or many, what came is what goes, and its end is marked."""
    stream = PREAMBLE[protocol] + CONTENT[protocol] + END[protocol]
    for script in ([stream], [stream[at : at + 7] for at in range(0, len(stream), 7)]):
        seen = relayed(protocol, *script)
        assert seen.body == stream
        assert seen.whole
        assert seen.outcome is None
        assert seen.committed
        assert seen.tap.ended is True


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_sent_before_the_first_content(relayed, protocol):
    """Preamble, comments and pings of the upstream wait; no ping of ours goes out; then all comes in order."""
    comment = b": processing\n\n"
    seen = relayed(protocol, comment, PREAMBLE[protocol], 100, comment, 50, CONTENT[protocol], 1, END[protocol])
    assert seen.began == pytest.approx(150)
    assert seen.got[0] == (pytest.approx(150), comment + PREAMBLE[protocol] + comment + CONTENT[protocol])
    assert seen.body == comment + PREAMBLE[protocol] + comment + CONTENT[protocol] + END[protocol]


COMMITS = [
    ("messages", events({"type": "content_block_delta"}), True),
    ("messages", events({"type": "ping"}), False),
    ("chat", events(chunk(content="")), False),
    ("chat", events(chunk(reasoning_content="hm")), True),
    ("chat", events(chunk(refusal="no")), True),
    ("chat", events(chunk(images=[{"type": "image_url"}])), True),
    ("chat", events(chunk(audio={"id": "a"})), True),
    ("chat", events(chunk(images=[], audio=None)), False),
    ("chat", events(chunk(tool_calls=[{"index": 0}])), True),
    ("chat", events(chunk(finish="length")), True),
    ("chat", events({"choices": [], "prompt_filter_results": []}), False),
    ("responses", events({"type": "response.queued"}), False),
    ("responses", events({"type": "response.output_item.added"}), True),
    ("other", b"data: anything\n\n", True),
]


@pytest.mark.parametrize(("protocol", "first", "commits"), COMMITS)
def test_the_commit_point(relayed, protocol, first, commits):
    """The first event that means something is sent at once; the others wait for one."""
    seen = relayed(protocol, PREAMBLE.get(protocol, b"") + first, 60, END.get(protocol, b"data: 2\n\n"))
    assert seen.began == pytest.approx(0 if commits else 60)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_error_as_first_event_is_handed_back(relayed, protocol):
    """Nothing was sent, so it can still become a status, and its body is the protocol's error form."""
    for script in ([PREAMBLE[protocol] + ERROR[protocol]], [PREAMBLE[protocol], 10, ERROR[protocol][:-2]]):
        seen = relayed(protocol, *script)
        assert isinstance(seen.outcome, Failure)
        assert seen.outcome.status == 529
        assert json.loads(seen.outcome.body)["error"]["message"] == "busy"
        assert not seen.committed
        assert seen.got == []


@pytest.mark.parametrize(
    ("protocol", "event"),
    [
        ("messages", b"event: error\ndata: upstream connect error\n\n"),
        ("messages", b'event: error\ndata: {"detail":"no"}\n\n'),
        ("responses", b'event: response.failed\ndata: {"type":"response.failed","response":{"error":null}}\n\n'),
        ("responses", b"event: error\ndata: upstream connect error\n\n"),
    ],
)
def test_an_error_that_does_not_say_what_it_is_still_has_a_form(relayed, protocol, event):
    """502 in the protocol's error form with some message, never an empty object."""
    seen = relayed(protocol, event)
    assert seen.outcome.status == 502
    assert json.loads(seen.outcome.body)["error"]["message"]
    assert json.loads(seen.outcome.body)["error"]["type"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_pings_fill_silence(relayed, protocol):
    """After 15 s of silence, each 15 s, in the client's dialect, at borders; the held tail comes whole afterwards."""
    content = CONTENT[protocol]
    seen = relayed(protocol, PREAMBLE[protocol] + content + content[:9], 50, content[9:], END[protocol])
    pings = [at for at, data in seen.got if data == PINGS[protocol]]
    assert pings == [pytest.approx(15 * number, abs=1) for number in (1, 2, 3)]
    assert seen.body.replace(PINGS[protocol], b"") == PREAMBLE[protocol] + content + content + END[protocol]
    assert PINGS[protocol] * 3 in seen.body
    assert seen.whole


def test_a_responses_ping_before_response_created_is_a_comment(relayed):
    """An event before it would break parsers: the stream was committed by time alone."""
    seen = relayed("responses", b": busy\n\n", 280, PREAMBLE["responses"] + CONTENT["responses"] + END["responses"])
    assert [data for _, data in seen.got][:2] == [b": busy\n\n", b": keep-alive\n\n"]


def test_steady_events_need_no_ping(relayed):
    """An event every 10 s is no silence."""
    script = [PREAMBLE["chat"] + CONTENT["chat"]]
    for _ in range(20):
        script += [10, CONTENT["chat"]]
    assert PINGS["chat"] not in relayed("chat", *script, END["chat"]).body


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_without_content_is_committed_in_time(relayed, protocol):
    """At 240 s it goes out as it stands, and pings follow: clients give up on a silent head."""
    seen = relayed(protocol, PREAMBLE[protocol], 280, CONTENT[protocol] + END[protocol])
    assert seen.began == pytest.approx(240)
    assert seen.got[0] == (pytest.approx(240), PREAMBLE[protocol])
    assert [at for at, data in seen.got if data == PINGS[protocol]] == [
        pytest.approx(255, abs=1),
        pytest.approx(270, abs=1),
    ]
    assert seen.got[-1] == (pytest.approx(280), CONTENT[protocol] + END[protocol])
    assert seen.whole


def test_a_stream_without_any_event_is_committed_in_time(relayed):
    """Its head alone, then pings."""
    seen = relayed("chat", 250, CONTENT["chat"] + END["chat"])
    assert seen.began == pytest.approx(240)
    assert seen.body == CONTENT["chat"] + END["chat"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_error_after_the_commit_is_an_event(relayed, protocol):
    """It passes as it came, and the tap knows."""
    stream = PREAMBLE[protocol] + CONTENT[protocol] + ERROR[protocol]
    seen = relayed(protocol, stream)
    assert seen.body == stream
    assert seen.tap.ended is False


@pytest.mark.parametrize("content", [True, False], ids=["content", "preamble only"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_silence_has_a_limit(relayed, protocol, content):
    """300 s after the last byte the stream is cut as silent; pings in between do not count."""
    begun = PREAMBLE[protocol] + (CONTENT[protocol] if content else b"")
    seen = relayed(protocol, begun, 10, b": still here\n\n", 5_000, END[protocol])
    assert seen.why == (CancelReason.SILENT, pytest.approx(310, abs=2))
    assert not seen.whole


def test_a_steady_stream_is_not_silent(relayed):
    """Comments of the upstream count as life."""
    script = [CONTENT["chat"], *[200, b": busy\n\n"] * 5]
    seen = relayed("chat", *script, END["chat"])
    assert seen.why is None
    assert seen.whole


def test_a_request_has_a_total_limit(relayed):
    """However lively the stream is."""
    script = [CONTENT["chat"], *[100, CONTENT["chat"]] * 30]
    seen = relayed("chat", *script, END["chat"], pace=(240, 1000, 300))
    assert seen.why == (CancelReason.TOTAL, pytest.approx(1000, abs=2))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_preamble_has_a_limit(relayed, protocol):
    """1 MiB of events without content is no answer."""
    padding = b": " + b"x" * 65_000 + b"\n\n"
    count = PREAMBLE_LIMIT // len(padding)
    held = relayed(protocol, PREAMBLE[protocol], *[padding] * (count - 1), CONTENT[protocol] + END[protocol])
    assert held.outcome is None
    over = relayed(protocol, PREAMBLE[protocol], *[padding] * (count + 1), CONTENT[protocol] + END[protocol])
    assert isinstance(over.outcome, BadGateway)
    assert over.got == []


def test_a_first_event_has_the_limit_of_events(relayed):
    """One large event may be the first content, as a picture is; one that never ends is broken off."""
    picture = events(chunk(content="", images=[{"image_url": {"url": "x" * (3 << 20)}}]))
    pieces = [picture[at : at + 65_536] for at in range(0, len(picture), 65_536)]
    seen = relayed("chat", *pieces, END["chat"], jump=1.0)
    assert (seen.outcome, seen.body, seen.whole) == (None, picture + END["chat"], True)
    seen = relayed("chat", *[b"x" * 1_000_000] * 34, jump=1.0)
    assert isinstance(seen.outcome, UpstreamDisconnected)
    assert not seen.committed


@pytest.mark.parametrize("size", [sse.EVENT_LIMIT // 2, sse.EVENT_LIMIT + 1])
def test_an_event_has_a_limit(relayed, size):
    """32 MiB without a blank line break the stream off; what was whole before them was sent."""
    pieces = [b"data: " + b"x" * 1_000_000 if at == 0 else b"x" * 1_000_000 for at in range(size // 1_000_000)]
    seen = relayed("chat", CONTENT["chat"], *pieces, b"x" * (size % 1_000_000), b"\n\n", END["chat"], jump=1.0)
    assert seen.body[: len(CONTENT["chat"])] == CONTENT["chat"]
    if size > sse.EVENT_LIMIT:
        assert isinstance(seen.outcome, UpstreamDisconnected)
        assert "32 MiB" in str(seen.outcome)
        assert seen.body == CONTENT["chat"]
    else:
        assert seen.outcome is None


@pytest.mark.parametrize("content", [True, False], ids=["committed", "preamble only"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_that_stops_before_its_end_is_broken(relayed, protocol, content):
    """No terminal event, no end: whole events are sent, a half one is not."""
    sent = PREAMBLE[protocol] + (CONTENT[protocol] if content else b"")
    for tail in (b"", CONTENT[protocol][: len(CONTENT[protocol]) // 2]):
        seen = relayed(protocol, sent + tail)
        assert isinstance(seen.outcome, UpstreamDisconnected)
        assert seen.committed is content
        assert seen.body == (sent if content else b"")
        assert not seen.whole or not content


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_breaks_after_the_end_is_told_with_the_end(relayed, protocol):
    """A reset behind the last event: the relay raises, and the tap knows that all was sent."""
    seen = relayed(protocol, CONTENT[protocol] + END[protocol], 1, UpstreamDisconnected("closed the connection early"))
    assert isinstance(seen.outcome, UpstreamDisconnected)
    assert seen.tap.ended is True
    assert seen.body == CONTENT[protocol] + END[protocol]


@pytest.mark.parametrize("end", [b"", b"data: x"])
def test_a_stream_of_another_path_ends_when_it_ends(relayed, end):
    """Without an end mark of its own a clean end is its end; half an event is dropped."""
    seen = relayed("other", b"data: 1\n\n" + end)
    assert seen.outcome is None
    assert seen.body == b"data: 1\n\n"
    assert seen.whole


def test_an_empty_stream_of_another_path_is_an_empty_answer(relayed):
    """Nothing came, nothing goes, and it is whole."""
    seen = relayed("other")
    assert (seen.outcome, seen.body, seen.whole) == (None, b"", True)


@pytest.mark.parametrize("coding", [*PACKED])
def test_a_coded_stream_is_relayed_decoded(relayed, coding):
    """However it is cut."""
    stream = PREAMBLE["chat"] + CONTENT["chat"] * 50 + END["chat"]
    coded = PACKED[coding](stream)
    for step in (len(coded), 5):
        seen = relayed("chat", *[coded[at : at + step] for at in range(0, len(coded), step)], coding=coding.encode())
        assert seen.body == stream
        assert seen.outcome is None


@pytest.mark.parametrize("broken", [b"no gzip at all", gzip.compress(b"x" * (sse.EVENT_LIMIT + 1))])
def test_a_broken_or_bloated_coding_breaks_the_stream(relayed, broken):
    """Garbage, and a read that inflates to more than an event may be."""
    seen = relayed("chat", broken, coding=b"gzip")
    assert isinstance(seen.outcome, UpstreamDisconnected)


@pytest.mark.parametrize("coded", [False, True])
def test_what_is_read_after_the_client_left_has_the_same_limits(coded):
    """An event without an end breaks off the drain for usage, as it does a relay."""
    dialect = BY_NAME["chat"].dialect
    pace = StreamTimeouts(commit_by=0, end_by=0, idle=1)
    relay = Relay(None, None, Tap(dialect), dialect, pace, list, int, decoder=Decoder(b"gzip") if coded else None)
    endless = [b"x" * sse.EVENT_LIMIT, b"x"]
    with pytest.raises(UpstreamDisconnected):
        relay.note([gzip.compress(b"".join(endless))] if coded else endless)


def test_hidden_usage_is_not_sent(relayed):
    """The usage event that the client did not ask for is read and not passed on."""
    usage = events({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}})
    stream = CONTENT["chat"] + events(chunk(finish="stop"))
    seen = relayed("chat", stream, 1, usage, 1, b"data: [DONE]\n\n", hide_usage=True)
    assert seen.body == stream + b"data: [DONE]\n\n"
    assert seen.tap.usage().output == 4


def test_what_a_stream_holds_counts_as_a_buffer(relayed):
    """A long event on its way is within the bound of all buffers, or ends the stream; it is free again when it came."""
    long = b"data: " + b"x" * 300_000
    stream = CONTENT["chat"] + (long + b"\n\n") * 3 + END["chat"]
    seen = relayed("chat", *[stream[at : at + 50_000] for at in range(0, len(stream), 50_000)], bound=400_000)
    assert (seen.outcome, seen.body) == (None, stream)
    seen = relayed("chat", CONTENT["chat"], 1, long[:150_000], 1, long[150_000:], bound=200_000)
    assert isinstance(seen.outcome, UpstreamDisconnected)
    assert "bound" in str(seen.outcome)
    assert seen.body == CONTENT["chat"]


@pytest.mark.parametrize("last", [END, ERROR], ids=["good", "failed"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_upstream_that_goes_on_after_its_last_event_is_left(relayed, protocol, last):
    """15 s after the end of a stream, good or failed, the client has its end too: no ping and no error behind it."""
    begun = PREAMBLE[protocol] + CONTENT[protocol]
    seen = relayed(protocol, begun, 20, last[protocol], 100_000)
    assert (seen.outcome, seen.whole, seen.why) == (None, True, None)
    assert seen.body.endswith(last[protocol])
    assert seen.body.count(PINGS[protocol]) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_an_upstream_says_after_its_last_event_holds_up_nobody(relayed, protocol):
    """An event that follows within 15 s is relayed, such as usage; the stream ends then."""
    begun = PREAMBLE[protocol] + CONTENT[protocol]
    more = [step for _ in range(1000) for step in (5, b": going on\n\n")]
    seen = relayed(protocol, begun, ERROR[protocol], *more)
    assert (seen.outcome, seen.whole, seen.why) == (None, True, None)
    assert 1 <= seen.body.count(b": going on") <= 3
    assert seen.tap.ended is False
