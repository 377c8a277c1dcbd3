"""Caching marks and wishes, from each protocol to the other."""

import pytest

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
