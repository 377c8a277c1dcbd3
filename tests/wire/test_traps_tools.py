"""Known pitfalls of translating tools and reasoning; each test is named after their numbers (test_traps_listed.py)."""

import json

import pytest

from router.errors import BadRequest
from router.wire import translate

from .translations import (
    DONE,
    TOOL,
    assistant,
    blocks,
    call,
    calls,
    chat_messages,
    chunk,
    claude,
    claude_messages,
    context,
    event,
    gpt,
    result,
    said_arguments,
    sent,
    streamed,
    tool,
    use,
    user,
)


def test_25_names_that_are_too_long_or_odd():
    """Unfit names are replaced in tools, choice and history alike, and restored in answers."""
    name = "mcp__server.with dots__" + "n" * 80
    ctx = context()
    body = claude(
        user("go"),
        assistant([use("t1", name)]),
        user([result("r")]),
        tools=[{**TOOL, "name": name}],
        tool_choice={"type": "tool", "name": name},
    )
    made = json.loads(translate.request(json.dumps(body).encode(), "messages", "chat", ctx).body)
    [short] = {
        made["tools"][0]["function"]["name"],
        made["tool_choice"]["function"]["name"],
        made["messages"][1]["tool_calls"][0]["function"]["name"],
    }
    assert len(short) <= 64
    assert short.replace("_", "").replace("-", "").isalnum()
    back = streamed([chunk(call(0, "c", short, "{}")) + chunk({}, "tool_calls") + DONE], "chat", ctx)
    assert f'"name":"{name}"'.encode() in back


@pytest.mark.parametrize("name", ["", "   "])
def test_26_blank_names(name):
    """Blank names are refused with their path."""
    with pytest.raises(BadRequest, match=r"tools\[0\]\.name"):
        sent(claude(user("x"), tools=[{**TOOL, "name": name}]), "messages")


def test_27_28_29_schemas_are_passed_verbatim():
    """Schemas are sent unchanged: nothing is added, removed or made required."""
    schema = {"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "x-own": [1.0]}
    made, losses = sent(
        claude(user("x"), tools=[{**TOOL, "input_schema": schema, "strict": True, "defer_loading": False}]), "messages"
    )
    function = made["tools"][0]["function"]
    assert function["parameters"] == schema
    assert "strict" not in function
    assert losses == ["tools[0].strict=weakened"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "any"}, "required"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "look"}, {"type": "function", "function": {"name": "look"}}),
    ],
)
def test_31_32_tool_choice(choice, expected):
    """The tool choice is exact both ways, with one call at a time where that is asked for."""
    single = {**choice, "disable_parallel_tool_use": True}
    made, losses = sent(claude(user("x"), tools=[TOOL], tool_choice=single), "messages")
    assert (made["tool_choice"], made["parallel_tool_calls"], losses) == (expected, False, [])
    function = {"type": "function", "function": {"name": "look"}}
    back, _ = sent(gpt(user("x"), tools=[function], tool_choice=expected, parallel_tool_calls=False), "chat")
    assert back["tool_choice"] == (choice if choice["type"] == "none" else single)


def test_33_tools_that_take_free_text():
    """Calls of free-text tools are wrapped in the request and unwrapped in the answer, whole and streamed."""
    ctx = context()
    body = gpt(user("x"), tools=[{"type": "custom", "custom": {"name": "patch"}}])
    made = json.loads(translate.request(json.dumps(body).encode(), "chat", "messages", ctx).body)
    assert made["tools"][0]["input_schema"]["required"] == ["input"]
    data = {"id": "m", "content": [use("t", "patch", input="*** a")], "stop_reason": "tool_use", "usage": {}}
    whole = translate.answer(json.dumps(data).encode(), "messages", "chat", ctx, stream=False).body
    assert json.loads(whole)["choices"][0]["message"]["tool_calls"][0]["custom"] == {"name": "patch", "input": "*** a"}
    parts = translate.answer(json.dumps(data).encode(), "messages", "chat", ctx, stream=True).body
    assert b'"custom":{"name":"patch","input":"*** a"}' in parts


