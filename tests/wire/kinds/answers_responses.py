"""Answers of Responses upstreams: items that are hard to tell apart, and what stands beside the text."""

import json

from ..responses_samples import added, began, call_item, done, ended, frames, on, reasoning_item, shell, text_item
from .case import Case

USAGE = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
TWO = (("look", {"a": 1}), ("edit", {"b": 2}))


def both(kind, items, output=None, **expected):
    """A stream and the whole answer that stand for the same. items: lists of events of one item each, in order."""
    events = [event for item in items for event in item]
    made = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    whole = shell("completed", output if output is not None else made, usage=USAGE)
    return [
        Case(kind, "responses", frames(*began(), *events, ended(output=output or ())), **expected),
        Case(kind, "responses", json.dumps(whole).encode(), **expected),
    ]


def stream(kind, *events, output=(), status="completed", **expected):
    return Case(kind, "responses", frames(*began(), *events, ended(status, output=output)), **expected)


def two_calls(mixed=False):
    """The events of two calls, one behind the other or piece by piece in turns."""
    one, two = call_item(0, "c1", "look", '{"a":', "1}"), call_item(1, "c2", "edit", '{"b":', "2}")
    return [event for pair in zip(one, two, strict=True) for event in pair] if mixed else [*one, *two]


def place(events, index):
    """The events with another output index; None: without any."""
    found = [{name: value for name, value in event.items() if name != "output_index"} for event in events]
    return found if index is None else [{**event, "output_index": index} for event in found]


def rename(events):
    """The events with an item id that changes from event to event."""
    found = []
    for at, event in enumerate(events):
        event = {**event, "item_id": f"other_{at}"} if "item_id" in event else event
        found.append({**event, "item": {**event["item"], "id": f"other_{at}"}} if "item" in event else event)
    return found


def unnamed(events):
    """The events with the names of calls in the `done` events only."""
    return [
        {**one, "item": {**one["item"], "name": ""}} if one["type"] == "response.output_item.added" else one
        for one in events
    ]


def only(events, *kinds):
    return [event for event in events if event["type"].removeprefix("response.") in kinds]


def text_events(*kinds):
    """The events of these kinds of a message `So.`."""
    return only(text_item(0, "So", "."), *kinds)


def items_of(events):
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


CITATION = {"type": "url_citation", "url": "http://a/1", "title": "One", "start_index": 0, "end_index": 2}
FILE = {"type": "file_citation", "file_id": "f", "filename": "a.txt", "index": 3}
LOGPROB = {"token": "So", "logprob": -0.5, "bytes": [83, 111], "top_logprobs": []}
TEXT = {"type": "output_text", "text": "So.", "annotations": []}


def message(index, *parts, **fields):
    return done(index, "message", role="assistant", content=list(parts), **fields)


def noted(index, *annotations):
    return [
        on("output_text.annotation.added", index, content_index=0, annotation_index=at, annotation=one)
        for at, one in enumerate(annotations)
    ]


