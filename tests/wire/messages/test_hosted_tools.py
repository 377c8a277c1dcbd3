"""Tools that Anthropic runs itself: offered by Messages callers, and asked of Anthropic by others."""

import json

import msgspec
import pytest
from anthropic.types import WebSearchTool20250305Param
from anthropic.types.beta import BetaMCPToolsetParam, BetaRequestMCPServerURLDefinitionParam
from pydantic import TypeAdapter

from router.errors import BadRequest
from router.ir import McpServer, WebSearch
from router.wire import translate
from router.wire.messages.requests.decode_request import decode_request
from router.wire.responses.encode_request import encode_request as encode_responses

from ..translations import TOOL, claude, context, event, events, sent, user

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
SERVER = {"type": "url", "name": "docs", "url": "https://mcp.example.com"}
TOOLSET = {"type": "mcp_toolset", "mcp_server_name": "docs"}
DETAILS = {
    "allowed_domains": ["a.com"],
    "blocked_domains": ["b.com"],
    "max_uses": 3,
    "user_location": {"type": "approximate", "city": "Ulm", "country": "DE"},
}


def hosted(body):
    """The neutral tools that the provider runs, and the request."""
    asked = decode_request(body, context(request_sent=True))
    return asked.hosted, asked


@pytest.mark.parametrize("target", ["chat", "responses"])
@pytest.mark.parametrize(
    "offered",
    [
        SEARCH,
        {"type": "web_search_20260318", "name": "web_search"},
        {"type": "web_fetch_20250910", "name": "web_fetch"},
        {"type": "code_execution_20250825", "name": "code_execution"},
        {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
    ],
)
def test_an_offer_is_left_out(offered, target):
    """An agent that offers a server tool beside its own works with every backend; the loss is named, and may be
    refused by a setting."""
    body = claude(user("x"), tools=[offered, TOOL])
    made, losses = sent(body, "messages", target=target)
    assert len(made["tools"]) == 1
    assert losses == ["tools[0]=dropped"]
    with pytest.raises(BadRequest, match=r"tools\[0\]"):
        sent(body, "messages", target=target, policies={"tools": "strict"})


@pytest.mark.parametrize("target", ["chat", "responses"])
def test_a_demand_is_refused(target):
    """A search that must be made is refused where the backend makes none."""
    body = claude(user("x"), tools=[TOOL, SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    with pytest.raises(BadRequest, match=r"tools\[1\]: the backend does not search"):
        sent(body, "messages", target=target)


def test_searches_are_decoded():
    """With everything that limits them; forced where the choice names them, or leaves nothing else."""
    found, _ = hosted(claude(user("x"), tools=[{**SEARCH, **DETAILS}]))
    location = {"city": "Ulm", "country": "DE"}
    assert found == (WebSearch("tools[0]", "", ("a.com",), ("b.com",), location, 3),)
    for choice in ({"type": "any"}, {"type": "tool", "name": "web_search"}):
        ((search,), asked) = hosted(claude(user("x"), tools=[SEARCH], tool_choice=choice))
        assert (search.forced, asked.choice) == (True, None)
    ((search,), asked) = hosted(claude(user("x"), tools=[SEARCH, TOOL], tool_choice={"type": "any"}))
    assert (search.forced, asked.choice.mode) == (False, "any")


@pytest.mark.parametrize(
    ("server", "toolset", "allowed"),
    [
        ({}, None, None),
        ({}, {}, None),
        ({"tool_configuration": {"allowed_tools": ["a"]}}, None, ("a",)),
        ({}, {"default_config": {"enabled": False}, "configs": {"a": {"enabled": True}, "b": {}}}, ("a",)),
        ({}, {"configs": {"a": {"enabled": True}}}, None),
    ],
)
def test_mcp_servers_are_decoded(server, toolset, allowed):
    """With the tools that their toolset offers."""
    tools = [] if toolset is None else [{**TOOLSET, **toolset}]
    body = claude(user("x"), mcp_servers=[{**SERVER, "authorization_token": "t", **server}], tools=tools)
    assert hosted(body)[0] == (McpServer("mcp_servers[0]", "docs", "https://mcp.example.com", "t", allowed),)


def test_mcp_servers_that_offer_nothing():
    """A server whose tools are all off is as good as none."""
    body = claude(user("x"), mcp_servers=[SERVER], tools=[{**TOOLSET, "default_config": {"enabled": False}}])
    assert hosted(body)[0] == ()


def test_single_tools_of_a_server_stay_off():
    """A tool that is switched off would be offered where only choices can be told: that is refused."""
    body = claude(user("x"), mcp_servers=[SERVER], tools=[{**TOOLSET, "configs": {"rm": {"enabled": False}}}])
    with pytest.raises(BadRequest, match=r"tools\[0\]\.configs"):
        hosted(body)


def asked_for(*tools, choice=None):
    """A Responses request for hosted tools."""
    body = {"model": "x", "input": "x", "tools": list(tools)}
    return {**body, "tool_choice": choice} if choice else body


def offering(vendor, model):
    """A translation for a user who allows searches that requests only offer."""
    ctx = context(vendor, model=model)
    ctx.profile = msgspec.structs.replace(ctx.profile, offered_search=True)
    return ctx


def test_a_search_that_is_only_offered_costs_nothing():
    """Agents offer one in every request, and the provider charges for each that the model makes: it is left out, and
    said, unless the user allows it."""
    made, losses = sent(asked_for({"type": "web_search"}), "responses", "anthropic", "messages", model="claude-opus-5")
    assert ("tools" in made, losses) == (False, ["tools[0]=dropped"])
    offered = claude(user("x"), tools=[SEARCH])
    made, losses = sent(offered, "messages", "openai", "responses", model="gpt-5")
    assert ("tools" in made, losses) == (False, ["tools[0]=dropped"])
    ctx = offering("openai", "gpt-5")
    request = decode_request(offered, ctx)
    assert encode_responses(request, ctx)[0]["tools"] == [{"type": "web_search"}]


def test_a_search_is_asked_of_anthropic():
    """Where the backend is Anthropic itself, and the user allows it, it searches for callers of other protocols."""
    search = {
        "type": "web_search",
        "filters": {"allowed_domains": ["a.com"]},
        "user_location": {"type": "approximate", "city": "Ulm"},
    }
    ctx = offering("anthropic", "claude-opus-5")
    body = json.dumps(asked_for(search)).encode()
    made = json.loads(translate.request(body, "responses", "messages", ctx).body)
    losses = ctx.losses
    location = {"type": "approximate", "city": "Ulm"}
    assert made["tools"] == [{**SEARCH, "allowed_domains": ["a.com"], "user_location": location}]
    TypeAdapter(list[WebSearchTool20250305Param]).validate_python(made["tools"])
    assert "tool_choice" not in made
    assert losses == []
    made, _ = sent(
        asked_for(search, choice={"type": "web_search"}),
        "responses",
        "anthropic",
        target="messages",
        model="claude-opus-5",
    )
    assert made["tool_choice"] == {"type": "tool", "name": "web_search"}


@pytest.mark.parametrize("vendor", ["", "openrouter", "ollama"])
def test_other_servers_of_messages_are_not_asked(vendor):
    """Only Anthropic is known to run tools: elsewhere an offer is left out, a demand refused."""
    made, losses = sent(asked_for({"type": "web_search"}), "responses", vendor, target="messages")
    assert "tools" not in made
    assert losses == ["tools[0]=dropped"]
    demand = asked_for({"type": "web_search"}, choice={"type": "web_search"})
    with pytest.raises(BadRequest, match=r"tools\[0\]"):
        sent(demand, "responses", vendor, target="messages")


def test_a_tool_of_the_callers_own_with_the_name_of_the_search():
    """Anthropic refuses two tools with one name: the caller's own stays."""
    own = {"type": "function", "name": "web_search", "parameters": {"type": "object", "properties": {}}}
    made, losses = sent(
        asked_for(own, {"type": "web_search"}), "responses", "anthropic", target="messages", model="claude-opus-5"
    )
    assert [tool["name"] for tool in made["tools"]] == ["web_search"]
    assert "tools[1]=dropped" in losses


@pytest.mark.parametrize("allowed", [None, ["look"]])
def test_an_mcp_server_is_asked_of_anthropic(allowed):
    """Its tools become a toolset, and the request says which beta it needs."""
    server = {
        "type": "mcp",
        "server_label": "docs",
        "server_url": "https://mcp.example.com",
        "authorization": "t",
        "require_approval": "never",
        **({"allowed_tools": allowed} if allowed else {}),
    }
    ctx = context("anthropic", model="claude-opus-5")
    body = json.dumps(asked_for(server)).encode()
    made = translate.request(body, "responses", "messages", ctx)
    assert made.headers["anthropic-beta"].startswith("mcp-client-")
    sent_body = json.loads(made.body)
    assert sent_body["mcp_servers"] == [{**SERVER, "authorization_token": "t"}]
    chosen = {"default_config": {"enabled": False}, "configs": {"look": {"enabled": True}}}
    assert sent_body["tools"] == [{**TOOLSET, **(chosen if allowed else {})}]
    TypeAdapter(list[BetaRequestMCPServerURLDefinitionParam]).validate_python(sent_body["mcp_servers"], strict=True)
    TypeAdapter(list[BetaMCPToolsetParam]).validate_python(sent_body["tools"])
    with pytest.raises(BadRequest, match="MCP"):
        translate.request(body, "responses", "messages", context())


def test_a_paused_turn_ends_and_is_named():
    """A turn that Anthropic paused is not continued in silence: it ends, and the note says why."""
    data = (
        event("message_start", message={"id": "msg_1", "model": "m", "usage": {}})
        + event("content_block_start", index=0, content_block={"type": "text", "text": "so far"})
        + event("content_block_stop", index=0)
        + event("message_delta", delta={"stop_reason": "pause_turn"}, usage={"output_tokens": 1})
        + event("message_stop")
    )
    ctx = context(request_sent=True)
    found = events(translate.Stream("messages", "chat", ctx).feed(data))
    assert found[-1]["choices"] == [] or found[-1]["choices"][0]["finish_reason"]
    assert [loss.path for loss in ctx.losses] == ["stop_reason pause_turn"]
