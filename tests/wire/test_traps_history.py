"""Known pitfalls of translating messages and history; each test is named after their numbers
(test_traps_listed.py)."""

import json

import pytest

from router.errors import BadRequest

from .translations import (
    IMAGE,
    PDF,
    PNG,
    assistant,
    calls,
    chat_messages,
    claude,
    claude_messages,
    result,
    sent,
    tool,
    use,
    user,
)


def test_1_3_results_first_then_what_else_the_turn_says():
    """Tool messages follow the calls at once, in their order; text and images of the turn come after them."""
    made, _ = chat_messages(
        user("go"),
        assistant([use("a"), use("b")]),
        user([{"type": "text", "text": "and"}, result("B", "b"), IMAGE, result("A", "a")]),
    )
    assert [(one["role"], one.get("tool_call_id")) for one in made[2:]] == [
        ("tool", "a"),
        ("tool", "b"),
        ("user", None),
    ]
    assert [part["type"] for part in made[4]["content"]] == ["text", "image_url"]


def test_2_images_of_results_follow_as_parts():
    """A tool message gets a placeholder; its image is a part of the next user message, never text."""
    made, losses = chat_messages(user("go"), assistant([use()]), user([result([IMAGE])]))
    assert made[2]["content"] == "[image 1 of tool result t1: see next user message]"
    assert made[3]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PNG}"
    assert losses == ["messages[2]=weakened"]
    made, _ = chat_messages(user("go"), assistant([use()]), user([result([IMAGE])]), vendor="vllm")
    assert made[2]["content"][0]["type"] == "image_url"


def test_4_tool_messages_become_one_user_message():
    """Tool messages become one user message: results in the order of the calls, then the user's text."""
    made, _ = claude_messages(
        user("go"), calls(("a", "f", "{}"), ("b", "f", "{}")), tool("b", "B"), tool("a", "A"), user("on")
    )
    assert [one["role"] for one in made] == ["user", "assistant", "user"]
    assert [part.get("tool_use_id", part["type"]) for part in made[2]["content"]] == ["a", "b", "text"]


def test_5_orphan_results_become_text():
    """Results without a call become text in both directions, since the other API refuses them."""
    made, losses = chat_messages(user([result("x", "gone")]))
    assert made == [user("[orphan tool result gone] x")]
    assert losses == ["messages[0]=weakened"]
    made, _ = claude_messages(user("go"), tool("gone", "x"))
    assert made[0]["content"][1]["text"] == "[orphan tool result gone] x"


def test_6_system_messages_stay_where_they_are():
    """System messages are neither moved to the top nor lost; one between call and result moves behind the result."""
    made, _ = chat_messages(
        user("go"), assistant([use()]), {"role": "system", "content": "now"}, user([result("r")]), system="first"
    )
    assert [one["role"] for one in made] == ["system", "user", "assistant", "tool", "system"]
    made, _ = claude_messages(
        {"role": "system", "content": "a"}, user("x"), {"role": "system", "content": "b"}, model="claude-opus-5"
    )
    assert [one["role"] for one in made] == ["user", "system"]


def test_7_8_models_without_system_messages_get_a_reminder():
    """Models without system messages get a reminder; others get none behind an assistant's turn."""
    late = {"role": "system", "content": "b"}
    made, losses = claude_messages(user("x"), late, model="claude-sonnet-4-5")
    assert made[0]["content"][1]["text"] == "<system-reminder>\nb\n</system-reminder>"
    assert losses == ["messages[1]=weakened"]
    made, _ = claude_messages(user("x"), assistant("y"), late, user("z"), model="claude-opus-5")
    assert [one["role"] for one in made] == ["user", "assistant", "user"]


def test_9_templates_with_one_system_message():
    """Where only the first message may be a system message, a later one becomes user text."""
    made, _ = chat_messages(user("x"), {"role": "system", "content": "b"}, system="a", vendor="llamacpp")
    assert [one["role"] for one in made] == ["system", "user", "user"]


def test_10_empty_texts_are_dropped():
    """Empty texts are dropped, since both APIs refuse them."""
    made, _ = chat_messages(user([{"type": "text", "text": ""}, {"type": "text", "text": "x"}]))
    assert made == [user("x")]
    made, _ = claude_messages(user([{"type": "text", "text": "x"}]), calls(("a", "f", "{}"), content=""), tool("a"))
    assert [part["type"] for part in made[1]["content"]] == ["tool_use"]
    with pytest.raises(BadRequest, match=r"messages\[0\]\.content"):
        claude_messages(user(""))


@pytest.mark.parametrize(("vendor", "expected"), [("", {"content": None}), ("mistral", {})])
def test_12_content_beside_calls(vendor, expected):
    """The content beside calls is null or absent, as the provider requires."""
    made, _ = chat_messages(user("go"), assistant([use()]), user([result("r")]), vendor=vendor)
    assert {name: made[1][name] for name in made[1] if name == "content"} == expected