SAID = items_of(text_item(0, "So."))
CALLS = {"calls": TWO, "stop": "tool"}
CASES = [
    *(
        stream(f"{name} with {how} index", *place(events, index), **CALLS)
        for how, index in (("no", None), ("one", 0))
        for name, events in (("calls", two_calls()), ("mixed calls", two_calls(mixed=True)))
    ),
    *(
        stream(
            f"text, reasoning and a call with {how} index",
            *place([*reasoning_item(0, "hm"), *text_item(1, "So", "."), *call_item(2, "c1", "look", "{}")], index),
            text="So.",
            reasoning="hm",
            calls=(("look", {}),),
            stop="tool",
        )
        for how, index in (("no", None), ("one", 0))
    ),
    stream("ids that change", *rename(two_calls(mixed=True)), output=items_of(two_calls()), **CALLS),
    stream(
        "one id for all items",
        *(
            {**event, "item_id": "x"} if "item_id" in event else {**event, "item": {**event["item"], "id": "x"}}
            for event in two_calls(mixed=True)
        ),
        **CALLS,
    ),
    stream(
        "one index and ids that change",
        *rename(place(two_calls(mixed=True), 0)),
        output=items_of(two_calls()),
        **CALLS,
    ),
    stream("calls only in done items", *only(two_calls(), "output_item.done"), **CALLS),
    stream("calls only in the last event", output=items_of(two_calls()), **CALLS),
    stream("one call only in the last event", *two_calls()[:5], output=items_of(two_calls()), **CALLS),
    stream(
        "arguments only in arguments.done",
        *only(two_calls(), "output_item.added", "function_call_arguments.done"),
        **CALLS,
    ),
    stream("a call whose last fragment is missing", *two_calls(mixed=True)[:4], *two_calls(mixed=True)[6:], **CALLS),
    stream(
        "a call that is not done",
        *only(two_calls(), "output_item.added", "function_call_arguments.delta"),
        **CALLS,
    ),
    stream(
        "a call whose name comes late",
        *unnamed(two_calls()),
        **CALLS,
    ),
    *both(
        "calls with one id",
        [call_item(0, "c1", "look", '{"a":1}'), call_item(1, "c1", "edit", '{"b":2}')],
        **CALLS,
    ),
    *both(
        "an id of an earlier turn",
        [call_item(0, "c1", "look", '{"a":1}')],
        calls=TWO[:1],
        history=("c1", "c1_2"),
        stop="tool",
    ),
    stream("text only in text.done", *text_events("output_item.added", "output_text.done"), text="So."),
    stream("text only in the part", *text_events("content_part.done"), text="So."),
    stream("text only in the item", *text_events("output_item.done"), text="So."),
    stream("text only in the last event", *text_item(0, ends=False), output=items_of(text_item(0, "So.")), text="So."),
    stream("text whose end is missing", *text_item(0, "So", ends=False), output=SAID, text="So."),
    *both(
        "text without a part",
        [
            [done(0, "reasoning", summary="hm")],
            [done(1, "message", role="assistant", content="So.")],
        ],
        text="So.",
        reasoning="hm",
    ),
    stream(
        "another text only in the last event",
        *text_item(0, "So", "."),
        output=[{**text_item(0, "Well.")[-1]["item"], "id": "other"}, text_item(0, "So.")[-1]["item"]],
        text="So.Well.",
    ),
    stream(
        "texts that change places",
        *text_item(0, "So."),
        output=[{**text_item(0, "Well.")[-1]["item"], "id": "a"}, {**text_item(0, "So.")[-1]["item"], "id": "b"}],
        text="So.Well.",
    ),
    stream("text once", *text_item(0, "So", "."), output=items_of(rename(text_item(0, "So."))), text="So."),
    stream(
        "reasoning only in done events",
        *only(reasoning_item(0, "one", "two"), "output_item.added", "reasoning_summary_text.done"),
        reasoning="one\n\ntwo",
    ),
    *both(
        "reasoning in the last event",
        [],
        output=[reasoning_item(0, "hm")[-1]["item"], text_item(1, "So.")[-1]["item"]],
        reasoning="hm",
        text="So.",
    ),
    *both(
        "citations",
        [[message(0, {**TEXT, "annotations": [CITATION, FILE]})]],
        text="So.",
        citations=("http://a/1",),
        losses={"*": ("annotations.file_citation",)},
    ),
    stream(
        "citations in the stream",
        *text_item(0, "So", ".", ends=False),
        *noted(0, CITATION, {**CITATION, "url": "http://a/2"}),
        *text_item(0, "So", ".")[-3:],
        output=[message(0, {**TEXT, "annotations": [CITATION]})["item"]],
        text="So.",
        citations=("http://a/1", "http://a/2"),
    ),
    stream(
        "citations in the last event",
        *text_item(0, "So", "."),
        output=[message(0, {**TEXT, "annotations": [CITATION]})["item"]],
        text="So.",
        citations=("http://a/1",),
    ),
    *both("the phase of a message", [[message(0, TEXT, phase="final_answer")]], text="So.", losses={"*": ("phase",)}),
    *both(
        "unknown fields",
        [[message(0, {**TEXT, "hologram": "x"}, aura={"a": 1})]],
        text="So.",
        losses={"*": ("hologram", "aura")},
    ),
    *both(
        "what the provider ran",
        [
            [added(0, "web_search_call"), done(0, "web_search_call", action={"type": "search", "query": "x"})],
            [done(1, "mcp_call", name="look", arguments="{}", output="seen")],
            [done(2, "image_generation_call", result="aGk=")],
            text_item(3, "So."),
        ],
        text="So.",
        losses={
            "*": tuple(f"output item {name}" for name in ("mcp_call", "image_generation_call")),
            "chat": ("web_search_call",),
        },
    ),
    *both(
        "a refusal",
        [[message(0, {"type": "refusal", "refusal": "I cannot."})]],
        refusal="I cannot.",
    ),
    stream(
        "a refusal in pieces",
        added(0, "message", role="assistant", content=[]),
        on("refusal.delta", 0, content_index=0, delta="I "),
        on("refusal.delta", 0, content_index=0, delta="cannot."),
        on("refusal.done", 0, content_index=0, refusal="I cannot."),
        message(0, {"type": "refusal", "refusal": "I cannot."}),
        refusal="I cannot.",
    ),
    *both(
        "a call with broken arguments",
        [call_item(0, "c1", "look", '{"a": tru')],
        stop="tool",
        without=("messages", "chat"),
    ),
    *both(
        "log probabilities",
        [[message(0, {**TEXT, "logprobs": [LOGPROB]})]],
        text="So.",
        losses={"*": ("logprobs",)},
    ),
]
