"""Caching marks and wishes, from each protocol to the other."""

import pytest

from ...growth import grows_evenly
from ..translations import TOOL, assistant, claude, gpt, result, sent, use, user

MARK = {"cache_control": {"type": "ephemeral"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def text(said, **fields):
    return {"type": "text", "text": said, **fields}


@pytest.mark.parametrize(("model", "takes"), [("gpt-5.6", True), ("gpt-6-mini", True), ("gpt-5.5", False)])
def test_marks_for_openai(model, takes):
    """Models from GPT-5.6 on take marks on parts; others get plain texts, and no loss of a hint is reported."""
    asked = claude(user([text("x", **MARK)]), system=[text("s", **HOUR)])
    made, losses = sent(asked, "messages", "openai", model=model)
    system, first = (message["content"] for message in made["messages"])
    if not takes:
        assert (system, first, losses) == ("s", "x", [])
        return
    assert system == [text("s", prompt_cache_breakpoint={"mode": "explicit", "ttl": "30m"})]
    assert first == [text("x", prompt_cache_breakpoint={"mode": "explicit"})]
    assert losses == ["system.cache_control.ttl=weakened"]


def test_marks_on_results_and_what_the_assistant_said():
    """Where a client marks the end of a tool round, the mark stands on the tool's message."""
    asked = claude(
        user("x"), assistant([text("a", **MARK), use()]), user([result("r", **MARK)]), tools=[{**TOOL, **MARK}]
    )
    made, losses = sent(asked, "messages", "openrouter")
    assert made["messages"][1]["content"] == [text("a", **MARK)]
    assert made["messages"][2]["content"] == [text("r", **MARK)]
    assert made["tools"][0]["cache_control"] == MARK["cache_control"]
    assert losses == []
    made, losses = sent(asked, "messages", "openai", model="gpt-5.6")
    assert made["messages"][2]["content"] == [text("r", prompt_cache_breakpoint={"mode": "explicit"})]
    assert "cache" not in str(made["tools"])
    assert losses == ["tools[0].cache_control=dropped"]


def test_the_last_four_marks_are_kept():
    """OpenAI writes no more."""
    asked = claude(*(user([text(str(at), **MARK)]) for at in range(6)))
    made, _ = sent(asked, "messages", "openai", model="gpt-5.6")
    marked = ["prompt_cache_breakpoint" in message["content"][0] for message in made["messages"]]
    assert marked == [False, False, True, True, True, True]


def test_a_wish_without_marks():
    """Top-level caching is OpenAI's implicit mode, and the other way round."""
    made, _ = sent(claude(user("x"), **MARK), "messages", "openai", model="gpt-5.6")
    assert made["prompt_cache_options"] == {"mode": "implicit"}
    made, _ = sent(gpt(user("x"), prompt_cache_options={"mode": "implicit"}), "chat", auto_cache=False)
    assert made["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("fields", "auto", "cached"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"prompt_cache_options": {"mode": "explicit"}}, True, False),
    ],
)
def test_auto_cache(fields, auto, cached):
    """Chat callers rely on caching without asking: Anthropic is asked for them, unless that is turned off."""
    made, _ = sent(gpt(user("x"), **fields), "chat", auto_cache=auto)
    assert ("cache_control" in made) is cached


def test_auto_cache_leaves_own_marks_alone():
    """A caller that marks what is to be cached gets these marks and no other."""
    part = text("x", prompt_cache_breakpoint={"mode": "explicit", "ttl": "12h"})
    made, _ = sent(gpt(user([part])), "chat")
    assert "cache_control" not in made
    assert made["messages"][0]["content"] == [text("x", **HOUR)]


@pytest.mark.parametrize(
    ("vendor", "auto", "key"), [("openai", True, True), ("openai", False, False), ("", True, False)]
)
def test_a_key_for_openais_cache(vendor, auto, key):
    """Made of the hashed user, which is the conversation's in Claude Code."""
    made, _ = sent(claude(user("x"), metadata={"user_id": "u"}), "messages", vendor, auto_cache=auto)
    assert ("prompt_cache_key" in made) is key
    assert not key or made["prompt_cache_key"] == made["safety_identifier"]


def marks_of(made):
    """The lifetimes of all marks, in the order in which Anthropic reads them."""
    found = [made[name] for name in ("tools", "system", "messages") if name in made]
    out = []

    def walk(node):
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            for key in sorted(node, key="cache_control".__eq__):
                if key == "cache_control":
                    out.append(node[key].get("ttl", "5m"))
                else:
                    walk(node[key])

    walk(found)
    return out


def legal_marks(made):
    """Fail unless Anthropic takes the marks of a request."""
    found = marks_of(made)
    assert len(found) + ("cache_control" in made) <= 4
    assert found == sorted(found), "an hour behind five minutes"
    return found


def marked(*lifetimes):
    """A Chat request with one message for each mark."""
    marks = {"5": MARK, "1": HOUR, "-": {}}
    return gpt(*(user([text(str(at), **marks[one])]) for at, one in enumerate(lifetimes)))


@pytest.mark.parametrize(
    ("given", "kept", "losses"),
    [
        ("5555", "5555", []),
        ("1155", "1155", []),
        ("55555", "-5555", ["messages[0].cache_control=dropped"]),
        ("5-5-5-5-5", "--5-5-5-5", ["messages[0].cache_control=dropped"]),
        ("51111", "-1111", ["messages[0].cache_control=dropped"]),
        ("11111", "-1111", ["messages[0].cache_control=dropped"]),
        ("155555", "1--555", ["messages[1].cache_control=dropped", "messages[2].cache_control=dropped"]),
        ("51", "55", ["messages[1].cache_control.ttl=weakened"]),
        ("515", "555", ["messages[1].cache_control.ttl=weakened"]),
        ("1515", "1555", ["messages[2].cache_control.ttl=weakened"]),
    ],
)
def test_marks_for_anthropic(given, kept, losses):
    """Four at most, those for an hour first, and none for an hour behind one for five minutes."""
    made, named = sent(marked(*given), "chat")
    legal_marks(made)
    lifetimes = {"5": "5m", "1": "1h", "-": None}
    found = [block for message in made["messages"] for block in message["content"]]
    said = [block["cache_control"].get("ttl", "5m") if "cache_control" in block else None for block in found]
    assert said == [lifetimes[one] for one in kept]
    assert named == losses


def test_caching_the_whole_request_takes_one_mark():
    """A top-level wish counts as one of the four."""
    asked = {**marked(*"5555"), "prompt_cache_options": {"mode": "implicit"}}
    made, losses = sent(asked, "chat")
    assert made["cache_control"] == {"type": "ephemeral"}
    assert legal_marks(made) == ["5m"] * 3
    assert losses == ["messages[0].cache_control=dropped"]


def test_marks_within_results_count():
    """Marks of a tool's result and of its parts share the four."""
    parts = [{"type": "input_text", "text": str(at), "prompt_cache_breakpoint": {}} for at in range(5)]
    turns = [
        {"role": "user", "content": [{**parts[0], "text": "x"}]},
        {"type": "function_call", "call_id": "t1", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "t1", "output": parts},
    ]
    made, losses = sent({"model": "x", "input": turns}, "responses", target="messages")
    assert legal_marks(made) == ["5m"] * 4
    assert losses == ["input[0].cache_control=dropped", "input[2].cache_control=dropped"]


def test_marks_of_the_system_prompt_come_first():
    """An hour in a message behind five minutes in the system prompt is shortened."""
    asked = gpt(
        {"role": "system", "content": [text("s", **MARK)]},
        user([text("a", **HOUR), text("b", **MARK), text("c", **HOUR)]),
    )
    made, losses = sent(asked, "chat")
    assert legal_marks(made) == ["5m"] * 4
    assert losses == ["messages[1].cache_control.ttl=weakened"]


def test_a_system_message_in_between_keeps_its_mark():
    """A system message that becomes text of the user keeps the mark of its last part."""
    asked = gpt(user("x"), {"role": "system", "content": [text("s", **MARK)]}, user("y"))
    made, _ = sent(asked, "chat", model="claude-sonnet-4-5")
    assert marks_of(made) == ["5m"]


def test_many_marks_cost_little():
    """The time grows with the number of marks."""
    grows_evenly(lambda count: marked(*("15" * count)), lambda asked: sent(asked, "chat"), 1000)
    made, _ = sent(marked(*("15" * 5000)), "chat")
    legal_marks(made)
