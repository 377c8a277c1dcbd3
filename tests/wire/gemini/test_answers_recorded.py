"""Recorded streams of Gemini, as a caller of another protocol gets them: whole, and in pieces of any size."""

import json

import pytest

from router.ir import Answer, Extras, Text, Thinking, ToolCall, Usage
from router.wire import translate
from router.wire.gemini.signatures import unwrap_signature

from ..translations import check_cuts, context, streamed
from .recordings import NAMES, read_stream

STRAWBERRY = 'There are **3** "r"s in strawberry.\n\nst**r**awbe**rr**y'
LIST = [
    {"action": "add", "description": "Fresh red apple", "itemid": "apple_001", "price": 0.5},
    {"action": "add", "description": "Ripe yellow banana", "itemid": "banana_001", "price": 0.3},
]
#: Name of a recording -> texts, calls as (name, arguments), which of them are signed, stop, usage.
WANTED = {
    NAMES[0]: ([STRAWBERRY], [], [], "end", Usage(9, 208, None, None, 185)),
    NAMES[1]: (
        [],
        [("getWeather", {"location": "Boston"}), ("getWeather", {"location": "San Francisco"})],
        [True, False],
        "tool",
        Usage(26, 155, None, None, 132),
    ),
    NAMES[2]: (
        [],
        [("writeItems", {"operations": LIST})],
        [True],
        "tool",
        Usage(54, 195, None, None, 121, extras=Extras(tier="provisioned_throughput")),
    ),
    NAMES[3]: ([], [("get_weather", {"location": "San Francisco, CA"})], [True], "tool", Usage(73, 67, None, None, 48)),
    NAMES[4]: ([], [], [], "length", Usage(10, 0)),
    NAMES[5]: ([], [("get_country", {})], [True], "tool", Usage(29, 212, None, None, 202)),
    NAMES[6]: (["The capital of Mexico is Mexico City."], [], [], "end", Usage(257, 8)),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_recorded_answer(name):
    """Texts, calls with their arguments and signatures, the end and the token counts are what was recorded."""
    found = translate.read_stream(read_stream(name), "gemini", context("gemini"))
    assert isinstance(found, Answer)
    texts = [block.text for block in found.blocks if isinstance(block, Text)]
    calls = [(block.name, json.loads(block.arguments)) for block in found.blocks if isinstance(block, ToolCall)]
    assert (texts, calls, find_signed(found), found.stop, found.usage) == WANTED[name]
    assert found.id
    assert found.model.startswith("gemini-")


def find_signed(answer):
    """For each call, whether a signature stands directly in front of it."""
    before, signed = None, []
    for block in answer.blocks:
        if isinstance(block, ToolCall):
            held = isinstance(before, Thinking) and unwrap_signature(before.redacted)
            signed.append(bool(held) and len(held) > 100)
        before = block
    return signed


def test_id_of_the_api():
    """A call keeps the id that the API gave it; one without gets one."""
    known = translate.read_stream(read_stream(NAMES[3]), "gemini", context("gemini"))
    assert [block.id for block in known.blocks if isinstance(block, ToolCall)] == ["pt3pjoak"]
    made = translate.read_stream(read_stream(NAMES[1]), "gemini", context("gemini"))
    ids = [block.id for block in made.blocks if isinstance(block, ToolCall)]
    assert all(one.startswith("call_") for one in ids)
    assert len(set(ids)) == 2


@pytest.mark.parametrize("target", ["messages", "chat", "responses"])
@pytest.mark.parametrize("name", NAMES)
def test_recording_in_pieces(name, target):
    """However the bytes come in, the caller gets the same."""
    data = read_stream(name)
    wanted = streamed([data], "gemini", target=target)
    assert wanted
    cuts = [[data[at : at + size] for at in range(0, len(data), size)] for size in (1, 7, 100)]
    check_cuts(cuts, "gemini", wanted, target)


@pytest.mark.parametrize("name", NAMES)
def test_recording_that_breaks_off(name):
    """Without its last chunk no answer is whole."""
    data = read_stream(name)
    events = data.split(b"\r\n\r\n")[:-2]
    stream = translate.Stream("gemini", "chat", context("gemini"))
    for one in events:
        stream.feed(one + b"\r\n\r\n")
    assert not stream.finished
    assert stream.end() == b""
