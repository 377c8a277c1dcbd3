"""Requests to and from Responses: the mapping of fields, the losses, and round trips."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.wire import translate

from .responses_samples import LOOK, PATCH, called, gpt5, output, say
from .test_translate_round_trips import CONVERSATION
from .translations import IMAGE, PDF, PNG, TOOL, assistant, calls, claude, context, gpt, result, sent, tool, use, user

DATA = f"data:image/png;base64,{PNG}"


def to_responses(body, source="messages", vendor="openai", **fields):
    return sent(body, source, vendor, "responses", **fields)


def test_a_messages_request():
    """Every field of a Messages request reaches its place in Responses."""
    asked = claude(
        user([{"type": "text", "text": "Look."}, IMAGE, PDF]),
        assistant([{"type": "text", "text": "I will."}, use()]),
        user([result([{"type": "text", "text": "here"}, IMAGE]), {"type": "text", "text": "And?"}]),
        {"role": "system", "content": "Be quick."},
        system="S",
        tools=[TOOL],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        temperature=0.5,
        stop_sequences=["END"],
        output_config={"effort": "high"},
        metadata={"user_id": "me"},
        stream=True,
    )
    made, lost = to_responses(asked, model="gpt-4.1")
    assert made == {
        "model": "gpt-4.1",
        "instructions": "S",
        "input": [
            say(
                "user",
                [
                    {"type": "input_text", "text": "Look."},
                    {"type": "input_image", "image_url": DATA, "detail": "auto"},
                    {
                        "type": "input_file",
                        "filename": "document.pdf",
                        "file_data": "data:application/pdf;base64,JVBERi0=",
                    },
                ],
            ),
            say("assistant", [{"type": "output_text", "text": "I will."}]),
            called(),
            output(
                said=[
                    {"type": "input_text", "text": "here"},
                    {"type": "input_image", "image_url": DATA, "detail": "auto"},
                ]
            ),
            say("user", [{"type": "input_text", "text": "And?"}]),
            say("developer", [{"type": "input_text", "text": "Be quick."}]),
        ],
        "tools": [
            {
                "type": "function",
                "name": "look",
                "parameters": {"type": "object", "properties": {}},
                "strict": False,
            }
        ],
        "parallel_tool_calls": False,
        "tool_choice": "required",
        "max_output_tokens": 50,
        "temperature": 0.5,
        "safety_identifier": "2744ccd10c7533bd736ad890f9dd5cab2adb27b07d500b9493f29cdc420cb2e0",
        "prompt_cache_key": "2744ccd10c7533bd736ad890f9dd5cab2adb27b07d500b9493f29cdc420cb2e0",
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert lost == ["output_config.effort=dropped", "metadata.user_id=weakened"]


def test_a_chat_request():
    """A Chat system prompt stays a message, and fields that both of OpenAI's protocols have are kept."""
    asked = gpt(
        {"role": "system", "content": "S"},
        user([{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": DATA, "detail": "high"}}]),
        calls(("t1", "look", "{ }"), content="So."),
        tool("t1", "here"),
        max_completion_tokens=5,
        reasoning_effort="minimal",
        verbosity="low",
        metadata={"a": "b"},
        prompt_cache_key="k",
        user="me",
        seed=1,
        stop=["END"],
        response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
        tools=[{"type": "function", "function": {"name": "look"}}],
    )
    made, lost = to_responses(asked, "chat", model="gpt-5")
    assert made["input"] == [
        say("developer", [{"type": "input_text", "text": "S"}]),
        say(
            "user",
            [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": DATA, "detail": "high"}],
        ),
        say("assistant", [{"type": "output_text", "text": "So."}]),
        called(arguments="{ }"),
        output(said="here"),
    ]
    assert "instructions" not in made
    assert made["text"] == {
        "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": False},
        "verbosity": "low",
    }
    assert made["reasoning"] == {"effort": "minimal"}
    same = {"metadata": {"a": "b"}, "prompt_cache_key": "k", "user": "me", "max_output_tokens": 16}
    assert same.items() <= made.items()
    assert lost == ["seed=dropped", "max_completion_tokens=weakened", "response_format=weakened"]


def test_a_responses_request_for_messages():
    """Items become turns; instructions come first; a search that is only offered is left out: each one costs."""
    asked = gpt5(
        say("developer", "D"),
        say("user", [{"type": "input_text", "text": "Look."}, {"type": "input_image", "image_url": DATA}]),
        say("assistant", [{"type": "output_text", "text": "I will.", "annotations": []}]),
        called("t1"),
        called("t2"),
        output("t1", [{"type": "input_image", "image_url": DATA}]),
        output("t2"),
        say("user", "And?"),
        instructions="I",
        tools=[LOOK, {"type": "web_search"}],
        tool_choice="auto",
        parallel_tool_calls=False,
        max_output_tokens=9,
        reasoning={"effort": "low", "summary": "auto"},
        store=False,
        client_metadata={"a": 1},
        include=["reasoning.encrypted_content", "web_search_call.results"],
    )
    made, lost = sent(asked, "responses", "anthropic", "messages", model="claude-opus-5")
    made.pop("cache_control", None)
    assert made == {
        "model": "claude-opus-5",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "I"}, {"type": "text", "text": "D"}],
        "messages": [
            user([{"type": "text", "text": "Look."}, IMAGE]),
            assistant([{"type": "text", "text": "I will."}, use("t1"), use("t2")]),
            user([result([IMAGE], "t1"), result("ok", "t2"), {"type": "text", "text": "And?"}]),
        ],
        "tools": [
            {"name": "look", "description": "d", "input_schema": LOOK["parameters"]},
        ],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {"effort": "low"},
    }
    assert lost == ["client_metadata=dropped", "include[1]=dropped", "tools[1]=dropped"]


def test_a_responses_request_for_chat():
    """Items become Chat messages; a result's image follows as a message."""
    asked = gpt5(
        say("user", "Look."),
        called("t1"),
        output("t1", [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": DATA}]),
        instructions="I",
        tools=[LOOK],
        text={"format": {"type": "json_object"}, "verbosity": "low"},
        reasoning={"effort": "high"},
        top_logprobs=2,
    )
    made, lost = sent(asked, "responses", "openai", "chat", model="gpt-5")
    assert [one["role"] for one in made["messages"]] == ["developer", "user", "assistant", "tool", "user"]
    assert made["messages"][2]["tool_calls"][0]["function"] == {"name": "look", "arguments": "{}"}
    assert made["tools"][0]["function"]["parameters"] == LOOK["parameters"]
    assert (made["response_format"], made["reasoning_effort"]) == ({"type": "json_object"}, "high")
    assert (made["verbosity"], made["top_logprobs"], made["logprobs"]) == ("low", 2, True)
    assert lost == ["input[2]=weakened", "reasoning=weakened"]
    other, lost = sent(asked, "responses", "", "chat")
    assert "verbosity" not in other
    assert {"top_logprobs=dropped", "text.verbosity=dropped"} <= set(lost)


def test_string_input():
    """Input given as a string is one user message."""
    made, lost = sent({"model": "x", "input": "hi"}, "responses", "", "chat")
    assert (made["messages"], lost) == ([user("hi")], [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"background": True}, "background"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"access_programs": {"cyber": "standard"}}, "access_programs"),
        ({"moderation": {"policy": {"mode": "block"}}}, "moderation"),
        ({"previous_response_id": "resp_x"}, "previous_response_id"),
        ({"tools": [{"type": "file_search"}]}, r"tools\[0\]"),
        ({"tools": [{"type": "code_interpreter"}]}, r"tools\[0\]"),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, r"tools\[0\].environment"),
        ({"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search"}}, r"tools\[0\]"),
        ({"tools": [LOOK], "tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice"),
        ({"input": [{"type": "compaction", "encrypted_content": "x"}]}, r"input\[0\]"),
        ({"input": [{"type": "compaction_trigger"}, {"role": "user", "content": "hi"}]}, r"input\[0\]"),
        ({"input": [say("user", [{"type": "input_image", "file_id": "file_1"}])]}, r"input\[0\].content\[0\].file_id"),
        ({"input": [say("user", [{"type": "input_audio"}])]}, r"input\[0\].content\[0\]"),
        ({"input": [say("user", [{"type": "hologram"}])]}, r"input\[0\].content\[0\]"),
        ({"input": []}, "input"),
        ({"input": [say("narrator", "x")]}, r"input\[0\].role"),
        ({"input": [called(name="")]}, r"input\[0\].name"),
        ({"input": [{"type": "function_call", "name": "x"}]}, r"input\[0\].call_id"),
        ({"tools": [{**LOOK, "name": " "}]}, r"tools\[0\].name"),
        ({"reasoning": {"effort": "wild"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"input": 3}, "input"),
    ],
)
@pytest.mark.parametrize("target", ["messages", "chat"])
def test_what_is_refused(fields, path, target):
    """A field that is wrong or cannot be carried over is a 400 that names it."""
    with pytest.raises(BadRequest, match=path) as caught:
        sent({**gpt5(say("user", "hi")), **fields}, "responses", "", target)
    assert caught.value.status == 400


