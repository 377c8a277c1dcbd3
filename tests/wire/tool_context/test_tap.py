"""A tap that fills counts what the upstream sent, and keeps nothing back at the end."""

import pytest

from router.backends.profile import Profile
from router.wire.protocols import BY_NAME
from router.wire.raw.sse import parse_events
from router.wire.tap import Tap
from router.wire.tool_context.calls import ToolContext
from router.wire.tool_context.tap import FillingTap

from .call_streams import PROTOCOLS, STREAMS, VALUES, fill_stream


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_counts_as_one_that_fills_nothing(protocol):
    """Events, bytes, end and usage are those of the stream as it came; the events are filled."""
    events = STREAMS[protocol]([("get_order", ['{"id":', "7}"])])
    dialect = BY_NAME[protocol].dialect
    plain, filling = Tap(dialect), FillingTap(dialect, Profile(), ToolContext(VALUES))
    for one in events:
        plain.judge(next(iter_events(one)))
        filling.judge(next(iter_events(one)))
    assert b"".join(map(plain.read, events)) == b"".join(events)
    assert b"".join(map(filling.read, events)) == fill_stream(protocol, events)[0]
    for name in ("pieces", "size", "ended", "guess", "sequence"):
        assert getattr(filling, name) == getattr(plain, name), name
    assert filling.usage() == plain.usage()
    assert filling.list_notes() == ["context: 2 fields filled in get_order (session_id, timestamp)"]
    assert filling.declare() == "where empty: session_id timestamp in get_order"
    assert (plain.list_notes(), plain.declare(), plain.complete(b"x")) == ([], "", b"x")


def iter_events(data):
    return (event for _, event in parse_events(data))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_waits_at_the_end(protocol):
    """It is given out with the event that ends the stream, or in front of the one that says why it broke."""
    events = STREAMS[protocol]([("get_order", ['{"session_id":n'])])
    tap = FillingTap(BY_NAME[protocol].dialect, Profile(), ToolContext(VALUES))
    at = next(at for at, one in enumerate(events) if b"session_id" in one)
    assert [tap.read(one) for one in events[: at + 1]] == [*events[:at], b""]
    assert tap.complete(b"event: error\n\n") == events[at] + b"event: error\n\n"
    tap = FillingTap(BY_NAME[protocol].dialect, Profile(), ToolContext(VALUES))
    assert b"".join(map(tap.read, events)) == b"".join(events)
