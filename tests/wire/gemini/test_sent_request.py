"""What a Gemini upstream is sent: the fields of a request, row by row."""

import json

import msgspec
import pytest

from router.errors import BadRequest
from router.ir import Choice, McpServer, Request, Shape, Text, Tool, Turn, WebSearch
from router.wire.gemini.requests.encode_request import encode_request
from router.wire.neutral.stream_filters import OneCallFilter, StopSequenceFilter, stream_filters

from ..translations import context
from .legality import check_request

NEW, OLD = "gemini-3-flash-preview", "gemini-2.5-flash"
HI = Turn("user", (Text("hi"),), "messages[0]")
LOOK = {"type": "object", "properties": {"q": {"type": "string"}}}


def encoded(model=NEW, *, vendor="gemini", ctx=None, **fields):
    """The body as the upstream reads it, and the losses as texts."""
    ctx = ctx or context(vendor, model=model)
    body, headers = encode_request(Request(model=model, **{"turns": (HI,), **fields}), ctx)
    assert headers == {}
    found = json.loads(msgspec.json.encode(body))
    check_request(found, model)
    return found, [f"{loss.path}={loss.how}" for loss in ctx.losses]


def config(model=NEW, **fields):
    """The generationConfig, and the losses."""
    body, losses = encoded(model, **fields)
    return body.get("generationConfig"), losses


def tools(*names, **fields):
    return tuple(Tool(name, LOOK, **fields) for name in names)


def test_smallest_request():
    """Nothing is sent that was not asked for: no model, no tools, no settings of filters."""
    assert encoded() == ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, [])


def test_system_prompt():
    """Each text of the system prompt is a part; empty ones are left out."""
    body, losses = encoded(system=(Text("one", cache="5m"), Text(""), Text("two")))
    assert body["systemInstruction"] == {"parts": [{"text": "one"}, {"text": "two"}]}
    assert losses == []


def test_system_prompt_of_a_gemma():
    """Gemma has no place for it: it stands in front of the first user's text, and the loss is named."""
    body, losses = encoded("gemma-4-31b-it", system=(Text("be brief"),))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "be brief"}, {"text": "hi"}]}]
    assert losses == ["system=weakened"]


@pytest.mark.parametrize(
    ("fields", "wanted", "losses"),
    [
        ({"max_tokens": 100}, {"maxOutputTokens": 100}, []),
        ({"temperature": 0.0, "top_p": 0.5, "top_k": 7}, {"temperature": 0.0, "topP": 0.5, "topK": 7}, []),
        ({"temperature": 2.5}, {"temperature": 2.0}, ["temperature=weakened"]),
        ({"stop": ("a", "b", "c", "d", "e")}, {"stopSequences": ["a", "b", "c", "d", "e"]}, []),
        ({"stop": ("", "a")}, {"stopSequences": ["a"]}, ["stop=dropped"]),
        ({"shape": Shape(None)}, {"responseMimeType": "application/json"}, []),
        (
            {"shape": Shape(LOOK, strict=True, description="an answer")},
            {"responseMimeType": "application/json", "responseJsonSchema": {**LOOK, "description": "an answer"}},
            ["shape.strict=dropped"],
        ),
        ({"user": "me"}, None, ["user=dropped"]),
        ({"tier": "default"}, None, ["tier=dropped"]),
        ({"tier": "auto", "cache": True}, None, []),
        ({"shared": {"seed": 3, "top_logprobs": 2}}, None, ["seed=dropped", "top_logprobs=dropped"]),
        ({"hosted": (WebSearch("tools[0]"),)}, None, ["tools[0]=dropped"]),
    ],
)
def test_settings(fields, wanted, losses):
    """Each setting has its field, or is named as lost."""
    assert config(**fields) == (wanted, losses)


