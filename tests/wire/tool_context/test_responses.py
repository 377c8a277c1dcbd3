"""Responses answers: namespaces, items that are no call of a function, items that were cut."""

import json

import pytest

from .call_streams import fill_stream, fill_whole, named

VALUES = {("", "look"): {"user_id": "u"}, ("space", "look"): {"user_id": "in a space"}}
TURN = '{"user_id":"u"}'


def item(**fields):
    return {"type": "function_call", "id": "fc", "call_id": "c", "name": "look", "arguments": "{}", **fields}


def done(**fields):
    return named({"type": "response.output_item.done", "output_index": 0, "item": item(**fields)})


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, TURN),
        ({"status": "completed", "arguments": ""}, TURN),
        ({"status": "incomplete", "arguments": ""}, ""),
        ({"status": "incomplete", "arguments": '{"a":'}, '{"a":'),
        ({"namespace": "space"}, '{"user_id":"in a space"}'),
        ({"namespace": "other"}, "{}"),
        ({"name": "other"}, "{}"),
        ({"type": "mcp_call"}, "{}"),
        ({"type": "custom_tool_call"}, "{}"),
        ({"arguments": {"a": 1}}, {"a": 1}),
    ],
)
def test_items(fields, wanted):
    """A function's call is filled by its name and namespace unless it was cut; other items are left alone."""
    out, _ = fill_stream("responses", [done(**fields)], VALUES)
    assert json.loads(out.split(b"data: ")[1])["item"]["arguments"] == wanted
    body = json.dumps({"object": "response", "output": [item(**fields)]}).encode()
    assert json.loads(fill_whole("responses", body, VALUES)[0])["output"][0]["arguments"] == wanted


def test_a_call_without_arguments_gets_them_with_its_item():
    """In the events that end it; no event is added, so that the numbers of the events have no gap and no double."""
    added = named({"type": "response.output_item.added", "output_index": 0, "item": item(arguments="")})
    bare = {name: value for name, value in item().items() if name != "arguments"}
    ended = named({"type": "response.output_item.done", "output_index": 0, "item": bare})
    out, notes = fill_stream("responses", [added, ended], VALUES)
    assert out.count(b"event:") == 2
    assert json.loads(out.rpartition(b"data: ")[2])["item"] == item(arguments=TURN)
    assert notes == ["context: 1 field filled in look (user_id)"]


def test_arguments_that_come_with_the_beginning_of_an_item():
    """They are the first piece of it."""
    added = named({"type": "response.output_item.added", "output_index": 0, "item": item(arguments="{}")})
    out, notes = fill_stream("responses", [added], VALUES)
    assert json.loads(out.split(b"data: ")[1])["item"] == item(arguments=TURN)
    assert len(notes) == 1


def test_events_that_name_their_item_by_id():
    """Where they have no index."""
    events = [
        named({"type": "response.output_item.added", "item_id": "fc", "item": item(arguments="")}),
        named({"type": "response.function_call_arguments.delta", "item_id": "fc", "delta": "{}"}),
    ]
    assert json.dumps(TURN).encode() in fill_stream("responses", events, VALUES)[0]


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed"])
def test_the_whole_response_at_the_end(kind):
    """Its items are filled as they were before, however it ended; the echo of the tools is left alone."""
    response = {"tools": [{"type": "function", "name": "look", "arguments": "{}"}], "output": [item(), item()]}
    out, notes = fill_stream("responses", [named({"type": f"response.{kind}", "response": response})], VALUES)
    found = json.loads(out.split(b"data: ")[1])["response"]
    assert [one["arguments"] for one in found["output"]] == [TURN, TURN]
    assert found["tools"] == response["tools"]
    assert notes == ["context: 2 fields filled in 2 calls of look (user_id)"]


def test_a_stream_that_was_cut_is_noted():
    """What was filled counts, though the item never ended."""
    events = [
        named({"type": "response.output_item.added", "output_index": 0, "item": item(arguments="")}),
        named({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": "{}"}),
    ]
    assert fill_stream("responses", events, VALUES)[1] == ["context: 1 field filled in look (user_id)"]