@pytest.mark.parametrize("arguments", ["[1]", '"x"', "{broken", "NaN"])
def test_34_arguments_that_are_no_object(arguments):
    """Arguments that are not an object are wrapped for Messages, and that is named."""
    made, losses = claude_messages(user("x"), calls(("a", "f", arguments)), tool("a"))
    assert made[1]["content"][0]["input"] == {"_raw_arguments": arguments}
    assert losses == ["messages[1].arguments=weakened"]


def test_35_calls_without_arguments():
    """An empty stream of arguments is {} for a Chat caller."""
    made = streamed(
        [
            event("message_start", message={"id": "m", "usage": {"input_tokens": 1}})
            + event("content_block_start", index=0, content_block=use())
            + event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": ""})
            + event("content_block_stop", index=0)
            + event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 1})
            + event("message_stop")
        ],
        "messages",
    )
    assert said_arguments(made) == {0: "{}"}


def test_37_ids_in_the_form_the_upstream_wants():
    """Ids get the form that the upstream requires, the same for call and result, and always the same."""
    made, _ = chat_messages(user("x"), assistant([use("toolu_1")]), user([result("r", "toolu_1")]), vendor="mistral")
    call_id = made[1]["tool_calls"][0]["id"]
    assert len(call_id) == 9
    assert call_id.isalnum()
    assert made[2]["tool_call_id"] == call_id
    made, _ = claude_messages(user("x"), calls(("functions.Bash:0", "f", "{}")), tool("functions.Bash:0"))
    assert made[1]["content"][0]["id"] == made[2]["content"][0]["tool_use_id"]
    assert made[1]["content"][0]["id"].startswith("functions_Bash_0_")


def test_38_missing_ids_are_made():
    """Missing ids are made, unique within the answer."""
    parts = chunk(call(0, "", "f", "{}")) + chunk(call(1, "", "f", "{}"))
    made = blocks(streamed([parts + chunk({}, "tool_calls") + DONE], "chat"))
    assert len({one["id"] for one in made}) == 2


@pytest.mark.parametrize("kind", ["web_search_20250305", "code_execution_20260521"])
def test_39_tools_of_the_server(kind):
    """The server's tools are offers: they are left out and named, and refused where one of them must be called."""
    body = claude(user("x"), tools=[{"type": kind, "name": "w"}])
    assert sent(body, "messages")[1] == ["tools[0]=dropped"]
    with pytest.raises(BadRequest, match=r"tools\[0\]: the (tool|backend)"):
        sent({**body, "tool_choice": {"type": "tool", "name": "w"}}, "messages")


def test_39_tools_that_an_agent_consists_of():
    """The use of a computer is refused: without it, the answer would differ."""
    with pytest.raises(BadRequest, match=r"tools\[0\]: the tool computer_20251124"):
        sent(claude(user("x"), tools=[{"type": "computer_20251124", "name": "c"}]), "messages")


