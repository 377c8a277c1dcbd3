"""A conversation without reasoning that its upstream refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire.conversation.sealed_state import PREFIX
from router.wire.messages.foreign_thinking import REFUSED, drop_foreign_thinking

from ..translations import assistant, claude, result, use, user


def thinking(signature="c2ln"):
    return {"type": "thinking", "thinking": "hm", "signature": signature}


CARRIER = thinking(PREFIX + "x")
SO = {"type": "text", "text": "so"}


def stripped(*messages, **fields):
    found = drop_foreign_thinking(json.dumps(claude(*messages, **fields)).encode())
    return None if found is None else json.loads(found)


@pytest.mark.parametrize(
    ("said", "is_it"),
    [
        (b"messages.1.content.0: Invalid `signature` in `thinking` block", True),
        (b"Invalid signature in thinking block", True),
        (b"messages.1.content.0: Input should be a valid list", False),
        (b"thinking: invalid budget", False),
    ],
)
def test_what_anthropic_says(said, is_it):
    """With and without the marks around the words."""
    assert (REFUSED.search(said) is not None) is is_it


def test_carriers_go_and_genuine_reasoning_stays():
    """What another upstream's answer left in the history is told by its prefix."""
    made = stripped(user("a"), assistant([thinking(), SO]), user("b"), assistant([CARRIER, SO]), user("c"))
    assert made["messages"][1]["content"] == [thinking(), SO]
    assert made["messages"][3]["content"] == [SO]


def test_without_carriers_all_earlier_reasoning_goes():
    """The last turn keeps its own: a tool round that is under way needs it."""
    made = stripped(
        user("a"), assistant([thinking(), SO]), user("b"), assistant([thinking(), use()]), user([result("r")])
    )
    assert made["messages"][1]["content"] == [SO]
    assert made["messages"][3]["content"] == [thinking(), use()]


def test_a_tool_round_that_lost_its_reasoning_is_finished_without():
    """The API wants it back or no thinking at all."""
    made = stripped(
        user("a"), assistant([CARRIER, use()]), user([result("r")]), thinking={"type": "enabled", "budget_tokens": 2000}
    )
    assert made["thinking"] == {"type": "disabled"}
    adaptive = stripped(user("a"), assistant([CARRIER, use()]), user([result("r")]), thinking={"type": "adaptive"})
    assert adaptive["thinking"] == {"type": "adaptive"}


def test_a_turn_of_nothing_else_is_not_left_empty():
    """An assistant message must have content."""
    assert stripped(user("a"), assistant([CARRIER]), user("b"))["messages"][1]["content"] == [
        {"type": "text", "text": "(no text)"}
    ]


@pytest.mark.parametrize(
    "messages",
    [[user("a")], [user("a"), assistant("so"), user("b")], [user("a"), assistant([thinking(), SO]), user("b")]],
)
def test_nothing_to_leave_out(messages):
    """Then the refusal is the caller's to read."""
    assert stripped(*messages) is None


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(["assistant", "thinking", PREFIX]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["messages", "role", "content", "type", "signature", "data"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_body(body):
    """Whatever the body holds, it is stripped or left, and never an error."""
    drop_foreign_thinking(json.dumps(body).encode())
    drop_foreign_thinking(json.dumps({"messages": body}).encode())
    drop_foreign_thinking(json.dumps({"messages": [{"role": "assistant", "content": [body]}]}).encode())
