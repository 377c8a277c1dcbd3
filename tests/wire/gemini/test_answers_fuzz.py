"""Any answer and any stream of a Gemini upstream is read: as an answer, an error, or nothing."""

import contextlib
import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ir import Answer, CallBegan, CallDelta, Fault
from router.wire import translate
from router.wire.gemini.answers.decode_answer import decode_answer
from router.wire.gemini.answers.decode_stream import GeminiDecoder
from router.wire.neutral import assemble
from router.wire.neutral.answer_bounds import TooMany

from ..translations import context, streamed
from .recordings import frame

KEYS = st.sampled_from(
    ["candidates", "content", "parts", "text", "thought", "thoughtSignature", "functionCall", "name", "args", "id",
     "partialArgs", "jsonPath", "stringValue", "numberValue", "willContinue", "finishReason", "finishMessage", "index",
     "usageMetadata", "promptTokenCount", "promptFeedback", "blockReason", "error", "code", "message", "status",
     "details", "responseId", "modelVersion", "inlineData", "a", ""]
)  # fmt: skip
WORDS = st.sampled_from(
    ["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "MALFORMED_FUNCTION_CALL", "look", "$.a[0]", "$.a", "QQ==", "", "\ud800"]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=4))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
CALLS = st.dictionaries(st.sampled_from(["name", "id", "args", "partialArgs", "willContinue"]), VALUES, max_size=4)
PARTS = st.lists(
    st.one_of(st.dictionaries(KEYS, VALUES, max_size=3), CALLS.map(lambda call: {"functionCall": call})), max_size=3
)
CANDIDATES = st.lists(
    st.fixed_dictionaries(
        {"content": st.one_of(VALUES, PARTS.map(lambda parts: {"parts": parts}))},
        optional={"finishReason": st.one_of(WORDS, VALUES), "index": VALUES, "finishMessage": VALUES},
    ),
    max_size=2,
)
CHUNKS = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.fixed_dictionaries({"candidates": CANDIDATES}, optional={"usageMetadata": VALUES, "promptFeedback": VALUES}),
)


@settings(max_examples=400)
@given(chunks=st.lists(CHUNKS, max_size=5), name=st.sampled_from(["", "error"]))
def test_any_chunks(chunks, name):
    """Nothing but the bound of an answer is raised, and each call's events are in order."""
    decoder = GeminiDecoder(context("gemini"))
    events = []
    with contextlib.suppress(TooMany):
        for chunk in chunks:
            events += decoder.feed(name, chunk)
        events += decoder.done()
    begun = [event.index for event in events if isinstance(event, CallBegan)]
    assert begun == list(range(len(begun)))
    assert all(event.index in begun for event in events if isinstance(event, CallDelta))
    assert all(json.loads(event.fragment) is not None for event in events if isinstance(event, CallDelta))
    assert sum(isinstance(event, Fault) for event in events) <= 1


@pytest.mark.parametrize("target", ["messages", "chat", "responses"])
@settings(max_examples=100)
@given(chunks=st.lists(CHUNKS, max_size=4))
def test_any_stream_for_any_caller(target, chunks):
    """Any stream becomes events that can be decoded."""
    made = streamed([frame(chunks)], "gemini", context("gemini"), target)
    for _, payload in translate.payloads(made):
        assert payload == b"[DONE]" or isinstance(json.loads(payload), dict)


@settings(max_examples=200)
@given(data=CHUNKS)
def test_any_answer(data):
    """Any whole answer becomes an answer, an error, or None."""
    made = translate.answer(json.dumps(data).encode(), "gemini", "messages", context("gemini"), stream=False)
    assert made is None or 200 <= made.status < 600


@given(data=st.binary(max_size=80))
def test_any_bytes(data):
    """A stream of anything."""
    streamed([data, b"\r\n\r\ndata: ", data, b"\r\n\r\n"], "gemini", target="chat")


TEXT = st.builds(lambda text, thought: {"text": text, "thought": thought}, st.text(max_size=5), st.booleans())
CALL = st.builds(
    lambda name, args, call_id, signature: {
        "functionCall": {"name": name, "args": args, **({"id": call_id} if call_id else {})},
        **({"thoughtSignature": signature} if signature else {}),
    },
    st.sampled_from(["look", "find"]),
    st.dictionaries(st.text(max_size=3), st.integers(-9, 9), max_size=3),
    st.sampled_from(["", "a", "b"]),
    st.sampled_from(["", "QQ=="]),
)


@settings(max_examples=200)
@given(
    parts=st.lists(st.one_of(TEXT, CALL), max_size=8),
    cuts=st.sets(st.integers(0, 8)),
    finish=st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER"]),
    usage=st.fixed_dictionaries({"promptTokenCount": st.integers(0, 99), "candidatesTokenCount": st.integers(0, 99)}),
)
def test_a_stream_is_the_whole_answer(parts, cuts, finish, usage):
    """However an answer's parts are dealt to chunks, it is the same answer."""
    whole = decode_answer(make_chunk(parts, finish, usage), context("gemini"))
    borders = sorted({0, *(cut for cut in cuts if cut < len(parts)), len(parts)})
    chunks = [make_chunk(parts[a:b]) for a, b in itertools.pairwise(borders)]
    decoder = GeminiDecoder(context("gemini"))
    events = [event for chunk in [*chunks, make_chunk([], finish, usage)] for event in decoder.feed("", chunk)]
    assert decoder.finished
    found = assemble.assemble_answer([*events, *decoder.done()], context("gemini"))
    assert found == whole
    assert isinstance(found, Answer) or finish == "OTHER"


def make_chunk(parts, finish="", usage=None):
    """A chunk with some parts of an answer."""
    candidate = {"content": {"role": "model", "parts": parts}, **({"finishReason": finish} if finish else {})}
    return {"candidates": [candidate], "responseId": "r", **({"usageMetadata": usage} if usage else {})}
