"""A translation stays within its gates: a quarter of them is what it takes on an idle machine."""

import pytest

from .translating import EVENT_GATE, REQUEST_GATE, per_event, per_request


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["messages", "chat"])
def test_an_event_in_a_burst(protocol):
    """CPU for one event, whole way."""
    assert per_event(protocol) < EVENT_GATE


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["messages", "chat"])
def test_an_agent_request(protocol):
    """CPU for 120 KB with 41 messages and 25 tools."""
    assert per_request(protocol) < REQUEST_GATE
