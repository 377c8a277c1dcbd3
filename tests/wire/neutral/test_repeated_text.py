"""Pieces of text that are read without decoding what stands beside them."""

import json
import random

import pytest

from router.ir import CallDelta, TextDelta
from router.wire import translate
from router.wire.chat.decode_stream import ChatDecoder
from router.wire.messages.decode_stream import MessagesDecoder
from router.wire.neutral.context import Context
from router.wire.neutral.provider_profiles import find_profile
from router.wire.neutral.repeated_text import RepeatedText
from router.wire.raw import sse

_TEXTS = ("one", "two", "one", " ", "é😀", '"q" \\ \n', "m", "stop", ",", '"', "null", "x" * 70_000)
_ESCAPED = ('"\\u0061b"', '"\\ud83d"', '"\\ude00"', '"\\/"', '"\\u006d"')


def _piece(text, beside=""):
    return f'{{"id":"c"{beside},"delta":{{"content":{text}}}}}'.encode()


def _learned(*pieces):
    repeats = RepeatedText(usable=True)
    for piece in pieces:
        repeats.learn("", piece, [TextDelta(json.loads(piece)["delta"]["content"])])
    return repeats


def test_known():
    """The text of a third piece is read where two were decoded that differ in their text alone."""
    repeats = _learned(_piece('"a"'), _piece('"b"'))
    assert repeats.sure
    assert repeats.read("", _piece('"\\u00e9\\n"')) == "é\n"


@pytest.mark.parametrize(
    "payload",
    [
        *(_piece('"c"', ',"usage":{}'), _piece('"c","refusal":"d"'), _piece('["c"]'), _piece("null"), _piece('"c')),
        *(_piece('"c\n"'), _piece('"\\ud83d"'), _piece('"c"').replace(b"c", b"\xff"), b"{}", b""),
    ],
)
def test_decoded(payload):
    """What differs in more than its text, or has a text that JSON cannot hold, is decoded."""
    repeats = _learned(_piece('"a"'), _piece('"b"'))
    assert repeats.read("", payload) == ""


def test_names():
    """A piece of an event with another name is decoded."""
    assert _learned(_piece('"a"'), _piece('"b"')).read("error", _piece('"c"')) == ""


def test_one_piece():
    """Where only one text was seen, it is not known where the text stands: other members may hold the same."""
    assert not _learned(_piece('"\\u0063"'), _piece('"\\u0063"')).sure
    assert not _learned(_piece('"a"'), _piece('"a"')).sure


def test_forgotten():
    """An event that brings anything but a text ends what is known, since it may change what a text means."""
    repeats = _learned(_piece('"a"'), _piece('"b"'))
    repeats.learn("", b"{}", [CallDelta(0, "{}")])
    assert not repeats.sure
    assert repeats.read("", _piece('"c"')) == ""


def test_given_up():
    """Pieces that always differ beside their text are no longer looked at."""
    repeats = _learned(*(_piece(f'"{at}"', f',"n":{at + 50}') for at in range(8)))
    assert (repeats.looks, repeats.sure) == (0, False)


def _chat(rng):
    """A stream of pieces of all kinds, and more behind its end."""
    found = []
    for _ in range(rng.randint(5, 60)):
        text = json.dumps(rng.choice(_TEXTS), ensure_ascii=rng.random() < 0.5)
        delta = rng.choice(
            [
                *[f'{{"content":{text}}}'] * 12,
                *(f'{{"content":{rng.choice(_ESCAPED)}}}', f'{{"reasoning_content":{text}}}', "{}"),
                f'{{"role":"assistant","content":{text}}}',
                '{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"{}"}}]}',
            ]
        )
        beside = rng.choice(["", "", "", "", ',"usage":{"prompt_tokens":3,"completion_tokens":4}'])
        finish = rng.choice([*["null"] * 20, '"stop"'])
        index = rng.choice([*[0] * 20, 1])
        choice = f'{{"index":{index},"delta":{delta},"finish_reason":{finish}}}'
        found.append(f'data: {{"id":"c","model":"m","choices":[{choice}]{beside}}}\n\n'.encode())
        if rng.random() < 0.02:
            found.append(b"data: [DONE]\n\n")
    return found


def _messages(rng):
    """As above."""
    found = [sse.frame(b'{"type":"message_start","message":{"id":"m","model":"m"}}', "message_start")]
    for _ in range(rng.randint(5, 60)):
        text = json.dumps(rng.choice(_TEXTS), ensure_ascii=rng.random() < 0.5)
        index = rng.choice([0, 0, 0, 0, 1])
        delta = rng.choice(
            [
                *[f'{{"type":"text_delta","text":{text}}}'] * 12,
                *(
                    f'{{"type":"text_delta","text":{rng.choice(_ESCAPED)}}}',
                    f'{{"type":"thinking_delta","text":{text}}}',
                ),
            ]
        )
        event = rng.choice(
            [
                *[f'{{"type":"content_block_delta","index":{index},"delta":{delta}}}'] * 12,
                f'{{"type":"content_block_start","index":{index},"content_block":{{"type":"text","text":""}}}}',
                *(f'{{"type":"content_block_stop","index":{index}}}', '{"type":"ping"}'),
            ]
        )
        found.append(sse.frame(event.encode(), rng.choice([*["content_block_delta"] * 9, ""])))
        if rng.random() < 0.02:
            found.append(sse.frame(b'{"type":"message_stop"}', "message_stop"))
    return found


def _events(protocol, batches):
    numbers = iter(range(10_000))
    ctx = Context(now=1, new_id=lambda: str(next(numbers)), profile=find_profile("openai", "gpt-5"), model="m")
    stream = translate.Stream(protocol, protocol, ctx)
    return [event for batch in batches for event in stream.events(batch)], ctx.losses


@pytest.mark.parametrize("protocol", ["chat", "messages"])
@pytest.mark.parametrize("seed", range(150))
def test_the_same(protocol, seed, monkeypatch):
    """A stream of any pieces brings the events that it brings where each is decoded."""
    batches = {"chat": _chat, "messages": _messages}[protocol](random.Random(seed))
    found = _events(protocol, batches)
    monkeypatch.setattr({"chat": ChatDecoder, "messages": MessagesDecoder}[protocol], "pure_text", False)
    assert found == _events(protocol, batches)
