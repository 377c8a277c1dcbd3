"""Fields of Responses requests, both ways: what the other of OpenAI's protocols has too is kept, the rest is named with
the caller's path."""

import pytest

from router import ir
from router.errors import BadRequest
from router.wire import translate
from router.wire.neutral import assemble
from router.wire.responses.decode_request import decode_request
from router.wire.responses.encode_request import encode_request

from ..responses_samples import LOOK, added, began, done, ended, frames, gpt5, on, say
from ..translations import context, sent

HI = (ir.Turn("user", (ir.Text("hi"),)),)
FORMAT = {"type": "json_schema", "name": "n", "description": "d", "strict": False, "schema": {"type": "object"}}


def asked(target="chat", vendor="openai", **fields):
    return sent(gpt5(say("user", "hi"), **fields), "responses", vendor, target, model="gpt-5")


def test_the_description_of_a_schema():
    """The description of an answer's schema is sent to a Responses backend."""
    shape = ir.Shape({"type": "object"}, "n", False, "d")
    request = ir.Request(model="m", turns=HI, shape=shape)
    assert encode_request(request, context("openai"))[0]["text"]["format"] == FORMAT


def test_the_description_of_a_schema_is_read():
    """The description of a Responses caller's schema is in the neutral shape."""

    found = decode_request(gpt5(say("user", "hi"), text={"format": FORMAT}), context())
    assert found.shape.description == "d"


@pytest.mark.parametrize(
    ("fields", "top"),
    [
        ({"top_logprobs": 2}, 2),
        ({"include": ["message.output_text.logprobs"]}, 0),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3}, 3),
    ],
)
def test_log_probabilities_are_asked_for(fields, top):
    """However a Responses caller asks for log probabilities, a Chat backend is asked in full."""
    made, lost = asked(**fields)
    assert (made["logprobs"], made["top_logprobs"], lost) == (True, top, [])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"tone": "soft"}}, "text.tone"),
        ({"text": {"format": {**FORMAT, "aura": 1}}}, "text.format.aura"),
        ({"tools": [{**LOOK, "aura": 1}]}, "tools[0].aura"),
        ({"tools": [{"type": "namespace", "name": "n", "description": "d", "tools": [LOOK]}]}, "tools[0].description"),
        ({"reasoning": {"context": "all"}}, "reasoning.context"),
    ],
)
def test_what_is_not_carried_has_the_callers_path(fields, path):
    """A field that a Messages backend has no place for is named as the caller wrote it."""
    assert f"{path}=dropped" in asked("messages", "", **fields)[1]


def test_a_wish_for_a_summary_is_named():
    """Chat has no field that asks for a summary of the reasoning."""
    assert "reasoning.summary=dropped" in asked(reasoning={"effort": "low", "summary": "auto"})[1]
    assert "reasoning.summary=dropped" not in asked(reasoning={"effort": "low"})[1]


@pytest.mark.parametrize("deltas", ["with", "without", "no"])
def test_log_probabilities_come_back(deltas):
    """Log probabilities of a Responses answer are in the neutral text, whatever event has them; those that nobody asked
    for are named."""

    one = {"token": "So", "logprob": -0.5, "top_logprobs": []}
    part = {"type": "output_text", "text": "So", "annotations": [], "logprobs": [one]}
    beside = [one] if deltas == "with" else []
    delta = [on("output_text.delta", 0, content_index=0, delta="So", logprobs=beside)] if deltas != "no" else []
    item = done(0, "message", role="assistant", content=[part])
    data = frames(*began(), added(0, "message", role="assistant", content=[]), *delta, item, ended())
    for wanted in (True, False):
        ctx = context(logprobs=wanted)
        found = assemble.assemble_answer(translate.Stream("responses", "chat", ctx).all_events(data), ctx)
        assert [block.logprobs for block in found.blocks] == [(one,) if wanted else ()]
        assert [loss.path for loss in ctx.losses] == ([] if wanted else ["logprobs"])


SEARCH = {
    "type": "web_search",
    "search_context_size": "low",
    "filters": {"allowed_domains": ["a.example"]},
    "user_location": {"type": "approximate", "city": "Ulm", "country": None},
}


@pytest.mark.parametrize("target", ["messages", "chat"])
@pytest.mark.parametrize("kind", ["web_search", "web_search_2025_08_26", "web_search_preview"])
def test_a_search_that_nothing_forces_is_left_out(kind, target):
    """A web search that the backend lacks is dropped and named, with other tools or alone."""
    for tools in ([LOOK, {**SEARCH, "type": kind}], [{**SEARCH, "type": kind}]):
        made, lost = asked(target, "", tools=tools)
        assert lost == [f"tools[{len(tools) - 1}]=dropped"]
        assert len(made.get("tools", ())) == len(tools) - 1


