"""Schemas of answers and of strict tools towards Anthropic."""

import json

import pytest

from router.ir import Request, Shape, Text, Turn
from router.wire.messages.requests.encode_request import encode_request
from router.wire.messages.requests.tools import STRICT_LIMIT
from router.wire.neutral.schemas import ANTHROPIC, fits

from ..test_translate_streams import FIXTURES
from ..translations import context, gpt, sent, user

SCORE = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 0, "maximum": 10}}}
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TREE = {
    "type": "object",
    "properties": {"root": {"$ref": "#/$defs/Node"}},
    "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
}


def shaped(source, schema):
    """A request for an answer in the form of a schema."""
    if source == "chat":
        return gpt(user("x"), response_format={"type": "json_schema", "json_schema": {"name": "o", "schema": schema}})
    return {"model": "x", "input": "x", "text": {"format": {"type": "json_schema", "name": "o", "schema": schema}}}


@pytest.mark.parametrize(
    ("source", "path"),
    [("chat", "response_format.json_schema.schema"), ("responses", "text.format.schema")],
)
def test_limits_become_words(source, path):
    """Limits that are not enforced are said in the description, and reported with the caller's path."""
    made, losses = sent(shaped(source, SCORE), source, target="messages", model="claude-opus-5")
    form = made["output_config"]["format"]
    assert form["schema"]["properties"] == {"score": {"type": "integer", "description": "{minimum: 0, maximum: 10}"}}
    assert form["schema"]["additionalProperties"] is False
    assert {f"{path}.properties.score.{name}=weakened" for name in ("minimum", "maximum")} < set(losses)


@pytest.mark.parametrize(
    ("model", "schema"),
    [
        ("claude-opus-5", TREE),
        ("claude-opus-5", {"type": "object"}),
        ("claude-opus-5", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("claude-3-5-haiku", CLOSED),
        ("claude-opus-4-20250514", CLOSED),
    ],
)
def test_what_is_not_enforced_is_asked_for(model, schema):
    """A schema without an enforced form, or for a model that enforces none, becomes an instruction."""
    made, losses = sent(shaped("chat", schema), "chat", model=model)
    assert "output_config" not in made
    assert json.dumps(schema, separators=(",", ":")) in made["system"][-1]["text"]
    assert losses == ["response_format=weakened"]


@pytest.mark.parametrize(
    ("schema", "said"),
    [(CLOSED, "A city"), ({**CLOSED, "description": "Its name"}, "A city\n\nIts name")],
)
def test_the_description_of_an_answer_is_kept(schema, said):
    """Messages has no field for it, but the schema has."""
    turn = Turn("user", (Text("x"),))
    asked = Request(model="claude-opus-5", turns=(turn,), shape=Shape(schema, description="A city"))
    made, _ = encode_request(asked, context(model="claude-opus-5"))
    assert made["output_config"]["format"]["schema"] == {**CLOSED, "description": said}


def strict(schema, name="f"):
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


def test_strict_tools_are_closed():
    """A strict tool's schema gets the form that is enforced; a tool that is not strict keeps its own."""
    loose = {"type": "function", "function": {"name": "g", "parameters": SCORE}}
    made, losses = sent(gpt(user("x"), tools=[strict(SCORE), loose]), "chat", model="claude-opus-5")
    assert made["tools"][0]["strict"] is True
    assert fits(made["tools"][0]["input_schema"], ANTHROPIC)
    assert made["tools"][1] == {"name": "g", "input_schema": SCORE}
    assert losses == [
        f"tools[0].function.parameters.properties.score.{name}=weakened" for name in ("minimum", "maximum")
    ]


@pytest.mark.parametrize(("model", "schema"), [("claude-opus-5", TREE), ("claude-3-5-haiku", CLOSED)])
def test_tools_that_cannot_be_strict(model, schema):
    """A tool that cannot be strict is sent as it is, and that is reported."""
    made, losses = sent(gpt(user("x"), tools=[strict(schema)]), "chat", model=model)
    assert made["tools"] == [{"name": "f", "input_schema": schema}]
    assert losses == ["tools[0].strict=weakened"]


def test_the_number_of_strict_tools_is_limited():
    """Anthropic refuses a request with more."""
    tools = [strict(CLOSED, f"f{at}") for at in range(STRICT_LIMIT + 2)]
    made, losses = sent(gpt(user("x"), tools=tools), "chat", model="claude-opus-5")
    assert sum(tool.get("strict", False) for tool in made["tools"]) == STRICT_LIMIT
    assert losses == [f"tools[{at}].strict=weakened" for at in (STRICT_LIMIT, STRICT_LIMIT + 1)]


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_recorded_requests(name):
    """Recorded requests that Anthropic refused become ones that it takes."""
    path = FIXTURES / "faults" / "07-schemas-for-anthropic" / f"{name}-request.chat.json"
    if not path.exists():
        pytest.skip("the recordings are not here")
    made, _ = sent(json.loads(path.read_text("utf-8")), "chat", model="claude-opus-5")
    form = made.get("output_config", {}).get("format")
    assert fits(form["schema"] if form else made["tools"][0]["input_schema"], ANTHROPIC)
