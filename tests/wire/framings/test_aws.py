"""Streams of InvokeModel as server-sent events of the model's protocol."""

import json

import pytest

from router.wire.framings import Framed
from router.wire.protocols import BY_NAME
from router.wire.raw import sse
from router.wire.tap import failure_of

from ...providers.event_frames import KIND, write_event, write_exception, write_message

DIALECT = BY_NAME["messages"].dialect
FRAMED = Framed("aws-eventstream", DIALECT)
START, DELTA = b'{"type":"message_start","message":{}}', b'{"type":"content_block_delta","index":0}'


def unframe(*messages, framed=FRAMED):
    return framed.unframe(KIND.encode(), b"".join(messages))


def error_of(*messages, framed=FRAMED):
    """The one event, as its name, and the status and the error that the protocol reads in it."""
    out, problem = unframe(*messages, framed=framed)
    assert problem == ""
    [(_, event)] = sse.parse_events(out)
    failure = failure_of(framed.dialect, event.data)
    return event.name, failure.status, json.loads(failure.body)["error"]


def test_events():
    """Each has the type in its JSON as its name; the padding is gone, and nothing else."""
    wanted = b"event: message_start\ndata: %b\n\nevent: content_block_delta\ndata: %b\n\n" % (START, DELTA)
    assert unframe(write_event(START), write_event(DELTA)) == (wanted, "")


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (b'{"choices":[]}', b'data: {"choices":[]}\n\n'),
        (b'{"type":7}', b'data: {"type":7}\n\n'),
        (b'{"type":"a\\nb"}', b'data: {"type":"a\\nb"}\n\n'),
        (b'{\r\n"type":\n"ping"}', b'event: ping\ndata: { "type": "ping"}\n\n'),
        (b"no JSON\nat all", b"data: no JSON at all\n\n"),
        (b"[" * 10_000, b"data: " + b"[" * 10_000 + b"\n\n"),
        (b"", b""),
    ],
)
def test_events_of_other_forms(event, wanted):
    """No event becomes two, and one without a type has no name."""
    assert unframe(write_event(event)) == (wanted, "")


@pytest.mark.parametrize(
    "message",
    [
        write_event(START, "initial-response"),
        write_message([(":message-type", "news")], b"{}"),
        write_message([], b"{}"),
        write_message([(":message-type", True)], b"{}"),
        write_message([(":message-type", "event"), (":event-type", "chunk")], b'{"p":"abc"}'),
    ],
)
def test_messages_without_an_event(message):
    """What a later version may send beside the events is left out."""
    assert unframe(message, write_event(DELTA))[0].count(b"data: ") == 1


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("internalServerException", 500, "api_error"),
        ("modelStreamErrorException", 500, "api_error"),
        ("validationException", 400, "invalid_request_error"),
        ("throttlingException", 429, "rate_limit_error"),
        ("modelTimeoutException", 504, "timeout_error"),
        ("serviceUnavailableException", 529, "overloaded_error"),
        ("somethingNewException", 500, "api_error"),
    ],
)
def test_exceptions(name, status, kind):
    """Each is the protocol's error event, with the status that it stands for, its message and its name."""
    found = error_of(write_exception(name, message="Said by Amazon.", originalStatusCode=500))
    assert found == ("error", status, {"type": kind, "message": f"Said by Amazon. ({name})"})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (write_exception("throttlingException"), "throttlingException"),
        (write_message([(":message-type", "exception")], b"no JSON"), "unknown error"),
        (
            write_message([(":message-type", "error"), (":error-code", "E1"), (":error-message", "No.")], b""),
            "No. (E1)",
        ),
        (write_message([(":message-type", "error")], b""), "unknown error"),
    ],
)
def test_errors_that_say_little(message, said):
    """They are error events too."""
    assert error_of(message)[2]["message"] == said


def test_an_exception_in_another_protocol():
    """It has the form of the protocol that the endpoint speaks."""
    chat = Framed("aws-eventstream", BY_NAME["chat"].dialect)
    out, _ = unframe(write_exception("validationException", message="No."), framed=chat)
    assert b'"message":"No. (validationException)"' in out


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"bytes":7}', b'{"bytes":"*"}', b'{"bytes":"\xff"}'])
def test_a_payload_that_cannot_be_read(payload):
    """What came before it is there, and nothing behind it."""
    broken = write_message([(":message-type", "event"), (":event-type", "chunk")], payload)
    out, problem = unframe(write_event(START), broken, write_event(DELTA))
    assert out.count(b"data: ") == 1
    assert "payload" in problem


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", ""])
def test_other_answers(kind):
    """An answer of another type is none of these, and neither is one of an endpoint that frames nothing."""
    assert FRAMED.find_unframer(kind.encode()) is None
    assert Framed("sse", DIALECT).find_unframer(KIND.encode()) is None
    assert FRAMED.find_unframer(b"Application/vnd.amazon.eventstream; charset=utf-8") is not None


def test_a_stream_that_ends_within_an_event():
    """It says so."""
    assert unframe(write_event(START), write_event(DELTA)[:-1])[1] == "it ends within an event"
