"""Requests as Chat clients write them: what is read, what is named as lost, and what is refused by its field's path."""

import json

import pytest

from router.errors import BadRequest
from router.ir import Document, Shape, Text, Thinking, ToolCall, ToolResult, WebSearch
from router.wire.chat.decode_request import decode_request

from ..translations import assistant, calls, context, gpt, sent, tool, user

SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"name": "look", "description": "d", "parameters": SCHEMA, "strict": True}


def decoded(body, **fields):
    """The neutral request, and its losses."""
    ctx = context("", **fields)
    return decode_request(body, ctx), [f"{loss.path}={loss.how}" for loss in ctx.losses]


def history(*messages, **fields):
    """The turns behind the first message."""
    request, losses = decoded(gpt(user("go"), *messages, **fields))
    return request.turns[1:], losses


def test_thinking_parts_of_a_history_are_reasoning():
    """Mistral's parts hold reasoning as a list of texts, others as one text; they are not lost, nor read as text."""
    for inner in ([{"type": "text", "text": "h"}, {"type": "text", "text": "m"}], "hm"):
        said = assistant([{"type": "thinking", "thinking": inner, "closed": True}, {"type": "text", "text": "so"}])
        [turn], losses = history(said)
        assert (turn.blocks, losses) == ((Thinking("hm"), Text("so")), [])
    references = [{"type": "text", "text": "hm"}, {"type": "reference", "reference_ids": [1]}]
    [turn], losses = history(assistant([{"type": "thinking", "thinking": references}, {"type": "text", "text": "so"}]))
    assert turn.blocks[0] == Thinking("hm")
    assert losses == ["messages[1].content[0].thinking=dropped"]


def test_reasoning_in_several_fields_is_read_once():
    """A field repeats what another one or the parts of the content say."""
    details = [{"type": "reasoning.text", "text": "hm", "index": 0}]
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}]
    for fields in (
        {"reasoning_content": "hm", "reasoning": "hm"},
        {"reasoning_text": "hm"},
        {"reasoning": "hm", "reasoning_details": details},
        {"reasoning_content": "hm", "thinking_blocks": [{"type": "thinking", "thinking": "hm"}]},
    ):
        for content in ("so", parts):
            [turn], losses = history(assistant(content, **fields))
            assert (turn.blocks, losses) == ((Thinking("hm"), Text("so")), [])


def test_reasoning_that_is_opaque_or_summed_up():
    """Entries of OpenRouter and blocks of LiteLLM keep their data and their signatures."""
    details = [
        {"type": "reasoning.summary", "summary": "sum"},
        {"type": "reasoning.encrypted", "data": "x"},
        {"type": "reasoning.text", "text": "hm", "signature": "s"},
    ]
    [turn], losses = history(assistant("so", reasoning_details=details))
    assert turn.blocks[:3] == (Thinking("sum"), Thinking(redacted="x"), Thinking("hm", "s"))
    thinking = [{"type": "redacted_thinking", "data": "x"}, {"type": "thinking", "thinking": "hm", "signature": "s"}]
    [turn], _ = history(assistant("so", thinking_blocks=thinking))
    assert turn.blocks[:2] == (Thinking(redacted="x"), Thinking("hm", "s"))
    assert losses == []
    for fields, path in (
        ({"reasoning": {"effort": "low"}}, "reasoning"),
        ({"reasoning_details": "hm"}, "reasoning_details"),
        ({"reasoning_details": [{"type": "other"}]}, "reasoning_details[0]"),
    ):
        assert history(assistant("so", **fields))[1] == [f"messages[1].{path}=dropped"]


CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (assistant("so", hologram=1), "hologram"),
        (assistant("so", annotations=[{"type": "url_citation"}]), "annotations"),
        (
            assistant([{"type": "image_url", "image_url": {"url": "http://a"}}, {"type": "text", "text": "so"}]),
            "content[0]",
        ),
        (assistant([{"type": "text", "text": "so", "hologram": 1}]), "content[0].hologram"),
        (assistant(None, tool_calls=[{**CALL, "extra_content": {"a": 1}}]), "tool_calls[0].extra_content"),
        (
            assistant(None, tool_calls=[{**CALL, "function": {**CALL["function"], "hologram": 1}}]),
            "tool_calls[0].function.hologram",
        ),
        ({**user("x"), "hologram": 1}, "hologram"),
        (user([{"type": "text", "text": "x", "hologram": 1}]), "content[0].hologram"),
        (
            user([{"type": "image_url", "image_url": {"url": "http://a", "hologram": 1}}]),
            "content[0].image_url.hologram",
        ),
        ({"role": "system", "content": "x", "hologram": 1}, "hologram"),
        ({**tool("t1"), "hologram": 1}, "hologram"),
    ],
)
def test_fields_of_messages_that_nobody_reads_are_named(message, path):
    """A field or part without a counterpart is a loss with its path, and the conversation goes on."""
    assert history(message)[1] == [f"messages[1].{path}=dropped"]


