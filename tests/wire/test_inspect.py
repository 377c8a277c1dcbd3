"""Tools, images and thinking are found by the meaning of a body, not by words in its texts."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.wire.inspect import find_web_search, has_images, has_tools
from router.wire.protocols import entry_of
from router.wire.raw.json.top_level import peek

PROTOCOLS = ("messages", "chat", "responses")
IMAGES = {
    "messages": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
    "chat": {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    "responses": {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
}
NAME = {"messages": "messages", "chat": "messages", "responses": "input"}


def body(protocol, *turns, **fields):
    return json.dumps({"model": "m", NAME[protocol]: list(turns), **fields}).encode()


def turn(*blocks):
    return {"role": "user", "content": list(blocks)}


def shows(data, protocol):
    return has_images(peek(data), entry_of(protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_image_in_a_turn(protocol):
    """Images are found in any turn, beside texts, in any order of keys."""
    block = IMAGES[protocol]
    assert shows(body(protocol, turn({"type": "text", "text": "look"}, block)), protocol)
    assert shows(body(protocol, turn(), turn(dict(reversed(block.items())))), protocol)
    assert not shows(body(protocol, turn({"type": "text", "text": "look"})), protocol)


def test_an_image_in_a_tool_s_result():
    """Images are found in tool results of Claude Code and Codex."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": [IMAGES["messages"]]}
    assert shows(body("messages", turn(result)), "messages")
    output = {"type": "function_call_output", "call_id": "c", "output": [IMAGES["responses"]]}
    assert shows(body("responses", output), "responses")
    screen = {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": "u"}}
    assert shows(body("responses", screen), "responses")
    assert shows(body("responses", IMAGES["responses"]), "responses")


GOOGLES = [
    ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, True),
    ({"inline_data": {"mime_type": "IMAGE/PNG", "data": "AAAA"}}, True),
    ({"fileData": {"fileUri": "https://a/b", "mimeType": "image/webp"}}, True),
    ({"functionResponse": {"name": "f", "parts": [{"inlineData": {"mimeType": "image/png"}}]}}, True),
    ({"functionResponse": {"name": "f", "response": {"parts": [{"inlineData": {"mimeType": "image/png"}}]}}}, False),
    ({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}, False),
    ({"inlineData": {"mimeType": 5}, "fileData": ["image/png"]}, False),
    ({"text": '{"inlineData":{"mimeType":"image/png"}}'}, False),
]


@pytest.mark.parametrize(("part", "found"), GOOGLES)
def test_images_of_google_are_known_by_their_media_type(part, found):
    """In either spelling, inline or as a file, and in what a tool returned; however the JSON spells the word."""
    data = json.dumps({"contents": [{"role": "user", "parts": [{"text": "look"}, part]}]}).encode()
    assert shows(data, "gemini") is found
    for spelled in (data.replace(b"image/", b"image\\/"), data.replace(b"mimeType", b"mime\\u0054ype")):
        assert shows(spelled, "gemini") is found
    assert not shows(b'{"x":%b}' % data, "gemini")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_type_spelled_with_escapes(protocol):
    """`\\u0069mage` is an image: the meaning of the JSON counts."""
    data = body(protocol, turn(IMAGES[protocol]))
    kind = IMAGES[protocol]["type"].encode()
    for at in range(len(kind)):
        escaped = b'"' + kind[:at] + b"\\u%04X" % kind[at] + kind[at + 1 :] + b'"'
        assert shows(data.replace(b'"' + kind + b'"', escaped), protocol)
        assert shows(data.replace(b'"' + kind + b'"', escaped.lower().replace(b"\\U", b"\\u")), protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_texts_that_talk_of_images(protocol):
    """The name of an image type in a text, a tool's input or another protocol's block is not an image."""
    block = IMAGES[protocol]
    quoted = json.dumps(block)
    others = [
        turn({"type": "text", "text": quoted}),
        turn({"type": "text", "text": block["type"]}),
        {"role": "user", "content": quoted},
        {"role": "user", "content": block["type"]},
        turn({"type": "tool_use", "id": "t", "name": "n", "input": block}),
        turn({"type": "tool_use", "id": "t", "name": "n", "input": {"content": [block]}}),
        {"role": "assistant", "tool_calls": [{"function": {"name": "n", "arguments": quoted}}]},
        turn({"kind": block["type"]}),
        turn({block["type"]: {}}),
        turn(block["type"], [block]),
    ]
    for other in others:
        assert not shows(body(protocol, other), protocol), other
    assert not shows(body(protocol, turn(), tools=[{"name": "t", "input_schema": block}]), protocol)
    assert not shows(body(protocol, turn(), metadata=[block]), protocol)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", [None, 1, "image", {}, [None], [[]], [1], {"content": [IMAGES["messages"]]}, [[{}]]])
def test_odd_conversations_hold_none(protocol, value):
    """A body that no upstream accepts holds no image and raises nothing."""
    value = {"model": "m", NAME[protocol]: value, "x": '"image" "image_url" "input_image"'}
    assert not shows(json.dumps(value).encode(), protocol)


def test_odd_blocks_beside_an_image():
    """A number, a lone surrogate or NaN beside an image does not hide it."""
    for odd in (b"1", b"null", b'{"type":5}', b'{"type":["image"]}', b'{"text":"\\ud800"}', b'{"n":NaN}', b"[]"):
        data = b'{"model":"m","messages":[{"role":"user","content":[%b,{"type":"image"}]}]}' % odd
        assert shows(data, "messages"), odd


def test_paths_without_a_protocol():
    """Paths of no protocol never hold images."""
    assert not has_images(peek(body("chat", turn(IMAGES["chat"]))), entry_of(None))


WORDS = st.sampled_from(["image", "image_url", "input_image", "type", "content", "output", "x"])
VALUES = st.recursive(
    st.none() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300)
@given(VALUES, st.sampled_from(PROTOCOLS))
def test_the_byte_search_misses_nothing(value, protocol):
    """The byte search rules out only bodies in which the walk finds nothing; escaped spellings force the walk."""
    data = body(protocol, value)
    walked = data.replace(b"image", b"\\u0069mag\\u0065")
    assert shows(data, protocol) == shows(walked, protocol)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"tools":[{"name":"t"}]', True),
        ('"tools": [ 1 ]', True),
        ('"functions":[{}]', True),
        ('"tools":[]', False),
        ('"tools":[ \n ]', False),
        ('"tools":null', False),
        ('"tools":{"a":1}', False),
        ('"tools":"[t]"', False),
        ('"x":{"tools":[1]}', False),
        ('"t\\u006fols":[1]', True),
    ],
)
def test_tools(text, wanted):
    """A body has tools when its list of tools is not empty."""
    assert has_tools(peek(f'{{"model":"m",{text}}}'.encode())) is wanted