@pytest.mark.parametrize("model", ["gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.8-flash", "gemini-5-pro"])
def test_sampling_that_a_model_refuses(model):
    """Newer models refuse sampling parameters; stop sequences they take."""
    found, losses = config(model, temperature=1.0, top_p=0.5, top_k=7, stop=("x",))
    assert found == {"stopSequences": ["x"]}
    assert losses == ["temperature=dropped", "top_p=dropped", "top_k=dropped"]


def test_sampling_that_the_user_switched_off():
    """A backend that takes no sampling gets none, whatever its model."""
    ctx = context("gemini", model=OLD)
    ctx.profile = msgspec.structs.replace(ctx.profile, sampling=frozenset())
    assert encoded(OLD, ctx=ctx, temperature=1.0)[1] == ["temperature=dropped"]


@pytest.mark.parametrize(("told", "sent", "losses"), [(8192, 8192, ["max_tokens=weakened"]), (None, 99_999, [])])
def test_output_limit_over_that_of_the_model(told, sent, losses):
    """The API refuses more than the model writes: where its list says how much that is, no more is asked for."""
    ctx = context("gemini", model=NEW, max_output=told)
    body, found = encoded(ctx=ctx, max_tokens=99_999)
    assert body["generationConfig"] == {"maxOutputTokens": sent}
    assert found == losses


def test_more_stop_sequences_than_are_taken():
    """Over five, the answer is searched for all of them."""
    ctx = context("gemini", model=NEW)
    body, losses = encoded(ctx=ctx, stop=tuple("abcdef"))
    assert "generationConfig" not in body
    assert losses == []
    assert [type(one) for one in stream_filters(ctx)] == [StopSequenceFilter]


def test_tools():
    """All functions stand in one entry, with their schemas as they are."""
    found, losses = encoded(tools=(Tool("look", LOOK, "looks"), Tool("9 lives", LOOK)))
    (entry,) = found["tools"]
    assert entry["functionDeclarations"] == [
        {"name": "look", "description": "looks", "parametersJsonSchema": LOOK},
        {"name": entry["functionDeclarations"][1]["name"], "parametersJsonSchema": LOOK},
    ]
    assert entry["functionDeclarations"][1]["name"].startswith("_9_lives_")
    assert "toolConfig" not in found
    assert losses == []


def test_names_come_back():
    """A name that Gemini does not take is the caller's again in the answer."""
    ctx = context("gemini", model=NEW)
    body, _ = encoded(ctx=ctx, tools=tools("-x", "a.b"))
    sent = [one["name"] for one in body["tools"][0]["functionDeclarations"]]
    assert [ctx.names.decode(name) for name in sent] == ["-x", "a.b"]


def test_free_text_tool_with_a_grammar():
    """The grammar goes into the description, where nothing enforces it."""
    form = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    found, losses = encoded(tools=(Tool("patch", LOOK, "patches", format=form),))
    about = found["tools"][0]["functionDeclarations"][0]["description"]
    assert about == "patches\n\nThe input follows this grammar:\nstart: WORD"
    assert losses == ["tools[0].format=weakened"]


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, None),
        (Choice("auto"), {"mode": "AUTO"}),
        (Choice("any"), {"mode": "ANY"}),
        (Choice("none"), {"mode": "NONE"}),
        (Choice("tool", "b"), {"mode": "ANY", "allowedFunctionNames": ["b"]}),
    ],
)
def test_choice(choice, wanted):
    """Each choice has its mode."""
    body, losses = encoded(tools=tools("a", "b"), choice=choice)
    assert body.get("toolConfig", {}).get("functionCallingConfig") == wanted
    assert losses == []


def test_choice_of_a_tool_that_is_not_there():
    """It is the caller's mistake, and named."""
    with pytest.raises(BadRequest, match=r"tool_choice\.name: no tool is named 'c'"):
        encoded(tools=tools("a"), choice=Choice("tool", "c"))


@pytest.mark.parametrize("flags", [{"forced_choice": False}, {"named_choice": False}])
def test_choice_that_the_backend_does_not_take(flags):
    """What cannot be forced is refused, and not silently left to the model."""
    ctx = context("gemini", model=NEW)
    ctx.profile = msgspec.structs.replace(ctx.profile, **flags)
    with pytest.raises(BadRequest, match="cannot be forced"):
        encoded(ctx=ctx, tools=tools("a", "b"), choice=Choice("tool", "a"))


