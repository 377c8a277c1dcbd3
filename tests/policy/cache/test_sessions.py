"""The last prompts of sessions: which one the next is compared to, what has changed, and how much is kept."""

import json

import hypothesis.strategies as st
import pytest
from hypothesis import given

from router.policy.cache import canonical
from router.policy.cache import sessions as module
from router.policy.cache.prompt import PARTS_LIMIT, asks_for_longer
from router.policy.cache.sessions import LINES, SESSIONS, PromptSessions, Turn
from router.wire.raw.json.top_level import peek

MARK = {"cache_control": {"type": "ephemeral"}}


def tool(name, **more):
    return {"name": name, "input_schema": {}, **more}


def body(*texts, **more):
    """A request whose conversation has these texts; None for a member that it lacks."""
    items = [{"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(texts)]
    usual = {"model": "m", "system": "be kind", "tools": [tool("a"), tool("b")], "messages": items}
    return {name: value for name, value in {**usual, **more}.items() if value is not None}


def compare(found, value, session="s", conversation="messages"):
    """Read a request as the next of a session."""
    raw = json.dumps(value).encode()
    return found.begin(session, raw, peek(raw), conversation).read()


def put(found, comparison, **fields):
    """Note that it was answered."""
    usual = {"backend": "b", "account": "a", "model": "m", "edits": 0, "started": 0.0, "total": 9000, "cached": 0}
    more = {"longer": False, "written": 0, "window": 0, "marked": False}
    turn = Turn(prompt=comparison.prompt, **{**usual, **more, **fields})
    found.put(comparison, turn)
    return turn


def change(first, second, **how):
    """What changed between two turns."""
    found = PromptSessions()
    put(found, compare(found, first, **how))
    made = compare(found, second, **how).change
    return None if made is None else (made.part, made.text)


def test_what_follows_a_compaction_is_compared_to_the_turn_before_it():
    """The request for a summary may lack the tools; the conversation that follows it is another one, with the same."""
    found = PromptSessions()
    put(found, compare(found, body("x", "y", "z")))
    put(found, compare(found, body("x", "y", "z", "w", "sum it up", tools=None)), compacted=True, started=5.0)
    after = compare(found, body("a summary"))
    assert (after.change.part, after.previous.compacted, after.previous.started) == ("messages", True, 5.0)
    put(found, after)
    assert compare(found, body("a summary", "y", "z")).previous.compacted is False


def test_a_compaction_that_begins_a_session():
    """It is a turn as any other."""
    found = PromptSessions()
    put(found, compare(found, body("x", "sum it up")), compacted=True)
    assert compare(found, body("a summary")).previous.compacted is True


TOOLS = [tool("a"), tool("b")]
ROWS = {
    "nothing": (body("x"), body("x", "y", "z"), None),
    "the same once more": (body("x"), body("x"), None),
    "a setting added": (body("x"), body("x", thinking={}), ("settings", "thinking added")),
    "a setting removed": (body("x", thinking={}), body("x"), ("settings", "thinking removed")),
    "an answer to compare with": (
        body("x", prompt_cache_options={"comparison_response_id": "resp_1"}),
        body("x", prompt_cache_options={"comparison_response_id": "resp_2"}),
        None,
    ),
    "another lifetime": (
        body("x", prompt_cache_options={"ttl": "30m"}),
        body("x", prompt_cache_options={"ttl": "12h"}),
        ("settings", "prompt_cache_options changed"),
    ),
    "a setting before a tool": (body("x"), body("x", thinking={}, tools=[]), ("settings", "thinking added")),
    "what no cache minds": (body("x", max_tokens=1, metadata={"a": 1}), body("x", max_tokens=2), None),
    "a tool added": (body("x"), body("x", tools=[*TOOLS, tool("c")]), ("tools", "c added")),
    "a tool removed": (body("x"), body("x", tools=TOOLS[1:]), ("tools", "a removed")),
    "all tools removed": (body("x"), body("x", tools=None), ("tools", "a removed")),
    "a tool changed": (body("x"), body("x", tools=[TOOLS[0], tool("b", strict=True)]), ("tools", "b changed")),
    "tools moved": (body("x"), body("x", tools=TOOLS[::-1]), ("tools", "b moved")),
    "a tool marked": (body("x"), body("x", tools=[TOOLS[0], tool("b", **MARK)]), None),
    "a tool whose name is a text": (
        body("x"),
        body("x", tools=[*TOOLS, tool("a sentence of a prompt")]),
        ("tools", "tool 3"),
    ),
    "many tools": (
        body("x", tools=[tool(f"t{at}") for at in range(PARTS_LIMIT + 9)]),
        body("x", tools=[tool(f"t{at}") for at in range(PARTS_LIMIT + 8)]),
        ("tools", f"tool {PARTS_LIMIT + 1}"),
    ),
    "a system prompt": (body("x"), body("x", system="be quick"), ("system", "block 1 of 1")),
    "a system prompt as a block": (body("x"), body("x", system=[{"type": "text", "text": "be kind", **MARK}]), None),
    "another block of it": (
        body("x", system=[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        body("x", system=[{"type": "text", "text": "a"}, {"type": "text", "text": "c", **MARK}]),
        ("system", "block 2 of 2"),
    ),
    "a billing line": (
        body("x", system=[{"type": "text", "text": "x-anthropic-billing-header: 1"}, {"type": "text", "text": "b"}]),
        body("x", system=[{"type": "text", "text": "x-anthropic-billing-header: 2"}, {"type": "text", "text": "b"}]),
        None,
    ),
    "a message": (body("x", "y", "z"), body("x", "q", "z"), ("messages", "message 2 (assistant)")),
    "the first message": (body("x", "y", "z"), body("q", "y", "z"), ("messages", "message 1 (user)")),
    "all but the first": (body("x", "y", "z"), body("x"), ("messages", "message 2")),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_changed(name):
    """The first of settings, tools, system prompt and conversation; a mark is none of them."""
    first, second, wanted = ROWS[name]
    assert change(first, second) == wanted


@pytest.mark.parametrize(
    ("make", "wanted"),
    [
        (lambda text: body("x", tools=[tool("a", description=text), tool("b")]), ("tools", "a changed")),
        (body, ("messages", "message 1 (user)")),
    ],
    ids=["tools", "messages"],
)
def test_a_change_that_no_signature_covers(make, wanted, monkeypatch):
    """A byte in the place of another is not seen at once where the text is long; when nothing else explains what was
    lost, the next prompt is read whole."""
    monkeypatch.setattr(canonical, "STRIDE", 64)
    found = PromptSessions()
    seen = []
    for place in range(64):
        session = f"s{place}"
        first, second = (make("x" * (40_000 + place) + one + "x" * (999 - place)) for one in "ab")
        put(found, compare(found, first, session))
        comparison = compare(found, second, session)
        seen.append(comparison.change is not None)
        if comparison.change is None:
            put(found, comparison, unexplained=True)
            comparison = compare(found, second, session)
        assert (comparison.change.part, comparison.change.text) == wanted
    assert seen.count(True) == 1


def test_leading_messages_are_the_system_prompt():
    """In Chat it stands there."""
    first = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "x"}]
    second = [{"role": "system", "content": "be quick"}, *first[1:]]
    assert change({"messages": first}, {"messages": second}) == ("system", "message 1")


def test_lines_of_a_session():
    """Each request continues the one with the same beginning; one that has none, and other tools, begins a line."""
    found = PromptSessions()
    main = put(found, compare(found, body("x")))
    title = compare(found, body("a title, please", tools=None))
    assert title.previous is None
    put(found, title)
    assert compare(found, body("x", "y", "z")).previous is main
    # Its conversation was written anew: the tools say whose it is.
    assert compare(found, body("what was said so far")).previous is main
    assert compare(found, body("x", "y"), session="another").previous is None


def test_a_session_has_a_few_lines():
    """Those that were used last."""
    found = PromptSessions()
    for number in range(3 * LINES):
        put(found, compare(found, body(f"x{number}", tools=None)))
    kept = [compare(found, body(f"x{number}", "y", tools=None)).previous is not None for number in range(3 * LINES)]
    assert kept == [False] * (2 * LINES) + [True] * LINES


def test_sessions_are_bounded_in_number_and_in_bytes(monkeypatch):
    """The ones that were not used for longest are forgotten, and what is kept adds up."""
    found = PromptSessions()
    for number in range(SESSIONS + 20):
        put(found, compare(found, body("x"), session=f"s{number}"))
    assert len(found) == SESSIONS
    assert compare(found, body("x", "y"), session="s0").previous is None
    assert compare(found, body("x", "y"), session=f"s{SESSIONS + 19}").previous is not None
    monkeypatch.setattr(module, "BYTES", 200_000)
    for number in range(100):
        put(found, compare(found, body("x", tools=[tool(f"t{one}") for one in range(100)]), session=f"t{number}"))
    assert 1 <= len(found) < 40
    assert found._bytes == sum(module._measure(lines) for lines in found._lines.values()) <= 200_000
    found.forget()
    assert (len(found), found._bytes) == (0, 0)


def test_a_request_without_a_session_is_known_by_its_first_message():
    """With marks or without, and whatever its system prompt."""
    found = PromptSessions()
    first = compare(found, body("x"), session="")
    turn = put(found, first)
    assert compare(found, body([{"type": "text", "text": "x", **MARK}], "y"), session="").previous is turn
    assert compare(found, body("q"), session="").previous is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["user", "system", "text", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "type", "content", "text", "name", "cache_control"]), inner, max_size=3
        )
    ),
    max_leaves=30,
)