def test_fields_that_clients_put_beside_their_messages_are_no_loss():
    """Empty fields, and what SDKs add to a message for their own use."""
    said = assistant(None, refusal=None, annotations=[], parsed=None, audio=None, function_call=None)
    function = {"name": "f", "arguments": "{}", "parsed_arguments": {"a": 1}}
    said["tool_calls"] = [{**CALL, "index": 0, "function": function}]
    assert history(said, {**tool("t1"), "name": "f"})[1] == []


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"hologram": 1}, "hologram"),
        ({"modalities": ["text", "image"]}, "modalities"),
        (
            {"stream_options": {"include_usage": True, "include_obfuscation": False, "hologram": 1}},
            "stream_options.hologram",
        ),
        ({"prompt_cache_options": {"mode": "implicit", "ttl": "1h"}}, "prompt_cache_options.ttl"),
        ({"tools": [{"type": "function", "function": FUNCTION, "hologram": 1}]}, "tools[0].hologram"),
        ({"tools": [{"type": "function", "function": {**FUNCTION, "hologram": 1}}]}, "tools[0].function.hologram"),
        ({"tools": [{"type": "function", **FUNCTION, "hologram": 1}]}, "tools[0].hologram"),
        ({"functions": [{**FUNCTION, "hologram": 1}]}, "functions[0].hologram"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "hologram": 1}}},
            "response_format.json_schema.hologram",
        ),
        ({"web_search_options": {"hologram": 1}}, "web_search_options.hologram"),
    ],
)
def test_fields_of_a_request_that_nobody_reads_are_named(fields, path):
    """At every level a field that is not read is a loss with its path."""
    assert decoded(gpt(user("x"), **fields))[1] == [f"{path}=dropped"]


def test_a_system_message_with_more_than_text_is_refused():
    """A picture in the instructions cannot be left out of them."""
    picture = [{"type": "image_url", "image_url": {"url": "http://a"}}]
    with pytest.raises(BadRequest, match=r"messages\[0\]\.content: a system message holds text only"):
        decoded(gpt({"role": "system", "content": picture}, user("x")))


@pytest.mark.parametrize("call_id", [{}, {"tool_call_id": None}, {"tool_call_id": ""}])
@pytest.mark.parametrize("target", ["messages", "responses"])
def test_tool_outputs_without_the_id_of_a_call_are_text(call_id, target):
    """Nobody knows which call it answers: it is delivered as text behind the results, and that is told."""
    lost = {"role": "tool", "name": "look", "content": "seen", **call_id}
    body = gpt(user("x"), calls(("t1", "look", "{}"), ("t2", "look", "{}")), lost, tool("t1"), tool("t2"))
    made, losses = sent(body, "chat", "openai", target)
    assert losses == ["messages[2].tool_call_id=weakened"]
    last = made["messages"][-1]["content"][-1] if target == "messages" else made["input"][-1]["content"][0]
    assert last["text"] == "[tool result of look] seen"
    turns, _ = history({**lost, "name": None})
    assert turns[0].blocks == (Text("[tool result] seen"),)


@pytest.mark.parametrize(
    ("messages", "path"),
    [
        ([assistant(None, tool_calls=[{"type": "function", "function": {"name": "f"}}])], "tool_calls[0].id"),
        ([assistant(None, tool_calls=[{**CALL, "function": {"name": ""}}])], "tool_calls[0].function.name"),
        (
            [assistant(None, tool_calls=[{**CALL, "function": {"name": "f", "arguments": 1}}])],
            "tool_calls[0].function.arguments",
        ),
        ([assistant(None, tool_calls=[{**CALL, "function": None}])], "tool_calls[0].function"),
        ([assistant(None, function_call={"name": "f", "arguments": 1})], "function_call.arguments"),
        ([assistant([{"type": "text", "text": 1}])], "content[0].text"),
        ([assistant([{"type": "refusal", "refusal": 1}])], "content[0].refusal"),
        ([{**tool("t1"), "tool_call_id": 1}], "tool_call_id"),
    ],
)
def test_an_error_names_the_field_that_is_wrong(messages, path):
    """And not the one around it."""
    with pytest.raises(BadRequest) as caught:
        decoded(gpt(user("x"), *messages))
    assert caught.value.message.startswith(f"messages[1].{path}: ")


