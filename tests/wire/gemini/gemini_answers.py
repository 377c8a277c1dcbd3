"""Answers for callers of Google's API, and readers that see them as Google's clients do."""

import json
import re

import msgspec

from router.ir import Answer, Usage
from router.wire.gemini.answers.encode_answer import encode_answer
from router.wire.gemini.answers.encode_stream import GeminiEncoder
from router.wire.gemini.carriers import CarriedThought
from router.wire.neutral.assemble import split_answer

THOUGHT = CarriedThought("Let me see.", "c2ln", ahead=True)


def answer(*blocks, stop="end", usage=None, refusal=""):
    """A whole answer."""
    return Answer(id="r1", model="m", blocks=blocks, stop=stop, usage=usage or Usage(), refusal=refusal)


def whole(given, ctx):
    """A whole answer as JSON."""
    return json.loads(msgspec.json.encode(encode_answer(given, ctx)))


def streamed(events, ctx):
    """The bytes of a stream."""
    encoder = GeminiEncoder(ctx)
    return b"".join(encoder.encode(event) for event in events)


def streamed_answer(given, ctx):
    """The bytes of a stream that holds a whole answer."""
    return streamed(split_answer(given), ctx)


def chunks(data):
    """The chunks of a stream, read as strictly as the strictest client does."""
    frames = data.split(b"\r\n\r\n")
    assert frames.pop() == b"", "the stream does not end with a blank line"
    found = []
    for frame in filter(None, frames):
        assert re.fullmatch(rb"data: [^\r\n]+", frame), frame
        found.append(json.loads(frame[6:]))
    return found


def joined(parts):
    """Parts with neighbouring texts of a kind as one, and empty ones without a signature left out."""
    found = []
    for part in parts:
        if part == {"text": ""}:
            continue
        if found and "text" in part and "thoughtSignature" not in part and set(found[-1]) == set(part):
            found[-1] = {**part, "text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found


def parts_of(data):
    """The parts of all chunks, or of a whole answer."""
    pieces = chunks(data) if isinstance(data, bytes) else [data]
    return joined([part for one in pieces for part in one["candidates"][0]["content"]["parts"]])