def test_an_answer_that_is_not_kept():
    """An unknown previous_response_id is refused with the code and field that OpenAI's SDKs know."""
    with pytest.raises(BadRequest) as caught:
        sent(gpt5(say("user", "hi"), previous_response_id="resp_x"), "responses", "", "chat")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_hints_that_are_dropped():
    """Each hint that is left out is named in the losses."""
    hints = {
        "truncation": "auto",
        "max_tool_calls": 3,
        "service_tier": "flex",
        "prompt_cache_retention": "24h",
        "context_management": [{"type": "compaction"}],
        "moderation": {"policy": {"mode": "score"}},
    }
    _, lost = sent(gpt5(say("user", "hi"), **hints), "responses", "", "messages")
    assert {f"{name}=dropped" for name in hints} == set(lost)


def test_prefill_has_no_counterpart():
    """A prefilled answer is refused; a last assistant message of OpenAI's protocols is history."""
    with pytest.raises(BadRequest, match="prefill"):
        to_responses(claude(user("hi"), assistant("So")))
    made, _ = to_responses(gpt(user("hi"), assistant("So")), "chat")
    assert made["input"][-1] == say("assistant", [{"type": "output_text", "text": "So"}])
    made, _ = sent(gpt5(say("user", "hi"), say("assistant", "So")), "responses", "", "chat")
    assert made["messages"][-1] == assistant("So")


