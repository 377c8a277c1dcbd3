"""What coding agents tell of a request: its class, its agent, and nothing else. Hostile values hide nothing."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.settings.tables import REQUEST_CLASSES
from router.wire.headers.agent_hints import (
    NAME_LIMIT,
    NO_HINTS,
    AgentHints,
    find_window,
    hint_headers,
    read_hints,
    tells_compacted,
    tells_compaction,
)

# As Codex 0.171 sends it, shortened.
TURN = {
    "turn_id": "t-1",
    "root_turn_id": "t-1",
    "agent_name": "/root",
    "window_number": 0,
    "thread_source": "user",
    "turn_trigger": "user",
    "sandbox": "none",
    "request_kind": "turn",
    "workspaces": {"/home/me/secret": {"associated_remote_urls": {"origin": "git@host:secret"}}},
}


def claude(**told):
    return {b"x-claude-code-" + name.replace("_", "-").encode(): value for name, value in told.items()}


def codex(**told):
    return {b"x-codex-turn-metadata": json.dumps({**TURN, **told}).encode()}


def read(fields):
    return read_hints(hint_headers({b"host": b"localhost", b"x-other": b"1", **fields}))


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        pytest.param({}, NO_HINTS, id="nothing"),
        pytest.param(claude(request_class=b"main", prompt_id=b"p1"), AgentHints("main", prompt_id="p1"), id="main"),
        pytest.param(
            claude(request_class=b"Subagent", agent_type=b"Explore", agent_id=b"a1", parent_agent_id=b"a0"),
            AgentHints("subagent", "Explore", "a1", "a0"),
            id="a sub-agent",
        ),
        pytest.param(
            claude(request_class=b"compaction", agent_id=b"a1"),
            AgentHints("compaction", agent_id="a1"),
            id="the class decides",
        ),
        pytest.param(claude(agent_id=b"a1"), AgentHints("subagent", agent_id="a1"), id="an id without a class"),
        pytest.param(claude(request_class=b"planning"), AgentHints("planning"), id="a class of tomorrow"),
        pytest.param(codex(), AgentHints("main", "/root"), id="codex"),
        pytest.param(codex(agent_name="/root/tests"), AgentHints("subagent", "/root/tests"), id="codex's sub-agent"),
        pytest.param(codex(thread_source="subagent"), AgentHints("subagent", "/root"), id="codex's thread"),
        pytest.param(codex(request_kind="compaction"), AgentHints("compaction", "/root"), id="codex compacts"),
        pytest.param(codex(request_kind="prewarm"), AgentHints("auxiliary", "/root"), id="codex warms up"),
        pytest.param(codex(agent_name=7), AgentHints("main"), id="a member of another type"),
        pytest.param({**codex(), **claude(request_class=b"main")}, AgentHints("main"), id="both"),
        pytest.param({b"x-codex-turn-metadata": b"{}"}, NO_HINTS, id="an empty object"),
        pytest.param({b"x-codex-turn-metadata": b"[" * 8000}, NO_HINTS, id="nested"),
        pytest.param({b"x-codex-turn-metadata": b'{"agent_name":"\xff"}'}, NO_HINTS, id="no UTF-8"),
        pytest.param(codex(agent_name="x" * 9000), NO_HINTS, id="too long to be kept"),
    ],
)
def test_what_is_told(fields, wanted):
    """Of both agents' headers only class, names and ids are taken."""
    assert read(fields) == wanted


def test_the_classes_are_those_of_rules():
    """What is derived from headers is a class that a rule may ask for."""
    kinds = ("turn", "prewarm", "compaction")
    found = {
        read(codex(request_kind=kind, agent_name=name)).request_class for kind in kinds for name in ("/root", "/a")
    }
    assert found | {read(claude(agent_id=b"1")).request_class} <= {*REQUEST_CLASSES}


def test_other_headers_are_not_kept():
    """What waits to be recorded holds the few headers that are read, in bounded size."""
    fields = {**claude(request_class=b"main", session_id=b"s"), b"authorization": b"Bearer x", **codex()}
    assert set(hint_headers(fields)) == {b"x-claude-code-request-class", b"x-codex-turn-metadata"}
    assert sum(map(len, hint_headers(codex(agent_name="x" * 60_000)).values())) == 0


@given(st.dictionaries(st.sampled_from(["request_class", "agent_type", "agent_id"]), st.binary(max_size=200)))
def test_values_are_bounded(told):
    """Whatever a caller sends, each name is a short text."""
    hints = read(claude(**told))
    for value in (hints.request_class, hints.agent, hints.agent_id or ""):
        assert len(value) <= NAME_LIMIT


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, False),
        (claude(request_class=b"main"), False),
        (claude(request_class=b" Compaction "), True),
        (claude(agent_id=b"a1"), False),
        (codex(), False),
        (codex(request_kind="compaction"), True),
        (codex(request_kind="turn", compaction={"trigger": "auto"}), False),
        ({**codex(request_kind="compaction"), **claude(request_class=b"main")}, False),
        ({b"x-codex-turn-metadata": b"compaction"}, False),
    ],
)
def test_a_request_for_a_summary(fields, wanted):
    """As its class says."""
    assert tells_compaction(hint_headers(fields)) is wanted
    assert (read(fields).request_class == "compaction") is wanted


def test_what_follows_a_compaction():
    """Claude Code says so in a header; Codex counts its windows."""
    assert tells_compacted(claude(context_compacted=b"auto"))
    assert not tells_compacted(claude(request_class=b"main"))
    one, same, other = (find_window({b"x-codex-window-id": name}) for name in (b"t:0", b"t:0", b"t:1"))
    assert one == same != other
    assert find_window({}) == 0
