"""Any request in the neutral form becomes one that Google's API takes, or is refused with a reason.

Conversations are drawn at random: turns in any order, calls without results and results without calls, reasoning that
was signed by this upstream, by another or by none.
"""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import BadRequest
from router.ir import (
    Choice,
    Document,
    Image,
    Reasoning,
    Request,
    Shape,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    WebSearch,
)
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.gemini.requests.encode_request import encode_request
from router.wire.gemini.signatures import wrap_signature

from ..translations import context
from .legality import check_request

MODELS = [
    *("gemini-2.0-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-3-pro-preview", "gemini-3-flash-preview"),
    *("gemini-3.8-flash", "gemini-4-hydrogen", "gemini-9-quux", "gemma-4-31b-it", "my-tuned-model"),
]
SIGNATURE = "Eq0CCqoC+/w=="
TEXTS = st.sampled_from(["", " ", "a", '{"$ref":"#/$defs/x"}', "\u2028 \N{PILE OF POO}"])
IDS = st.sampled_from(["t1", "t2", "functions.look:0", "x" * 80, "call|1"])
NAMES = st.sampled_from(["look", "mcp.tool with spaces", "x" * 90, "9lives", "-dash", "_ok", "\N{SNOWMAN}"])
SAID = TEXTS.map(Text)
IMAGES = st.sampled_from(
    [Image("image/png", "iVBORw=="), Image("image/heic", "AAAA"), Image(url="https://x.y/a.png?b")]
)
PDFS = st.sampled_from([Document("application/pdf", "JVBERi0=", title="t"), Document(url="https://x.y/z")])
ARGUMENTS = st.sampled_from(["{}", '{"b":1,"a":[2.50]}', "", "[1]", "nonsense", ' {"x": {}} '])
CALLS = st.builds(ToolCall, IDS, NAMES, ARGUMENTS)
RESULTS = st.builds(
    ToolResult, IDS, st.lists(st.one_of(SAID, IMAGES, PDFS), max_size=3).map(tuple), st.booleans()
)  # fmt: skip


def thoughts(model):
    """Reasoning of all origins."""
    ours = StateSealer(make_signer(b"key"), "up", model)
    other = StateSealer(make_signer(b"key"), "elsewhere", model)
    held = wrap_signature(SIGNATURE)
    return st.sampled_from(
        [
            *(Thinking(redacted=seal.seal("redacted", held, "")) for seal in (ours, other)),
            Thinking("hm", ours.seal("text", "", "hm")),
            Thinking("hm", other.seal("signature", "abc", "hm")),
            Thinking("hm"),
            Thinking(redacted="junk"),
            Thinking(),
        ]
    )


def turns(model):
    """Turns in any order."""
    said = st.lists(st.one_of(SAID, CALLS, thoughts(model)), max_size=4).map(tuple)
    asked = st.lists(st.one_of(SAID, RESULTS, IMAGES, PDFS), max_size=4).map(tuple)
    system = st.lists(SAID, max_size=2).map(tuple)
    return st.one_of(
        st.builds(Turn, st.just("assistant"), said, st.just("messages[1]")),
        st.builds(Turn, st.just("user"), asked, st.just("messages[2]")),
        st.builds(Turn, st.just("system"), system, st.just("messages[3]")),
    )


SCHEMAS = st.sampled_from(
    [
        {"type": "object", "properties": {}},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "properties": {"a": {}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "an A"}}, "$defs": {"A": {}}},
        {"type": "object", "properties": {}, "$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}},
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"anyOf": [{"type": "object"}, {"type": "object", "required": ["a"]}]},
        {"type": ["object", "null"], "properties": {"n": {"type": ["string", "null"], "exclusiveMinimum": 3}}},
        {"type": "string"},
        {"type": "object", "properties": {"$ref": {"type": "string"}, "type": {"enum": [1, None]}}},
    ]
)
TOOLS = st.builds(Tool, NAMES, SCHEMAS, st.sampled_from(["", "looks"]), st.sampled_from([None, True, False]))
REASONING = st.builds(
    Reasoning,
    st.booleans(),
    st.sampled_from(["", "none", "minimal", "low", "medium", "high", "xhigh", "max", "odd"]),
    st.sampled_from([0, 1, 1024, 30_000, 10**6]),
    st.booleans(),
)


@st.composite
def requests(draw, model):
    """Requests with any fields."""
    tools = draw(st.lists(TOOLS, max_size=3, unique_by=lambda tool: tool.name))
    names = [tool.name for tool in tools]
    choices = [Choice("auto"), Choice("any"), Choice("none"), *(Choice("tool", name) for name in names)]
    return Request(
        model=model,
        turns=tuple(draw(st.lists(turns(model), min_size=1, max_size=6))),
        system=tuple(draw(st.lists(SAID, max_size=2))),
        tools=tuple(tools),
        hosted=tuple(draw(st.lists(st.just(WebSearch("tools[9]")), max_size=1))),
        choice=draw(st.one_of(st.none(), st.sampled_from(choices))),
        parallel=draw(st.sampled_from([None, True, False])),
        max_tokens=draw(st.sampled_from([None, 1, 10**7])),
        stop=tuple(draw(st.lists(st.sampled_from(["", "END", "x"]), max_size=7))),
        temperature=draw(st.sampled_from([None, 0.0, 1.5, 3.0])),
        top_p=draw(st.sampled_from([None, 0.5])),
        top_k=draw(st.sampled_from([None, 4])),
        reasoning=draw(st.one_of(st.none(), REASONING)),
        shape=draw(st.one_of(st.none(), st.just(Shape(None)), st.builds(Shape, SCHEMAS, description=TEXTS))),
        user=draw(st.sampled_from(["", "me"])),
        tier=draw(st.sampled_from(["", "auto", "default"])),
        continues=draw(st.booleans()),
        shared=draw(st.sampled_from([{}, {"seed": 1}])),
    )


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=80)
@given(data=st.data())
def test_any_request_is_legal(model, data):
    """Whatever was asked, the request keeps the rules of the API, or is refused."""
    asked = data.draw(requests(model))
    ctx = context("gemini", model=model, max_output=65_536)
    try:
        body, headers = encode_request(asked, ctx)
    except BadRequest:
        return
    check_request(json.loads(msgspec.json.encode(body)), model)
    assert headers == {}
    assert body.get("generationConfig", {}).get("maxOutputTokens", 1) <= 65_536


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "gemini-3.8-flash"])
@settings(max_examples=60)
@given(data=st.data())
def test_a_longer_conversation_begins_as_it_was_sent(model, data):
    """What follows an answer changes nothing before it, so that the upstream's prompt cache still matches."""
    conversation = turns(model)
    before = [*data.draw(st.lists(conversation, max_size=4)), Turn("user", (Text("go"),))]
    more = [Turn("assistant", (Text("done"),)), *data.draw(st.lists(conversation, max_size=3))]
    short, long = (
        encode_request(Request(model=model, turns=tuple(one)), context("gemini", model=model))[0]["contents"]
        for one in (before, [*before, *more])
    )
    assert msgspec.json.encode(long[: len(short)]) == msgspec.json.encode(short)