def test_13_texts_of_the_assistant_are_joined_with_nothing():
    """Texts of the assistant are joined without a separator, since they are split by citations, not by paragraphs."""
    made, _ = chat_messages(
        user("x"), assistant([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), user("y")
    )
    assert made[1]["content"] == "ab"


def test_14_prefill():
    """A prefilled answer is continued where the provider can do that, and else refused."""
    asked = (user("x"), assistant("It is"))
    with pytest.raises(BadRequest, match=r"messages\[1\].*prefill"):
        chat_messages(*asked)
    assert sent(claude(*asked), "messages", "vllm")[0]["continue_final_message"] is True
    assert chat_messages(*asked, vendor="mistral")[0][-1]["prefix"] is True
    assert claude_messages(*asked, model="claude-sonnet-4-5")[0][-1]["role"] == "assistant"
    with pytest.raises(BadRequest, match="continue"):
        claude_messages(*asked, model="claude-opus-5")


def test_15_roles_that_must_alternate():
    """Neighbouring messages of one role are merged where roles must alternate."""
    made, _ = chat_messages(user("a"), user("b"), vendor="mistral")
    assert [part["text"] for part in made[0]["content"]] == ["a", "b"]


def test_16_17_documents():
    """A PDF is a file part where files are taken, else refused; a result of nothing else has its tool message."""
    made, _ = chat_messages(user([PDF]), vendor="openai")
    assert made[0]["content"][0]["file"]["file_data"].startswith("data:application/pdf;base64,")
    with pytest.raises(BadRequest, match=r"messages\[0\]: .*files"):
        chat_messages(user([PDF]))
    made, _ = chat_messages(user("go"), assistant([use()]), user([result([PDF])]), vendor="openai")
    assert [one["role"] for one in made][2:] == ["tool", "user"]
    made, losses = chat_messages(user([{"type": "document", "source": {"type": "text", "data": "T"}, "title": "N"}]))
    assert (made, losses) == ([user("Title: N\nT")], ["messages[0].content[0]=weakened"])


@pytest.mark.parametrize(("text", "said"), [("no such file", "[error] no such file"), ("Error: no", "Error: no")])
def test_18_errors_of_tools_are_said(text, said):
    """Errors of tools are marked in the text, since Chat has no flag for them."""
    made, losses = chat_messages(user("go"), assistant([use()]), user([result(text, is_error=True)]))
    assert (made[2]["content"], losses) == (said, ["messages[2].is_error=weakened"])


def test_19_tool_references_are_text_of_the_one_message():
    """Tool references become text of the one tool message, not a second message with the same id."""
    made, _ = chat_messages(
        user("go"), assistant([use()]), user([result([{"type": "tool_reference", "tool_name": "grep"}])])
    )
    assert [one for one in made if one["role"] == "tool"] == [tool("t1", "[tool available: grep]")]


def test_20_the_billing_line_is_left_out():
    """The billing line is left out, since it changes with every request and would spoil every cache."""
    system = [{"type": "text", "text": "x-anthropic-billing-header: cc=1;"}, {"type": "text", "text": "Be kind."}]
    made, losses = chat_messages(user("x"), system=system)
    assert (made[0]["content"], losses) == ("Be kind.", [])


@pytest.mark.parametrize("content", ["", [], [{"type": "text", "text": ""}]])
def test_11_an_empty_user_message_is_not_left_out(content):
    """An empty user message is kept, or the last assistant text would be read as a prefilled answer."""
    with pytest.raises(BadRequest, match=r"messages\[2\]\.content"):
        chat_messages(user("x"), assistant("so"), user(content), vendor="vllm")


def test_21_no_citations_and_no_documents_where_the_new_version_refuses_them():
    """A translated Chat history has neither citations on a user's text nor documents in assistant turns."""
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
    annotated = assistant("so", annotations=[{"type": "url_citation", "url_citation": {"url": "http://a"}}])
    made, _ = claude_messages(user([file, {"type": "text", "text": "x"}]), annotated, user("y"))
    assert "citations" not in json.dumps(made)
    kinds = [{part["type"] for part in one["content"]} for one in made if one["role"] == "assistant"]
    assert kinds == [{"text"}]


def test_22_24_texts_around_calls_that_say_the_same():
    """A text between two calls comes before both; one behind them stays there, also when it says the same."""
    text = {"type": "text", "text": "a"}
    spoken = assistant([use("t1"), text, use("t2"), text])
    body = claude(user("x"), spoken, user([result("1"), result("2", "t2")]))
    made, losses = sent(body, "messages", target="responses")
    kinds = [(one["type"], one.get("content", [{}])[0].get("text")) for one in made["input"][1:5]]
    call = ("function_call", None)
    assert kinds == [("message", "a"), call, call, ("message", "a")]
    assert losses == ["messages[1]=weakened"]


def test_22_24_parallel_calls_stay_together():
    """Text between two calls comes before both, in one message, and reasoning before the text."""
    spoken = assistant([{"type": "text", "text": "a"}, use("t1"), {"type": "text", "text": "b"}, use("t2")])
    made, losses = chat_messages(user("x"), spoken, user([result("1"), result("2", "t2")]))
    assert made[1]["content"] == "ab"
    assert [entry["id"] for entry in made[1]["tool_calls"]] == ["t1", "t2"]
    assert losses == ["messages[1]=weakened"]


def test_23_24_calls_are_the_last_blocks_of_their_turn():
    """Calls come behind the text of their turn, right before their results."""
    made, _ = claude_messages(user("x"), calls(("t1", "look", "{}"), content="so"), tool("t1"))
    assert [part["type"] for part in made[1]["content"]] == ["text", "tool_use"]
    assert made[2]["content"][0]["type"] == "tool_result"


def test_10_a_mark_on_an_empty_text_moves_to_the_block_before():
    """The caching mark of an empty text moves to the block before, since the API refuses the empty text only."""
    mark = {"cache_control": {"type": "ephemeral"}}
    made, _ = chat_messages(
        user([{"type": "text", "text": "a"}, {"type": "text", "text": "", **mark}]), vendor="openrouter"
    )
    assert made[0]["content"] == [{"type": "text", "text": "a", **mark}]
    empty = {"type": "text", "text": "", "prompt_cache_breakpoint": {"mode": "explicit"}}
    made, _ = claude_messages(user([{"type": "text", "text": "a"}, empty]))
    assert made[0]["content"] == [{"type": "text", "text": "a", **mark}]
