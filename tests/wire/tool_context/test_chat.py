"""Chat answers: choices, calls without numbers, the older form of calls, calls that end in the chunk of their name."""

import json

import pytest

from .call_streams import event, fill_stream, fill_whole

VALUES = {("", "look"): {"user_id": "u"}}
FILLED = {"user_id": "u"}


def chunk(*choices, **fields):
    return event({"id": "c1", "model": "m", "choices": list(choices), **fields})


def choice(calls=(), reason=None, number=0, **delta):
    return {"index": number, "delta": {**delta, **({"tool_calls": calls} if calls else {})}, "finish_reason": reason}


def call(piece=None, name="", index=None, named=""):
    said = {"name": name} if name else {}
    said |= {"arguments": piece} if piece is not None else {}
    return {**({"index": index} if index is not None else {}), **({"id": named} if named else {}), "function": said}


def read(data):
    """The pieces of arguments by choice, in order."""
    found = {}
    for line in data.split(b"\n\n"):
        if line:
            for one in json.loads(line[6:])["choices"]:
                delta = one["delta"]
                calls = delta.get(
                    "tool_calls", [{"function": delta["function_call"]}] if "function_call" in delta else []
                )
                found.setdefault(one["index"], []).extend(
                    one["function"]["arguments"] for one in calls if "arguments" in one["function"]
                )
    return {number: "".join(pieces) for number, pieces in found.items()}


TURN = json.dumps(FILLED, separators=(",", ":"))
STREAMS = {
    "choices": (
        [
            chunk(choice([call("{", "look", 0)]), choice([call("{}", "look", 0)], number=1)),
            chunk(choice([call("}", index=0)])),
        ],
        {0: TURN, 1: TURN},
    ),
    "without numbers": (
        [chunk(choice([call("{", "look")])), chunk(choice([call("}")])), chunk(choice([call("{}", "look")]))],
        {0: 2 * TURN},
    ),
    "one number with two ids": (
        [chunk(choice([call("{}", "look", 0, "a")])), chunk(choice([call("{}", "look", 0, "b")]))],
        {0: 2 * TURN},
    ),
    "the name again and again": (
        [chunk(choice([call("{", "look", 0, "a")])), chunk(choice([call("}", "look", 0, "a")]))],
        {0: TURN},
    ),
    "all in one chunk": ([chunk(choice([call("{}", "look", 0)], "tool_calls"))], {0: TURN}),
    "empty in the last chunk": ([chunk(choice([call("", "look", 0)], "tool_calls"))], {0: TURN}),
    "a name alone in the last chunk": ([chunk(choice([call(None, "look", 0)], "tool_calls"))], {0: TURN}),
    "a name alone": ([chunk(choice([call(None, "look", 0)])), chunk(choice(reason="stop"))], {0: TURN}),
    "cut at the limit": ([chunk(choice([call("", "look", 0)])), chunk(choice(reason="length"))], {0: ""}),
    "the older form": (
        [
            chunk(choice(function_call={"name": "look", "arguments": "{"})),
            chunk(choice(function_call={"arguments": "}"})),
        ],
        {0: TURN},
    ),
    "the older form, empty": (
        [chunk(choice(function_call={"name": "look", "arguments": ""})), chunk(choice(reason="function_call"))],
        {0: TURN},
    ),
    "a custom tool": (
        [chunk(choice([{"index": 0, "type": "custom", "custom": {"name": "look", "input": "{}"}}]))],
        {0: ""},
    ),
}


@pytest.mark.parametrize("name", [name for name in STREAMS if name != "a custom tool"])
def test_streams(name):
    """Each way to send a call in chunks comes to the same."""
    events, wanted = STREAMS[name]
    assert read(fill_stream("chat", events, VALUES, at_once=1)[0]) == wanted
    assert read(fill_stream("chat", events, VALUES)[0]) == wanted


def test_custom_tools_are_left_alone():
    """Their input is no JSON of a schema."""
    events, _ = STREAMS["a custom tool"]
    assert fill_stream("chat", events, VALUES)[0] == b"".join(events)


def test_the_event_for_a_call_without_arguments_is_one_of_the_stream():
    """It has the stream's own id and model, stands in front of the end of its choice, and brings no usage."""
    first, last = chunk(choice([call("", "look", 3)])), chunk(choice(reason="tool_calls"), usage={"total_tokens": 1})
    out = fill_stream("chat", [first, last], VALUES)[0]
    assert out.startswith(first)
    assert out.endswith(last)
    added = json.loads(out[len(first) : -len(last)][6:])
    said = [{"index": 3, "function": {"arguments": TURN}}]
    assert added == {
        "id": "c1",
        "model": "m",
        "choices": [{"index": 0, "delta": {"tool_calls": said}, "finish_reason": None}],
    }


@pytest.mark.parametrize("reason", ["tool_calls", "stop", None])
def test_a_whole_answer(reason):
    """All calls of all choices are filled, in both forms; all else stays to the byte."""
    body = (
        b'{ "choices":[{"message":{"content":"tool_calls","tool_calls":[{"function":{"name":"look","arguments":"{ }"}},'
        b'{"function":{"name":"other","arguments":"{}"}},{"function":{"name":"look"}}]},"finish_reason":%b},'
        b'{"index":1,"message":{"function_call":{"name":"look","arguments":""}}}],"usage":{"total_tokens":1.0}}\n'
    ) % json.dumps(reason).encode()
    out, notes = fill_whole("chat", body, VALUES)
    assert out == body.replace(b'"{ }"', b'"{ \\"user_id\\":\\"u\\"}"').replace(
        b'{"function":{"name":"look"}}', b'{"function":{"name":"look","arguments":"{\\"user_id\\":\\"u\\"}"}}'
    ).replace(b'"arguments":""', b'"arguments":"{\\"user_id\\":\\"u\\"}"')
    assert notes == ["context: 3 fields filled in 3 calls of look (user_id)"]


def test_a_whole_answer_that_was_cut():
    """Arguments that the output limit cut off are no empty ones."""
    calls = b'{"tool_calls":[{"function":{"name":"look","arguments":""}}]}'
    body = b'{"choices":[{"message":%b,"finish_reason":"length"}]}' % calls
    assert fill_whole("chat", body, VALUES) == (body, [])


def test_no_more_calls_are_followed_than_an_answer_has():
    """An upstream that opens thousands of calls gets the first ones filled."""
    events = [chunk(choice([call("{", "look", at)])) for at in range(1100)]
    out = fill_stream("chat", [*events, *[chunk(choice([call("}", index=at)])) for at in range(1100)]], VALUES)[0]
    assert out.count(b"user_id") == 1024