def test_40_history_with_calls_and_no_tools():
    """Tools of calls in the history are declared, with the choice not to call them."""
    made, _ = sent(gpt(user("x"), calls(("a", "f", "{}")), tool("a")), "chat")
    assert made["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert made["tool_choice"] == {"type": "none"}


def test_41_42_43_only_genuine_reasoning_goes_back():
    """Sealed state of this upstream and model is unpacked; foreign, unsigned and edited reasoning is dropped."""
    ctx = context(model="claude-opus-5")
    data = {"id": "m", "content": [{"type": "thinking", "thinking": "hm", "signature": "c2ln"}, use()], "usage": {}}
    whole = translate.answer(
        json.dumps({**data, "stop_reason": "tool_use"}).encode(), "messages", "chat", ctx, stream=False
    ).body
    message = json.loads(whole)["choices"][0]["message"]
    assert message["reasoning_content"] == "hm"
    made, losses = claude_messages(user("x"), message, tool("t1"), model="claude-opus-5")
    assert made[1]["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert losses == []
    for other in ("claude-opus-4-8", "claude-sonnet-5"):
        made, losses = claude_messages(user("x"), message, tool("t1"), model=other)
        assert [part["type"] for part in made[1]["content"]] == ["tool_use"]
        assert losses == ["messages[1].reasoning=dropped"]
    message["reasoning_details"][0]["text"] = "hm!"
    assert len(claude_messages(user("x"), message, tool("t1"), model="claude-opus-5")[0][1]["content"]) == 1


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        ("claude-sonnet-4-5", {"reasoning_effort": "low"}, {"type": "enabled", "budget_tokens": 2048}),
        (
            "claude-sonnet-4-5",
            {"reasoning_effort": "high", "max_tokens": 4000},
            {"type": "enabled", "budget_tokens": 3999},
        ),
        ("claude-sonnet-4-5", {"reasoning_effort": "high", "max_tokens": 900}, None),
        ("claude-opus-5", {"reasoning_effort": "high"}, {"type": "adaptive"}),
        ("claude-opus-5", {"reasoning_effort": "none"}, {"type": "disabled"}),
        ("claude-opus-5", {}, None),
    ],
)
def test_44_45_46_thinking_as_the_model_takes_it(model, fields, expected):
    """Thinking is a budget for old models, within their limits, an effort for new ones, and absent if not asked for."""
    made, _ = sent(gpt(user("x"), temperature=0.5, **fields), "chat", model=model)
    assert made.get("thinking") == expected
    assert not ("temperature" in made and made.get("thinking", {}).get("type") in ("enabled", "adaptive"))


def test_44_forced_tools_and_budgets_exclude_each_other():
    """With a forced tool the thinking is left out."""
    function = {"type": "function", "function": {"name": "f"}}
    body = gpt(user("x"), tools=[function], tool_choice="required", reasoning_effort="high")
    assert "thinking" not in sent(body, "chat", model="claude-sonnet-4-5")[0]


@pytest.mark.parametrize(
    ("vendor", "expected"),
    [("openai", ("reasoning_effort", "none")), ("deepseek", ("thinking", {"type": "disabled"}))],
)
def test_46_47_reasoning_is_turned_off_in_one_way(vendor, expected):
    """Reasoning is turned off in the provider's form, and never beside an effort."""
    body = claude(user("x"), thinking={"type": "disabled"}, output_config={"effort": "high"})
    made, _ = sent(body, "messages", vendor, model="gpt-5")
    found = {name: made[name] for name in ("reasoning_effort", "thinking", "reasoning") if name in made}
    assert list(found.items()) == [expected]


def test_48_reasoning_that_must_come_back():
    """DeepSeek gets its own reasoning text beside the calls, and an empty one when it was lost."""
    ctx = context("deepseek")
    made = streamed(
        [chunk({"reasoning_content": "hm"}) + chunk(call(0, "t1", "look", "{}")) + chunk({}, "tool_calls") + DONE],
        "chat",
        ctx,
    )
    found = blocks(made)
    thinking = {"type": "thinking", "thinking": "hm", "signature": found[0]["signature"]}
    made, _ = chat_messages(user("x"), assistant([thinking, use()]), user([result("r")]), vendor="deepseek")
    assert made[1]["reasoning_content"] == "hm"
    made, _ = chat_messages(user("x"), assistant([use()]), user([result("r")]), vendor="deepseek")
    assert made[1]["reasoning_content"] == ""