@pytest.mark.parametrize("source", ["messages", "chat", "responses"])
@pytest.mark.parametrize("target", ["messages", "chat", "responses"])
@pytest.mark.parametrize("vendor", ["", "openai", "mistral"])
def test_a_growing_conversation_keeps_its_prefix(source, target, vendor):
    """Up to the last assistant turn each translation begins with the bytes of the one before."""
    if source == target or "responses" not in (source, target):
        return
    before = b""
    for end, body in enumerate(_growing(source)):
        made, _ = sent(body, source, vendor, target, model="claude-opus-4-8")
        now = json.dumps(made["input" if target == "responses" else "messages"]).encode()[:-1]
        assert now.startswith(before), end
        before = now


def _growing(source):
    if source == "responses":
        turns = [
            say("user", "Look."),
            say("assistant", "I will."),
            called("t1"),
            output("t1", [{"type": "input_image", "image_url": DATA}]),
            say("user", "And?"),
            say("developer", "Be quick."),
            called("t2", arguments="{ }"),
            called("t3", arguments='{"a": 1.0}'),
            output("t3"),
            output("t2"),
            say("assistant", "Done."),
            say("user", "Thanks."),
        ]
        for end in (1, 6, 10, 12):
            yield gpt5(*turns[:end])
        return
    turns = CONVERSATION[source]
    make = claude if source == "messages" else gpt
    # A client asks behind the user's last word of a turn.
    for end in range(1, len(turns) + 1):
        if end == len(turns) or turns[end]["role"] == "assistant":
            yield make(*turns[:end])


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
values = st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | words, lambda inner: st.lists(inner, max_size=2))
arguments = st.dictionaries(words, values, max_size=3).map(json.dumps)


@st.composite
def conversations(draw):
    """Legal items: the user speaks, the assistant answers or calls, every call has its result."""
    items = [say("user", draw(words))]
    for round_ in range(draw(st.integers(0, 4))):
        if draw(st.booleans()):
            items.append(say("assistant", [{"type": "output_text", "text": draw(words)}]))
        ids = [f"call_{round_}_{at}" for at in range(draw(st.integers(0, 3)))]
        items += [called(one, arguments=draw(arguments)) for one in ids]
        items += [output(one, draw(words)) for one in ids]
        items.append(say("user", draw(words)))
    return items


def flat(items):
    """Items with the short form of text and the names of roles that both know."""
    found = []
    for item in items:
        if item["type"] != "message":
            found.append(item)
            continue
        content = item["content"]
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        if found and found[-1].get("role") == item["role"]:
            found[-1]["content"] += texts
        else:
            found.append({"type": "message", "role": item["role"], "content": texts})
    return found


@pytest.mark.parametrize("via", ["messages", "chat"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(items=conversations())
def test_there_and_back(via, items):
    """A conversation of texts and calls survives a round trip through either other protocol."""
    ctx = context("openai", model="gpt-4.1")
    there = translate.request(json.dumps(gpt5(*items)).encode(), "responses", via, ctx)
    assert ctx.losses == []
    back = context("openai", model="gpt-4.1")
    again = json.loads(translate.request(there.body, via, "responses", back).body)
    assert [loss.path for loss in back.losses] == []
    assert _calls(again["input"]) == _calls(items)
    assert flat([one for one in again["input"] if one["type"] == "message"]) == flat(
        [one for one in items if one["type"] == "message"]
    )


def _calls(items):
    found = []
    for item in items:
        if item["type"] == "function_call":
            found.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        elif item["type"] == "function_call_output":
            found.append((item["call_id"], item["output"]))
    return found


def test_custom_tools_between_openais_protocols():
    """A custom tool's free text stays free text where both protocols have such tools."""
    custom = {"name": "apply_patch", "description": "Change files."}
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}}
    asked = gpt(
        user("go"),
        assistant(
            None, tool_calls=[{"id": "t1", "type": "custom", "custom": {"name": "apply_patch", "input": 'a"\n'}}]
        ),
        tool("t1", "done"),
        tools=[{"type": "custom", "custom": {**custom, "format": grammar}}],
        tool_choice={"type": "custom", "custom": {"name": "apply_patch"}},
    )
    made, lost = to_responses(asked, "chat")
    assert made["tools"] == [PATCH]
    assert made["tool_choice"] == {"type": "custom", "name": "apply_patch"}
    assert made["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "t1", "name": "apply_patch", "input": 'a"\n'},
        output("t1", "done", "custom_tool_call_output"),
    ]
    assert lost == []
