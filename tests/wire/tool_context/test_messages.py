"""Messages answers: input that comes with the beginning of its block, blocks that are no call of the client's."""

import json

import pytest

from .call_streams import fill_stream, fill_whole, named

VALUES = {("", "look"): {"user_id": "u"}}
TURN = '{"user_id":"u"}'


def start(block, index=0):
    return named({"type": "content_block_start", "index": index, "content_block": block})


def delta(piece, index=0):
    return named(
        {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}}
    )


def stop(index=0):
    return named({"type": "content_block_stop", "index": index})


def use(**fields):
    return {"type": "tool_use", "id": "t", "name": "look", **fields}


def test_input_that_comes_with_the_beginning():
    """It is filled there; no delta is put behind it. Deltas that follow all the same replace it, and are filled."""
    first = start(use(input={"a": {"b": 1}}))
    out = fill_stream("messages", [first, stop()], VALUES)[0]
    assert out == first.replace(b'"b": 1}', b'"b": 1},"user_id":"u"') + stop()
    out = fill_stream("messages", [first, delta("{}"), stop()], VALUES)[0]
    assert json.dumps(TURN).encode() in out


@pytest.mark.parametrize("fields", [{"input": {}}, {"input": None}, {}], ids=["empty", "null", "absent"])
@pytest.mark.parametrize("pieces", [[], [""], ["", " "]], ids=["no delta", "an empty one", "space"])
def test_a_block_without_arguments(fields, pieces):
    """A delta with the fields comes in front of its end."""
    events = [start(use(**fields)), *map(delta, pieces), stop()]
    out = fill_stream("messages", events, VALUES, at_once=1)[0]
    added = out[len(b"".join(events[:-1])) : -len(stop())]
    name, data = added.split(b"\n")[:2]
    assert name == b"event: content_block_delta"
    wanted = {"type": "input_json_delta", "partial_json": TURN}
    assert json.loads(data[6:]) == {"type": "content_block_delta", "index": 0, "delta": wanted}


@pytest.mark.parametrize("kind", ["server_tool_use", "mcp_tool_use", "text"])
def test_blocks_of_others_are_left_alone(kind):
    """Calls that the upstream makes itself are not the client's, whatever they are named."""
    events = [start(use(type=kind, input={}, note="tool_use")), delta("{}"), stop()]
    assert fill_stream("messages", events, VALUES)[0] == b"".join(events)
    body = json.dumps({"type": "message", "content": [use(type=kind, input={}), {"type": "tool_use", "name": "x"}]})
    assert fill_whole("messages", body.encode(), VALUES) == (body.encode(), [])


def test_a_whole_answer():
    """Inputs are filled in place, and what has none gets one; all else stays to the byte."""
    body = (
        b'{"type":"message", "content":[{"type":"text","text":"\\"tool_use\\""},{"type":"tool_use","name":"look",'
        b'"input":{"a" : 1.0 }},{"type":"tool_use","name":"look"}],"usage":{"output_tokens":1}}\n'
    )
    out, notes = fill_whole("messages", body, VALUES)
    assert out == body.replace(b"1.0 }", b'1.0 ,"user_id":"u"}').replace(
        b'"name":"look"}', b'"name":"look","input":{"user_id":"u"}}'
    )
    assert notes == ["context: 2 fields filled in 2 calls of look (user_id)"]


def test_a_block_that_begins_again_is_another():
    """The number of a block that never ended counts for the new one."""
    events = [start(use(input={})), delta('{"a":'), start(use(input={})), delta("{}"), stop()]
    out = fill_stream("messages", events, VALUES, at_once=1)[0]
    assert out.count(b"user_id") == 1
