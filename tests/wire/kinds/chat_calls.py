"""Answers of Chat with calls, and what becomes of them."""

import json

from .case import Case
from .chat_pieces import DONE, SO, TIME, USAGE, WEATHER, calls, chunk, entry, part, stream, whole

BOTH = (WEATHER, TIME)
FIRST, SECOND = '{"city": ', '"Rome"}'


def called(kind, *deltas, finish="tool_calls", **fields):
    """A stream of calls."""
    return Case(kind, "chat", stream(*deltas, finish=finish), stop="tool", **fields)


CALLS = [
    # Calls are told apart whatever their ids and indices say.
    called(
        "calls-that-share-an-id",
        calls(entry(WEATHER, "call_00_same", 0, '{"city": ')),
        calls(entry(None, index=0, arguments='"Rome"}')),
        calls(entry(TIME, "call_00_same", 1, "")),
        calls(entry(None, index=1, arguments='{"city": "Oslo"}')),
        calls=BOTH,
    ),
    called(
        "calls-that-share-an-id-on-each-part",
        calls(entry(WEATHER, "same", 0, FIRST)),
        calls(entry(TIME, "same", 1, FIRST)),
        calls(entry(None, "same", 0, SECOND)),
        calls(entry(None, "same", 1, '"Oslo"}')),
        calls=BOTH,
    ),
    called(
        "calls-that-share-id-and-index",
        calls(entry(WEATHER, "same", 0)),
        calls(entry(TIME, "same", 0)),
        calls=BOTH,
    ),
    Case(
        "calls-that-share-an-id",
        "chat",
        whole(calls(entry(WEATHER, "same"), entry(TIME, "same")), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
    ),
    Case(
        "calls-that-share-id-and-index",
        "chat",
        whole(calls(entry(WEATHER, "same", 0), entry(TIME, "same", 0)), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
    ),
    called(
        "call-ids-of-the-history",
        calls(entry(WEATHER, "call_0", 0), entry(TIME, "call_1", 1)),
        calls=BOTH,
        history=("call_0", "call_1", "call_0_2"),
    ),
    Case(
        "call-ids-of-the-history",
        "chat",
        whole(calls(entry(WEATHER, "functions.look:0"), entry(TIME, "functions.look:1")), finish="tool_calls"),
        calls=BOTH,
        stop="tool",
        history=("functions.look:0",),
    ),
    called("call-indices-with-gaps", calls(entry(WEATHER, "a", 3)), calls(entry(TIME, "b", 7)), calls=BOTH),
    called(
        "call-indices-as-texts",
        calls(entry(WEATHER, "a", "0", FIRST)),
        calls(entry(None, None, "0", SECOND)),
        calls=(WEATHER,),
    ),
    called("calls-without-ids-at-one-index", calls(entry(WEATHER, "", 0)), calls(entry(TIME, "", 0)), calls=BOTH),
    called("calls-without-ids-and-indices", calls(entry(WEATHER), entry(TIME)), calls=BOTH),
    called(
        "call-ids-that-rotate",
        calls(entry(WEATHER, "a", 0, "")),
        calls(entry(None, "b", 0, FIRST)),
        calls(entry(None, "c", 0, SECOND)),
        calls(entry(TIME, "d", 1)),
        calls=BOTH,
    ),
    called(
        "call-ids-that-rotate-beside-the-name",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(WEATHER, "b", 0, SECOND)),
        calls=(WEATHER,),
    ),
    called(
        "call-ids-behind-the-name",
        calls(entry(WEATHER, None, 0, "")),
        calls(entry(None, "a", 0, FIRST)),
        calls(entry(None, "a", 0, SECOND)),
        calls=(WEATHER,),
    ),
    called(
        "call-indices-that-disagree-with-ids",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(TIME, "b", 1, "")),
        calls(entry(None, "a", 1, SECOND)),
        calls(entry(None, "b", 0, '{"city": "Oslo"}')),
        calls=BOTH,
    ),
    called(
        "call-arguments-under-a-wrong-index",
        calls(entry(WEATHER, "a", 0, "")),
        calls(entry(None, index=1, arguments='{"city": "Rome"}')),
        calls=(WEATHER,),
    ),
    called(
        "calls-whose-name-is-repeated",
        calls(entry(WEATHER, "a", 0, FIRST)),
        calls(entry(WEATHER, None, 0, SECOND)),
        calls(entry(TIME, "b", 1, "")),
        calls(entry(TIME, "b", 1)),
        calls=BOTH,
    ),
    called(
        "call-arguments-as-an-object",
        {"tool_calls": [{"function": {"name": "look", "arguments": WEATHER[1]}}]},
        calls=(WEATHER,),
    ),
    # Choices.
    Case(
        "calls-in-a-second-choice",
        "chat",
        b"".join(
            (
                chunk(part({"role": "assistant", "content": "It is "})),
                chunk(
                    part({"role": "assistant", "content": None, "tool_calls": [entry(WEATHER, "a", 0, FIRST)]}, index=1)
                ),
                chunk(part({"content": "so."})),
                chunk(part(calls(entry(None, index=0, arguments=SECOND)), index=1)),
                chunk(part({}, "tool_calls"), part({}, "tool_calls", index=1)),
                chunk(usage=USAGE),
                DONE,
            )
        ),
        text=SO,
        calls=(WEATHER,),
        stop="tool",
    ),
    Case(
        "calls-in-a-second-choice",
        "chat",
        whole({"content": SO}, calls(entry(WEATHER, "a")), calls(entry(TIME, "a")), finish="tool_calls"),
        text=SO,
        calls=BOTH,
        stop="tool",
    ),
    Case(
        "second-choice-with-a-text-of-its-own",
        "chat",
        b"".join(
            (
                chunk(part({"role": "assistant", "content": "It is "})),
                chunk(part({"role": "assistant", "content": "No, "}, index=1)),
                chunk(part(calls(entry(TIME, "b", 0), content="it is not."), "tool_calls", index=1)),
                chunk(part({"content": "so."})),
                chunk(part({}, "length")),
                chunk(usage=USAGE),
                DONE,
            )
        ),
        text=SO,
        stop="length",
        losses={"*": ("choices[1]",)},
    ),
    Case(
        "second-choice-with-a-text-of-its-own",
        "chat",
        json.dumps(
            {
                "id": "c1",
                "choices": [
                    {
                        "index": 1,
                        "message": {"content": "No.", **calls(entry(TIME, "b"))},
                        "finish_reason": "tool_calls",
                    },
                    {"index": 0, "message": {"content": SO}, "finish_reason": "stop"},
                ],
                "usage": USAGE,
            }
        ).encode(),
        text=SO,
        losses={"*": ("choices[1]",)},
    ),
    Case(
        "calls-announced-and-not-made",
        "chat",
        stream({"content": SO}, finish="tool_calls"),
        text=SO,
        losses={"*": ("finish_reason tool_calls",)},
    ),
    Case(
        "calls-announced-and-not-made",
        "chat",
        whole({"content": SO}, finish="tool_calls"),
        text=SO,
        losses={"*": ("finish_reason tool_calls",)},
    ),
]
