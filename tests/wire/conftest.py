"""Streams of the three protocols: the demo's, and recorded ones where recordings are installed."""

import json
from pathlib import Path

import pytest

from router.demo.chat import Chat
from router.demo.messages import Messages
from router.demo.responses import Responses
from router.demo.script import decide

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
TEXT = 'Say "usage":{"input_tokens":9} and "type":"message_stop", \u2028 please.'
TURNS = [{"role": "user", "content": TEXT}]
REQUESTS = {
    "messages": (Messages, {"messages": TURNS}),
    "chat": (Chat, {"messages": TURNS, "stream_options": {"include_usage": True}}),
    "responses": (Responses, {"input": TURNS}),
}


def demo_events(protocol):
    """The events of the demo's answer in a protocol."""
    make, body = REQUESTS[protocol]
    dialect = make({**body, "model": "demo", "stream": True}, "demo", "0123456789ab")
    return [event.data for event in dialect.events(decide(dialect.ask))]


def recorded_events(name):
    """The events of a recording, framed as they were sent."""
    path = FIXTURES / name
    if not path.exists():
        pytest.skip(f"no recording {name}")
    framed = []
    for line in path.read_bytes().splitlines():
        kind = json.loads(line).get("type")
        framed.append((f"event: {kind}\n".encode() if kind else b"") + b"data: " + line + b"\n\n")
    return framed


@pytest.fixture(scope="session")
def stream():
    """Protocol -> the demo's events."""
    return demo_events


@pytest.fixture(scope="session")
def recording():
    """File -> a recording's events."""
    return recorded_events