@pytest.mark.parametrize("target", ["messages", "chat"])
@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "web_search"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
    ],
)
def test_a_forced_search_is_refused_where_it_is_lacking(choice, target):
    """A web search that must be made is refused by a backend that lacks it."""
    with pytest.raises(BadRequest, match=r"^tools\[0\]: the backend does not search"):
        asked(target, "", tools=[SEARCH], tool_choice=choice)


def test_a_search_in_the_neutral_form():
    """What a Responses caller says of a search is in the neutral tool; what is not is named."""

    ctx = context()
    body = gpt5(say("user", "hi"), tools=[{**SEARCH, "external_web_access": True}], tool_choice={"type": "web_search"})
    found = ir.WebSearch("tools[0]", context_size="low", allowed=("a.example",), location={"city": "Ulm"}, forced=True)
    assert decode_request(body, ctx).hosted == (found,)
    assert [loss.path for loss in ctx.losses] == ["tools[0].external_web_access"]


SERVER = {"type": "mcp", "server_label": "crm", "server_url": "https://a/mcp", "require_approval": "never"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"authorization": "t"}, {"token": "t"}),
        ({"headers": {"Authorization": "Bearer t"}}, {"token": "t"}),
        ({"allowed_tools": ["a"]}, {"allowed": ("a",)}),
        ({"allowed_tools": {"tool_names": ["a"]}}, {"allowed": ("a",)}),
    ],
)
def test_an_mcp_server_in_the_neutral_form(fields, expected):
    """A server that is called without approval is carried, with its token and the tools that are allowed."""

    found = decode_request(gpt5(say("user", "hi"), tools=[{**SERVER, **fields}]), context()).hosted
    assert found == (ir.McpServer("tools[0]", "crm", "https://a/mcp", **expected),)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"require_approval": "always"}, "require_approval"),
        ({"require_approval": None}, "require_approval"),
        ({"require_approval": {"never": {"tool_names": ["a"]}}}, "require_approval"),
        ({"server_url": None, "connector_id": "connector_gmail"}, "connector_id"),
        ({"server_url": None}, "server_url"),
        ({"headers": {"x-key": "k"}}, "headers"),
        ({"allowed_tools": {"read_only": True}}, "allowed_tools.read_only"),
    ],
)
def test_an_mcp_server_that_cannot_be_carried(fields, path):
    """Approvals, connectors and headers of servers are refused by their own path."""
    with pytest.raises(BadRequest, match=rf"^tools\[0\]\.{path}:"):
        asked("messages", "", tools=[{**SERVER, **fields}])


def encoded(*hosted, vendor="openai", **fields):

    ctx = context(vendor)
    request = ir.Request(model="m", turns=HI, hosted=hosted, **fields)
    return encode_request(request, ctx)[0], [loss.path for loss in ctx.losses]


def test_hosted_tools_for_openai():
    """Searches and servers of other callers go to OpenAI as its own tools; what it lacks is named."""

    search = ir.WebSearch(
        "w", context_size="low", allowed=("a",), blocked=("b",), location={"city": "Ulm"}, max_uses=3, forced=True
    )
    server = ir.McpServer("m", "crm", "https://a", "t", ("f",))
    made, lost = encoded(search)
    assert made["tools"] == [
        {
            "type": "web_search",
            "search_context_size": "low",
            "filters": {"allowed_domains": ["a"]},
            "user_location": {"type": "approximate", "city": "Ulm"},
        }
    ]
    assert (made["tool_choice"], made["max_tool_calls"]) == ({"type": "web_search"}, 3)
    assert lost == ["w.blocked_domains"]
    made, lost = encoded(search, server)
    assert made["tools"][1] == {
        "type": "mcp",
        "server_label": "crm",
        "server_url": "https://a",
        "require_approval": "never",
        "authorization": "t",
        "allowed_tools": ["f"],
    }
    assert lost == ["w.blocked_domains", "w.max_uses"]


def test_hosted_tools_for_others():
    """Another Responses backend gets none: a search is named, a forced one and a server are refused."""

    assert encoded(ir.WebSearch("w"), vendor="")[1] == ["w"]
    for tool in (ir.WebSearch("w", forced=True), ir.McpServer("w", "a", "https://a")):
        with pytest.raises(BadRequest, match=r"^w:"):
            encoded(tool, vendor="")
