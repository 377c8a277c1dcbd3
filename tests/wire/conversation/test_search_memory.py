"""Searches that wait for a client's own tools come back into the conversation they belong to, and into no other."""

from router.ir import Text, ToolCall, ToolResult, Turn
from router.wire.conversation.search_memory import BYTES, SearchMemory

OWN = ToolCall("c1", "look", "{}")
TURNS = (
    Turn("user", (Text("x"),)),
    Turn("assistant", (OWN,)),
    Turn("user", (ToolResult("c1", (Text("seen"),)),)),
)


def filled(*names, **options):
    memory = SearchMemory(**options)
    for name in names:
        memory.put("web_search", (name, "c9"), {f"s-{name}": "cats"}, {f"s-{name}": "found"})
    return memory


def test_searches_come_back_with_the_result_beside_them():
    """The call stands behind the client's, its result in front of the client's."""
    turns = filled("c1").recall(TURNS)
    assert turns[1].blocks == (OWN, ToolCall("s-c1", "web_search", '{"query":"cats"}'))
    assert turns[2].blocks == (ToolResult("s-c1", (Text("found"),)), *TURNS[2].blocks)
    assert filled("c1").recall(turns[:2]) == turns[:2]


def test_other_conversations_are_as_they_were():
    """One without the call, or without an answer to it, gets nothing."""
    assert filled("c2").recall(TURNS) == TURNS
    assert filled().recall(TURNS) == TURNS
    unanswered = (*TURNS[:2], Turn("user", (Text("never mind"),)))
    assert filled("c1").recall(unanswered) == unanswered


def test_the_memory_is_bounded():
    """In entries and in bytes: the oldest go, and one that is too large is not kept."""
    memory = filled(*(f"c{at}" for at in range(100)), entries=3)
    assert len(memory) == 3
    assert memory.recall(TURNS) == TURNS
    memory.put("web_search", ("c1",), {"s": "q"}, {"s": "x" * BYTES})
    assert len(memory) == 0
    memory.put("web_search", ("c1",), {"s": "q"}, {"s": "x"})
    memory.put("web_search", ("c1",), {"s": "q"}, {"s": "y"})
    assert len(memory) == 1