def test_49_a_signature_on_a_call_comes_back_with_it():
    """The signature of a call, which Gemini requires, is carried in an opaque block in front of the call."""
    entry = call(0, "c1", "look", "{}")
    entry["tool_calls"][0]["extra_content"] = {"google": {"thought_signature": "c2ln"}}
    data = chunk(entry) + chunk(call(1, "c2", "look", "{}")) + chunk({}, "tool_calls") + DONE
    found = [{name: one[name] for name in one if name != "json"} for one in blocks(streamed([data], "chat"))]
    assert [one["type"] for one in found] == ["redacted_thinking", "tool_use", "tool_use"]
    results = [result("r", "c1"), result("r", "c2")]
    made, losses = chat_messages(user("x"), assistant(found), user(results), vendor="gemini")
    first, second = made[1]["tool_calls"]
    assert first["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert "extra_content" not in second
    assert losses == []


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("parallel", ("f", "g.h"), [("c_0", "f"), ("c_1", "g.h")]),
        ("multi_tool_use.parallel", ("f", "g.h"), [("c_0", "f"), ("c_1", "g.h")]),
        ("parallel", ("f",), [("c", "parallel")]),
        ("parallel", ("f", "g.h", "parallel"), [("c", "parallel")]),
    ],
)
def test_36_calls_wrapped_into_one(name, declared, expected):
    """Wrapped calls become single calls when all call declared tools; else the wrapper stays."""
    ctx = context()
    tools = [{"name": one, "input_schema": {"type": "object"}} for one in declared]
    made = json.loads(
        translate.request(json.dumps(claude(user("x"), tools=tools)).encode(), "messages", "chat", ctx).body
    )
    sent_names = [entry["function"]["name"] for entry in made["tools"]]
    uses = [
        {"recipient_name": f"functions.{sent_names[min(at, len(declared) - 1)]}", "parameters": {"x": at}}
        for at in range(2)
    ]
    if len(declared) == 1:
        uses[1]["recipient_name"] = "functions.other"
    text = json.dumps({"tool_uses": uses})
    data = chunk(call(0, "c", name, text[:9])) + chunk(call(0, None, None, text[9:])) + chunk({}, "tool_calls") + DONE
    found = blocks(streamed([data], "chat", ctx))
    assert [(one["id"], one["name"]) for one in found] == expected
    if len(expected) == 2:
        assert [json.loads(one["json"]) for one in found] == [{"x": 0}, {"x": 1}]


def test_95_several_choices_are_refused():
    """Several choices are refused, since a Messages answer has one message."""
    with pytest.raises(BadRequest, match=r"^n: "):
        sent(gpt(user("x"), n=2), "chat")
    assert "n" not in sent(gpt(user("x"), n=1), "chat")[0]


def test_tools_offered_and_withdrawn_by_system_messages():
    """The tools offered are those at the end of the conversation; the change is named."""
    added = {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": {**TOOL, "name": "late"}}}
    gone = {"type": "tool_removal", "tool": {"type": "tool_reference", "name": "look"}}
    back = {"type": "tool_addition", "tool": {"type": "tool_reference", "name": "late"}}
    system = {"role": "system", "content": [added, {"type": "text", "text": "note"}, gone, back]}
    made, losses = sent(claude(user("x"), system, user("y"), tools=[TOOL]), "messages")
    assert [entry["function"]["name"] for entry in made["tools"]] == ["late"]
    assert made["messages"][1] == {"role": "system", "content": "note"}
    assert losses == [f"messages[1].content[{at}]=weakened" for at in (0, 2, 3)]
    foreign = {"type": "tool_addition", "tool": {"type": "mcp_toolset_reference", "name": "x"}}
    with pytest.raises(BadRequest, match=r"messages\[1\]\.content\[0\]\.tool"):
        sent(claude(user("x"), {"role": "system", "content": [foreign]}, tools=[TOOL]), "messages")


def test_two_tools_of_one_name_are_refused():
    """Two tools of one name are refused, as by Anthropic, since calls would be ambiguous."""
    with pytest.raises(BadRequest, match=r"tools\[1\]\.name"):
        sent(claude(user("x"), tools=[TOOL, TOOL]), "messages")


def test_deferred_tools_are_sent_at_once():
    """Deferred tools are sent at once, without the placeholder that stands for them."""
    deferred = [{**TOOL, "defer_loading": True}, {**TOOL, "name": "DeferredToolPlaceholder", "defer_loading": True}]
    made, losses = sent(claude(user("hi"), tools=deferred), "messages")
    assert [tool["function"]["name"] for tool in made["tools"]] == ["look"]
    assert losses == ["tools[0].defer_loading=weakened", "tools[1]=dropped"]