@given(st.lists(st.dictionaries(st.sampled_from(["messages", "system", "tools", "thinking"]), JSON), min_size=2))
def test_no_body_makes_it_fail(bodies):
    """Whatever is sent is read and compared, and what is sent once more is the same."""
    found = PromptSessions()
    for value in bodies:
        for again in (False, True):
            comparison = compare(found, {"model": "m", **value}, session="s")
            assert not again or comparison.previous is None or comparison.change is None
            put(found, comparison)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"messages": "x", "tools": 3, "system": []},
        {"messages": [1], "tools": [1, "a", {"name": 3}], "system": 7},
        {"messages": None, "tools": {"a": 1}, "system": [None, {"type": "text"}]},
    ],
    ids=["none", "texts", "numbers", "null"],
)
def test_what_is_no_prompt_is_compared_all_the_same(members):
    """An upstream decides what it accepts; the same request is the same."""
    assert change(members, members) is None


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ({}, False),
        ({"prompt_cache_retention": "24h"}, True),
        ({"prompt_cache_retention": "in_memory"}, False),
        ({"prompt_cache_options": {"ttl": "12h"}}, True),
        ({"prompt_cache_options": {"mode": "explicit", "ttl": "12h", "comparison_response_id": "r"}}, True),
        ({"prompt_cache_options": {"ttl": "30m"}}, False),
        ({"prompt_cache_options": 7}, False),
    ],
)
def test_a_request_that_asks_to_be_kept_for_longer(more, wanted):
    """By the settings of OpenAI's two protocols."""
    assert asks_for_longer(compare(PromptSessions(), body("x", **more)).prompt) is wanted