@pytest.mark.parametrize(
    ("protocol", "field", "wanted"),
    [
        ("messages", {"thinking": {"type": "enabled", "budget_tokens": 1024}}, True),
        ("messages", {"thinking": {"type": "adaptive"}}, True),
        ("messages", {"thinking": {"type": "disabled"}}, False),
        ("messages", {"thinking": "enabled"}, False),
        ("messages", {"thinking": {"type": ["enabled"]}}, False),
        ("messages", {"reasoning_effort": "high"}, False),
        ("chat", {"reasoning_effort": "low"}, True),
        ("chat", {"reasoning_effort": "none"}, False),
        ("chat", {"reasoning_effort": None}, False),
        ("chat", {"reasoning_effort": 5}, False),
        ("chat", {"thinking": {"type": "enabled"}}, False),
        ("responses", {"reasoning": {"effort": "medium"}}, True),
        ("responses", {"reasoning": {"summary": "auto"}}, True),
        ("responses", {"reasoning": {"effort": "none", "summary": "auto"}}, False),
        ("responses", {"reasoning": {}}, False),
        ("responses", {"reasoning": None}, False),
        ("responses", {}, False),
    ],
)
def test_thinking(protocol, field, wanted):
    """A request for thinking is found by the field of its own protocol."""
    assert entry_of(protocol).asks_thinking(peek(json.dumps({"model": "m", **field}).encode())) is wanted


SEARCH = {"type": "web_search_20250305", "name": "web_search"}
LOOK = {"name": "look", "input_schema": {}}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"tools": [SEARCH]}, "only"),
        ({"tools": [{"type": "web_search"}]}, "only"),
        ({"tools": [SEARCH, {"type": "web_search_preview"}]}, "only"),
        ({"web_search_options": {}}, "only"),
        ({"tools": [{"googleSearch": {}}]}, "only"),
        ({"tools": [{"google_search": {}, "functionDeclarations": None}]}, "only"),
        ({"tools": [{"googleSearchRetrieval": {"dynamicRetrievalConfig": {}}}]}, "only"),
        ({"tools": [{"googleSearch": {}, "functionDeclarations": [{"name": "a"}]}]}, "among"),
        ({"tools": [{"googleSearch": {}}, {"function_declarations": [{"name": "a"}]}]}, "among"),
        ({"tools": [{"googleSearch": None, "urlContext": {}}]}, ""),
        ({"tools": [{"functionDeclarations": [{"name": "google_web_search", "googleSearch": {}}]}]}, ""),
        ({"tools": [LOOK, SEARCH]}, "among"),
        ({"tools": [], "web_search_options": None}, ""),
        ({"tools": [LOOK], "web_search_options": {}}, ""),
        ({"tools": [{"type": "function", "name": "web_search"}]}, ""),
        ({"tools": [{**LOOK, "description": '{"type":"web_search"}'}]}, ""),
        ({"tools": "web_search"}, ""),
        ({"tools": ["web_search", 7]}, ""),
        ({}, ""),
    ],
)
def test_a_web_search_is_found_by_its_type(body, found):
    """The provider's tool alone, or among others; a function of that name is the caller's own."""
    assert find_web_search(peek(json.dumps({"model": "m", **body}).encode())) == found
    spelled = json.dumps({"model": "m", **body}).replace('"web_search', '"\\u0077eb_search')
    assert find_web_search(peek(spelled.encode())) == found