@pytest.mark.parametrize("choice", [None, Choice("auto")])
def test_strict_tools(choice):
    """Calls that must follow their schemas are validated, where the model is free to call."""
    body, losses = encoded(tools=(*tools("a", strict=True), *tools("b")), choice=choice)
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}
    assert losses == []


@pytest.mark.parametrize("choice", [Choice("any"), Choice("none"), Choice("tool", "a")])
def test_strict_tools_beside_another_choice(choice):
    """There is one mode: beside another choice the promise is weaker."""
    body, losses = encoded(tools=tools("a", strict=True), choice=choice)
    assert body["toolConfig"]["functionCallingConfig"]["mode"] != "VALIDATED"
    assert losses == ["tools[0].strict=weakened"]


def test_strict_tools_that_the_user_switched_off():
    """The flag of the backend counts."""
    ctx = context("gemini", model=NEW)
    ctx.profile = msgspec.structs.replace(ctx.profile, strict_tools=False)
    body, losses = encoded(ctx=ctx, tools=tools("a", strict=True))
    assert "toolConfig" not in body
    assert losses == ["tools[0].strict=weakened"]


def test_one_call_at_a_time():
    """Gemini cannot be told: further calls of the answer are dropped here, and the loss is named."""
    ctx = context("gemini", model=NEW)
    _, losses = encoded(ctx=ctx, tools=tools("a"), parallel=False)
    assert losses == ["parallel=weakened"]
    assert [type(one) for one in stream_filters(ctx)] == [OneCallFilter]


def test_form_of_the_answer_beside_tools():
    """Since version 3 both go together; before, the API refuses that, and so does fairlead, with the way out."""
    found, _ = config(tools=tools("a"), shape=Shape(LOOK))
    assert found["responseJsonSchema"] == LOOK
    with pytest.raises(BadRequest, match=r"shape: .*Gemini 3 and later do"):
        encoded(OLD, tools=tools("a"), shape=Shape(None))
    assert config(OLD, shape=Shape(LOOK))[0]["responseJsonSchema"] == LOOK


def test_form_that_the_user_switched_off():
    """A backend without forms of the answer refuses them."""
    ctx = context("gemini", model=NEW)
    ctx.profile = msgspec.structs.replace(ctx.profile, shapes=())
    with pytest.raises(BadRequest, match="does not take JSON schemas"):
        encoded(ctx=ctx, shape=Shape(LOOK))


def test_tools_that_the_provider_would_run():
    """A search that must be made, and tools of an MCP server, are refused."""
    with pytest.raises(BadRequest, match="does not search the web"):
        encoded(hosted=(WebSearch("tools[0]", forced=True),))
    with pytest.raises(BadRequest, match="MCP"):
        encoded(hosted=(McpServer("mcp_servers[0]", "m", "https://m"),))


def test_beginning_of_the_answer():
    """It cannot be given, unless the user says that the backend takes it."""
    turns = (HI, Turn("assistant", (Text("{"),), "messages[1]"))
    with pytest.raises(BadRequest, match=r"messages\[1\]: the answer's beginning"):
        encoded(turns=turns, continues=True)
    ctx = context("gemini", model=OLD)
    ctx.profile = msgspec.structs.replace(ctx.profile, prefill="continue")
    for fields in ({"continues": True, "ctx": ctx}, {}):
        body, losses = encoded(OLD, turns=turns, **fields)
        assert body["contents"][-1] == {"role": "model", "parts": [{"text": "{"}]}
        assert losses == []


def test_strict_losses_are_refused():
    """Where losses are not allowed, the request is refused with the field's name."""
    with pytest.raises(BadRequest, match="user: it would be dropped"):
        encoded(ctx=context("gemini", model=NEW, policy="strict"), user="me")