@pytest.mark.parametrize("kind", ["function", "custom"])
def test_tools_in_the_flat_form_of_responses(kind):
    """Cursor sends tools to Chat as Responses has them, and chooses them so too."""
    form = dict(FUNCTION) if kind == "function" else {"name": "look", "description": "d"}
    nested = {"type": kind, kind: form}
    flat = {"type": kind, **form}
    grammar = {"syntax": "lark", "definition": "start: A"}
    if kind == "custom":
        nested["custom"] = {**form, "format": {"type": "grammar", "grammar": grammar}}
        flat["format"] = {"type": "grammar", **grammar}
    choice = {"type": kind, "name": "look"}
    allowed = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [choice]}}
    one, losses = decoded(gpt(user("x"), tools=[nested], tool_choice={"type": kind, kind: {"name": "look"}}))
    other, same = decoded(gpt(user("x"), tools=[flat], tool_choice=choice))
    assert (one.tools, one.choice, losses) == (other.tools, other.choice, same)
    assert decoded(gpt(user("x"), tools=[flat], tool_choice=allowed))[0].tools == one.tools
    with pytest.raises(BadRequest, match=rf"tools\[0\]\.{kind}: "):
        decoded(gpt(user("x"), tools=[{"type": kind}]))


def test_cache_marks_on_tools_and_messages():
    """Gateways take Anthropic's marks there."""
    mark = {"cache_control": {"type": "ephemeral"}}
    made, losses = sent(
        gpt(
            {"role": "system", "content": "s", **mark},
            {**user("x"), **mark},
            tools=[{"type": "function", "function": FUNCTION, **mark}],
        ),
        "chat",
    )
    assert made["system"][0]["cache_control"] == made["tools"][0]["cache_control"] == mark["cache_control"]
    assert made["messages"][0]["content"][0]["cache_control"] == mark["cache_control"]
    assert losses == []


def test_empty_content():
    """A list of no parts is no content, where there is something else to say."""
    turns, losses = history(assistant([], tool_calls=[CALL]), {**tool("t1"), "content": []})
    assert [one.blocks for one in turns] == [(ToolCall("t1", "f", "{}"),), (ToolResult("t1"),)]
    assert losses == []


@pytest.mark.parametrize("content", ["", [{"type": "text", "text": ""}]])
def test_an_empty_user_message(content):
    """An empty message of the user, which OpenAI takes, is sent as it is; Anthropic's API has none."""
    made, losses = sent(gpt(user("x"), assistant("so"), user(content)), "chat", "openai", "responses")
    assert made["input"][-1]["content"] == [{"type": "input_text", "text": ""}]
    assert losses == []
    with pytest.raises(BadRequest, match=r"messages\[2\]\.content: "):
        sent(gpt(user("x"), assistant("so"), user(content)), "chat")


@pytest.mark.parametrize("content", [None, []])
def test_a_user_message_without_content(content):
    """A message without any content is the caller's mistake."""
    with pytest.raises(BadRequest, match=r"messages\[0\]\.content: "):
        decoded(gpt(user(content)))


def test_the_description_of_a_schema():
    """It tells the model what the answer is for."""
    form = {"name": "n", "schema": SCHEMA, "strict": True, "description": "why"}
    request, _ = decoded(gpt(user("x"), response_format={"type": "json_schema", "json_schema": form}))
    assert request.shape == Shape(SCHEMA, "n", True, "why")


def test_words_of_other_servers():
    """Groq's effort `default` says nothing, and Mistral's choice `any` forces a call."""
    request, losses = decoded(
        gpt(
            user("x"), reasoning_effort="default", tools=[{"type": "function", "function": FUNCTION}], tool_choice="any"
        )
    )
    assert (request.reasoning, request.choice.mode, losses) == (None, "any", [])


def test_a_file_by_its_address():
    """OpenRouter takes an address in file_data; Messages and Responses have a place for it."""
    part = {"type": "file", "file": {"filename": "a.pdf", "file_data": "https://a/a.pdf"}}
    request, _ = decoded(gpt(user([part])))
    assert request.turns[0].blocks == (Document(url="https://a/a.pdf", title="a.pdf"),)
    made, _ = sent(gpt(user([part])), "chat")
    assert made["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://a/a.pdf"}
    made, _ = sent(gpt(user([part])), "chat", "openai", "responses")
    assert made["input"][0]["content"][0]["file_url"] == "https://a/a.pdf"


def test_web_search_options():
    """The search of OpenAI's search models is the search tool of others."""
    place = {"city": "Bern", "country": "CH"}
    user_location = {"type": "approximate", "approximate": {**place, "region": None}}
    options = {"search_context_size": "high", "user_location": user_location}
    request, losses = decoded(gpt(user("x"), web_search_options=options))
    assert request.hosted == (WebSearch("web_search_options", context_size="high", location=place, forced=True),)
    assert decoded(gpt(user("x"), web_search_options={}))[0].hosted == (WebSearch("web_search_options", forced=True),)
    assert decoded(gpt(user("x")))[0].hosted == ()
    assert losses == []


@pytest.mark.parametrize("target", ["messages", "responses"])
def test_a_history_of_fields_that_mean_nothing_is_sent_without_losses(target):
    """A conversation as the SDKs dump it translates without a loss."""
    said = assistant(None, refusal=None, annotations=[], audio=None, function_call=None, tool_calls=[CALL])
    made, losses = sent(gpt(user("x"), said, tool("t1")), "chat", "openai", target)
    assert losses == []
    assert "annotations" not in json.dumps(made)
