"""What tells two conversations apart, and what does not."""

from router.ir import Image, Text, Thinking, ToolCall, ToolResult, Turn
from router.wire.conversation.conversation_prefix import prefix_hashes

TURNS = [
    Turn("user", (Text("go"), Image("image/png", "AAAA"))),
    Turn("assistant", (ToolCall("t1", "look", "{}"),)),
    Turn("user", (ToolResult("t1", (Text("seen"),)),)),
]


def test_there_is_one_before_each_turn_and_one_of_all():
    """Each is that of the conversation as it was, which only grows."""
    found = prefix_hashes(TURNS)
    assert len(set(found)) == 4
    assert found[:3] == prefix_hashes(TURNS[:2])
    assert prefix_hashes([]) == found[:1]


def test_what_clients_change_makes_no_difference():
    """Reasoning, ids, marks and reminders of the system."""
    changed = [
        Turn("user", (Text("go", cache="5m"), Image("image/png", "AAAA"))),
        Turn("system", (Text("now"),)),
        Turn("assistant", (Thinking("hm"), ToolCall("t2", "look", "{}"))),
        Turn("user", (ToolResult("t2", (Text("seen"),)),)),
    ]
    assert prefix_hashes(changed)[-1] == prefix_hashes(TURNS)[-1]


def test_what_was_said_makes_a_difference():
    """Also where the same words are divided otherwise."""
    other = [
        [Turn("user", (Text("g"), Text("o"), Image("image/png", "AAAA"))), *TURNS[1:]],
        [Turn("user", (Text("go"), Image("image/png", "AAAB"))), *TURNS[1:]],
        [TURNS[0], Turn("assistant", (ToolCall("t1", "look", '{"x":1}'),)), TURNS[2]],
        [*TURNS[:2], Turn("user", (ToolResult("t1", (Text("else"),)),))],
    ]
    last = {prefix_hashes(turns)[-1] for turns in [TURNS, *other]}
    assert len(last) == 5
