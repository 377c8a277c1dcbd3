"""How a relayed stream ends: last events that are not complete, line ends of every kind, errors outside the form."""

import json
import threading

import pytest

from router.exchange.client_response import relay
from router.net.client.exchange import UpstreamDisconnected
from router.wire.dialect import Failure
from router.wire.raw import sse

from .test_relay import CONTENT, END, PREAMBLE, PROTOCOLS

LINE_ENDS = {"LF": b"\n", "CRLF": b"\r\n", "CR": b"\r"}
#: As llama.cpp and GPUStack end a broken stream, and as gateways name an error of no protocol's form.
ERRORS = {
    "a line": b'error: {"code":500,"message":"out of memory","type":"server_error"}',
    "a nested line": b'error: {"error":{"message":"out of memory","type":"server_error"}}',
    "a named event": b'event: error\ndata: {"message":"out of memory","code":500}',
}


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("size", [None, 7, 1])
@pytest.mark.parametrize("end", LINE_ENDS.values(), ids=LINE_ENDS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_line_end_is_passed_on(relayed, protocol, end, size, bom):
    """Byte for byte, wherever the reads end: also the LF of the last CR LF that is read by itself."""
    stream = bom + (PREAMBLE[protocol] + CONTENT[protocol] + END[protocol]).replace(b"\n", end)
    pieces = [stream] if size is None else [stream[at : at + size] for at in range(0, len(stream), size)]
    for script in (pieces, [*pieces[:-1], pieces[-1][:-1], 1, pieces[-1][-1:]]):
        seen = relayed(protocol, *[piece for piece in script if piece])
        assert (seen.outcome, seen.whole, seen.tap.ended) == (None, True, True)
        assert seen.body == stream


@pytest.mark.parametrize("end", LINE_ENDS.values(), ids=LINE_ENDS)
@pytest.mark.parametrize("cut", [1, 2])
@pytest.mark.parametrize("begun", [True, False], ids=["committed", "first event"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_last_event_without_its_blank_line_reaches_readers(relayed, protocol, begun, cut, end):
    """Readers of events drop what no blank line follows: the missing line ends are added, and nothing else changes."""
    stream = ((PREAMBLE[protocol] + CONTENT[protocol] if begun else b"") + END[protocol]).replace(b"\n", end)
    seen = relayed(protocol, stream[: -cut * len(end)])
    assert (seen.outcome, seen.whole, seen.tap.ended) == (None, True, True)
    assert seen.body.startswith(stream[: -cut * len(end)])
    assert [event for _, event in sse.parse_events(seen.body)] == [event for _, event in sse.parse_events(stream)]


@pytest.mark.parametrize("begun", [True, False], ids=["committed", "first event"])
@pytest.mark.parametrize("size", [2 << 20, 2 << 10])
def test_a_large_last_event_without_its_blank_line_is_read_in_the_thread(relayed, monkeypatch, size, begun):
    """Megabytes of it delay no other stream; it reaches readers as a small one does."""
    threads = set()
    look = relay.look_at_object

    def look_here(data):
        threads.add(threading.current_thread() is threading.main_thread())
        return look(data)

    monkeypatch.setattr(relay, "look_at_object", look_here)
    text = json.dumps({"choices": [{"delta": {"content": "a" * size}, "finish_reason": "stop"}]}).encode()
    stream = (PREAMBLE["chat"] + CONTENT["chat"] if begun else b"") + b"data: " + text
    seen = relayed("chat", stream, jump=1.0)
    assert (seen.outcome, seen.whole, seen.tap.ended) == (None, True, True)
    assert seen.body == stream + b"\n\n"
    assert threads == {size < 1 << 20}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("blank", [b"\n\n", b"\n", b""])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_error_outside_the_form_ends_a_stream(relayed, protocol, kind, blank):
    """It is the stream's last event: the bytes pass, no second error follows, and history has its message."""
    begun = PREAMBLE[protocol] + CONTENT[protocol]
    seen = relayed(protocol, begun + ERRORS[kind] + blank)
    assert (seen.outcome, seen.tap.ended) == (None, False)
    assert seen.body == begun + ERRORS[kind] + b"\n\n"
    assert b"out of memory" in seen.tap.failed_with


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_error_outside_the_form_as_first_event(relayed, protocol, kind):
    """It becomes a status and the protocol's own error form, with its message."""
    seen = relayed(protocol, PREAMBLE[protocol] + ERRORS[kind] + b"\n\n")
    assert isinstance(seen.outcome, Failure)
    assert seen.outcome.status == 500
    assert json.loads(seen.outcome.body)["error"]["message"] == "out of memory"


def test_text_that_quotes_an_error_line_is_text(relayed):
    """The patterns of errors inside a text end nothing."""
    quoted = sse.frame(
        json.dumps({"choices": [{"delta": {"content": 'error: {"message":"x"} event: error'}}]}).encode()
    )
    seen = relayed("chat", quoted + END["chat"])
    assert (seen.outcome, seen.tap.ended, seen.body) == (None, True, quoted + END["chat"])


@pytest.mark.parametrize("size", [None, 7])
def test_messages_events_without_names(relayed, size):
    """Bytes stay as they came: usage, commit and end are read from the data alone."""
    stream = b"".join(
        line + b"\n\n"
        for line in (PREAMBLE["messages"] + CONTENT["messages"] + END["messages"]).replace(b"\n\n", b"\n").split(b"\n")
        if line.startswith(b"data:")
    )
    pieces = [stream] if size is None else [stream[at : at + size] for at in range(0, len(stream), size)]
    seen = relayed("messages", *pieces)
    assert (seen.outcome, seen.tap.ended, seen.body) == (None, True, stream)
    assert (seen.tap.usage().input, seen.tap.usage().output) == (3, 5)


@pytest.mark.parametrize("tail", [b'data: {"choices":[{"del', b"data: half", b": a comment"])
def test_half_an_event_is_no_event(relayed, tail):
    """What is not whole at the end of the body is not passed on, and ends nothing."""
    seen = relayed("chat", CONTENT["chat"] + tail)
    assert isinstance(seen.outcome, UpstreamDisconnected)
    assert seen.body == CONTENT["chat"]


def test_values_that_only_sdks_take_do_not_hide_an_end(relayed):
    """-Infinity among the log probabilities of the last chunk, as Python's json writes and reads it."""
    last = b'data: {"choices":[{"delta":{},"finish_reason":"stop","logprobs":{"content":[{"logprob":-Infinity}]}}]}\n\n'
    seen = relayed("chat", CONTENT["chat"] + b"data: null\n\n" + last)
    assert (seen.outcome, seen.tap.ended) == (None, True)
    assert seen.body == CONTENT["chat"] + b"data: null\n\n" + last
