"""What a Chat upstream is sent: schemas, searches, log probabilities."""

import json

import pytest

from router.errors import BadRequest
from router.ir import McpServer, Request, Shape, Text, Thinking, ToolCall, Turn, WebSearch
from router.wire.chat.encode_request import encode_request
from router.wire.conversation.identifiers import to_chat_id

from ..translations import context, gpt, sent, user

TURNS = (Turn("user", (Text("go"),), "messages[0]"),)
CLOSED = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def encoded(vendor="openai", model="m", **fields):
    """The body, and the losses as texts."""
    ctx = context(vendor, model=model)
    body, _ = encode_request(Request(model=model, **{"turns": TURNS, **fields}), ctx)
    return body, [f"{loss.path}={loss.how}" for loss in ctx.losses]


def closed(n):
    return {**CLOSED, "properties": {"n": n}}


@pytest.mark.parametrize(
    "schema",
    [
        closed({"allOf": [{"type": "integer"}]}),
        closed({"not": {"type": "string"}}),
        closed({"oneOf": [{"type": "integer"}, {"type": "null"}]}),
        {**CLOSED, "dependentRequired": {"n": ["n"]}},
        {**CLOSED, "dependentSchemas": {"n": {"type": "object"}}},
        {**CLOSED, "if": {"required": ["n"]}, "then": {"required": ["n"]}},
        {**CLOSED, "patternProperties": {"^x": {"type": "string"}}},
        {**CLOSED, "propertyNames": {"pattern": "^n"}},
        closed({"type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        {**CLOSED, "required": []},
        {**CLOSED, "additionalProperties": True},
        {"anyOf": [CLOSED]},
    ],
    ids=lambda schema: "-".join(key for key in json.dumps(schema).split('"') if key.isalpha())[:60],
)
def test_schemas_that_the_strict_mode_does_not_know_go_without_it(schema):
    """OpenAI refuses strict with keywords or forms it cannot enforce; the weaker promise is declared."""
    body, losses = encoded(shape=Shape(schema))
    assert body["response_format"]["json_schema"] == {"name": "output", "schema": schema, "strict": False}
    assert losses == ["shape=weakened"]


@pytest.mark.parametrize(
    "schema",
    [
        CLOSED,
        {"$schema": "http://json-schema.org/draft-07/schema#", **CLOSED},
        closed({"type": ["integer", "null"], "minimum": 0, "description": "a number"}),
        closed({"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        {**closed({"$ref": "#/$defs/n"}), "$defs": {"n": {"type": "integer"}}},
        {**CLOSED, "properties": {"not": {"type": "string"}}, "required": ["not"]},
    ],
)
def test_schemas_that_the_strict_mode_knows_are_enforced(schema):
    """Whatever the strict mode takes is enforced; a property may have the name of a keyword."""
    body, losses = encoded(shape=Shape(schema))
    assert body["response_format"]["json_schema"]["strict"] is True
    assert body["response_format"]["json_schema"]["schema"] == schema
    assert losses == []


@pytest.mark.parametrize(
    ("vendor", "model", "schema", "strict"),
    [
        ("groq", "openai/gpt-oss-120b", CLOSED, True),
        ("groq", "moonshotai/kimi-k2-instruct", CLOSED, False),
        ("mistral", "mistral-large-latest", {**CLOSED, "required": []}, True),
        ("mistral", "mistral-large-latest", {**CLOSED, "additionalProperties": True}, False),
    ],
)
def test_each_provider_has_its_own_strict_mode(vendor, model, schema, strict):
    """Groq's models differ; Mistral's mode wants closed objects only."""
    body, losses = encoded(vendor, model, shape=Shape(schema))
    assert body["response_format"]["json_schema"]["strict"] is strict
    assert losses == ([] if strict else ["shape=weakened"])


def test_the_description_of_a_schema_is_sent():
    """The description of the answer's form reaches the model."""
    body, losses = encoded(shape=Shape(CLOSED, "n", description="a number"))
    assert body["response_format"]["json_schema"]["description"] == "a number"
    assert losses == []


def test_gemini_gets_no_keyword_that_it_refuses():
    """Keywords for which Gemini refuses the whole request are said in the description, and declared."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {"n": {"type": ["integer", "null"], "exclusiveMinimum": 0}, "k": {"const": "a"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    body, losses = sent(
        {
            "model": "x",
            "input": "go",
            "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": False}],
            "text": {"format": {"type": "json_schema", "name": "o", "schema": schema}},
        },
        "responses",
        "gemini",
        "chat",
    )
    for made in (body["tools"][0]["function"]["parameters"], body["response_format"]["json_schema"]["schema"]):
        assert made["properties"]["n"] == {"type": "integer", "nullable": True, "description": "{exclusiveMinimum: 0}"}
        assert made["properties"]["k"]["enum"] == ["a"]
        assert "$schema" not in made
    assert "tools[0].parameters.properties.n.exclusiveMinimum=weakened" in losses
    assert len([loss for loss in losses if "exclusiveMinimum" in loss]) == 2
    assert tool["function"]["parameters"]["properties"]["n"]["exclusiveMinimum"] == 0


def test_gemini_gets_a_recursive_schema_as_words():
    """A schema without a form that Gemini takes is described, and its loss declared."""
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
    body, losses = sent(
        {"model": "x", "input": "go", "tools": [{"type": "function", "name": "f", "parameters": schema}]},
        "responses",
        "gemini",
        "chat",
    )
    made = body["tools"][0]["function"]["parameters"]
    assert made.keys() == {"type", "description"}
    assert json.dumps(schema, separators=(",", ":")) in made["description"]
    assert "tools[0].parameters=weakened" in losses


SEARCH = WebSearch("tools[0]", context_size="low", location={"city": "Rome", "country": "IT"})


@pytest.mark.parametrize(
    ("vendor", "model"),
    [("openai", "gpt-4o-search-preview"), ("openai", "gpt-5-search-api"), ("openrouter", "perplexity/sonar")],
)
def test_a_search_is_asked_for_where_the_model_searches(vendor, model):
    """The provider's own form of a web search is used where the model is known to take it."""
    body, losses = encoded(vendor, model, hosted=(SEARCH,))
    assert body["web_search_options"] == {
        "search_context_size": "low",
        "user_location": {"type": "approximate", "approximate": {"city": "Rome", "country": "IT"}},
    }
    assert losses == []
    body, losses = encoded(vendor, model, hosted=(WebSearch("tools[0]", allowed=("a.example",), forced=True),))
    assert (body["web_search_options"], losses) == ({}, ["tools[0]=weakened"])


@pytest.mark.parametrize(("vendor", "model"), [("openai", "gpt-5"), ("", "m"), ("deepseek", "deepseek-chat")])
def test_a_search_that_the_model_lacks_is_left_out_or_refused(vendor, model):
    """A search that is only offered is left out and declared; one that must be made is refused with its path."""
    body, losses = encoded(vendor, model, hosted=(SEARCH,))
    assert "web_search_options" not in body
    assert losses == ["tools[0]=dropped"]
    with pytest.raises(BadRequest, match=r"tools\[1\]: .*search"):
        encoded(vendor, model, hosted=(WebSearch("tools[1]", forced=True),))


def test_an_mcp_server_is_refused():
    """An agent that counts on the tools of a server is told at once that they are not there."""
    with pytest.raises(BadRequest, match=r"mcp_servers\[0\]: .*MCP"):
        encoded(hosted=(McpServer("mcp_servers[0]", "n", "https://a.example"),))


@pytest.mark.parametrize("top", [0, 3])
def test_the_number_of_log_probabilities_comes_with_its_switch(top):
    """Chat refuses the number alone."""
    body, losses = encoded(shared={"top_logprobs": top})
    assert (body["logprobs"], body["top_logprobs"], losses) == (True, top, [])
    body, losses = encoded("", shared={"top_logprobs": top})
    assert ("logprobs" in body, losses) == (False, ["top_logprobs=dropped"])


def test_an_empty_user_message_stays_a_message():
    """A user's turn without content is sent as empty text, alone and behind an answer."""
    empty = Turn("user", (), "messages[2]")
    assert encoded(turns=(empty,))[0]["messages"] == [user("")]
    turns = (*TURNS, Turn("assistant", (Text("so"),)), empty)
    assert encoded(turns=turns)[0]["messages"][-1] == user("")


def test_a_turn_of_reasoning_alone_is_named():
    """An assistant's turn that says nothing is no message; what it thought is declared as left out."""
    turns = (*TURNS, Turn("assistant", (Thinking("hm"),), "messages[1]"), Turn("user", (Text("on"),)))
    body, losses = encoded(turns=turns)
    assert [one["role"] for one in body["messages"]] == ["user", "user"]
    assert losses == ["messages[1].thinking=dropped"]


def test_ids_fit_every_upstream():
    """Suffixed ids of repeated calls are as legal as the first, also in Mistral's form."""
    turns = (*TURNS, Turn("assistant", (ToolCall("x" * 70, "f", "{}"), ToolCall("x" * 70, "f", "{}")), ""))
    for vendor in ("openai", "mistral"):
        made = encoded(vendor, turns=turns)[0]["messages"][1]["tool_calls"]
        assert len({entry["id"] for entry in made}) == 2
        assert all(len(entry["id"]) <= 64 for entry in made)
    assert to_chat_id("a", "mistral9") != to_chat_id("a_2", "mistral9")


def test_gpt_is_asked_as_before():
    """A plain request of a Chat caller still passes unchanged to another protocol and back."""
    made, losses = sent(gpt(user("go")), "chat", "openai", "responses")
    assert (made["input"][-1]["role"], losses) == ("user", [])
