"""Compactions as whole exchanges: which backends are asked for a summary, and what is passed through."""

import json

import pytest

from router.exchange.request.unseal import NOTE
from router.wire.conversation.sealed_state import SUMMARY_PREFIX

from ...answers import GOOD
from ...wire.responses.test_compaction import chat_stream, claude_stream, responses_stream
from ...wire.translations import events
from ..playbook import playing
from ..upstreams import Break, says, streams
from ..worlds import RESPONSES, box, good, guarded, in_order, refuses, response, wait

TRIGGER = {"type": "compaction_trigger"}
SAY = {"type": "message", "role": "user", "content": "Fix the bug."}
COMPACT = f"{RESPONSES}/compact"
THEIRS = {"type": "compaction", "id": "cmp_9", "encrypted_content": "gAAAAtheirs"}
#: Protocols of the backend, and whether it compacts by itself.
SPOKEN = {
    "messages": (("messages",), ""),
    "chat": (("chat",), ""),
    "responses": (("responses",), ""),
    "all": (("messages", "chat", "responses"), ""),
    "openai": (("chat", "responses"), "openai"),
}
SILENT = {"messages": claude_stream(), "chat": chat_stream(), "responses": responses_stream()}
SUMMARISED = ["messages", "chat", "responses", "all"]


def world(made, name, **settings):
    protocols, vendor = SPOKEN[name]
    return made(box("box", "a0", protocols=protocols, vendor=vendor), settings=in_order(**settings))


def answer_of(name):
    return good("responses" if "responses" in SPOKEN[name][0] else name)


def asked(*items, **more):
    return response(input=[SAY, *items, TRIGGER], **more)


def compacted(made, name):
    """The item that a backend's summary came to, and its runtime."""
    runtime = world(made, name)
    return runtime, playing(runtime, RESPONSES, asked(), answer_of(name)).json()["output"][0]


@pytest.mark.parametrize("name", SUMMARISED)
def test_a_backend_that_compacts_nothing_is_asked_for_a_summary(made, name):
    """The client gets one item; history and `why` say who made it, and the tokens count as those of any generation."""
    played = playing(world(made, name), RESPONSES, asked(), answer_of(name))
    [item] = played.json()["output"]
    assert (played.status, item["type"]) == (200, "compaction")
    assert item["encrypted_content"].startswith(SUMMARY_PREFIX)
    assert b"compaction_trigger" not in played.sent[0].body
    assert b"about to be removed" in played.sent[0].body
    assert "compacted by fairlead: the answer is a summary, sealed" in played.record.notes
    assert (played.record.usage.input, played.record.usage.output) == (3, 1)


def test_a_backend_that_compacts_is_left_alone(made):
    """Byte for byte, on both ways; so is its own item in later requests."""
    theirs = {**GOOD["responses"], "output": [THEIRS]}
    runtime = world(made, "openai")
    body = asked(THEIRS, model="box:m")
    played = playing(runtime, RESPONSES, body, says(200, theirs))
    assert played.json() == theirs
    assert json.loads(played.sent[0].body) == {**body, "model": "m"}
    assert "x-fairlead-translation" not in {name.decode() for name in played.fields}
    compact = {"object": "response.compaction", "output": [THEIRS], "usage": GOOD["responses"]["usage"]}
    played = playing(runtime, COMPACT, {"model": "box:m", "input": "hi"}, says(200, compact))
    assert (played.json(), played.sent[0].target) == (compact, COMPACT)
    assert played.record.usage.input == 3


@pytest.mark.parametrize("name", SUMMARISED)
def test_the_endpoint(made, name):
    """Answered by the same function where the backend has none."""
    played = playing(world(made, name), COMPACT, {"model": "box:m", "input": "hi"}, answer_of(name))
    found = played.json()
    assert (played.status, found["object"]) == (200, "response.compaction")
    assert [one["type"] for one in found["output"]] == ["message", "compaction"]
    assert found["usage"]["total_tokens"] == 4
    assert not played.sent[0].target.endswith("compact")
    assert played.record.usage.output == 1


@pytest.mark.parametrize("there", SPOKEN)
@pytest.mark.parametrize("here", SUMMARISED)
def test_an_item_goes_on_at_every_backend(made, here, there):
    """Also where it is passed through, and after a restart: the key is that of the home."""
    runtime, item = compacted(made, here)
    state = runtime.snapshot.translation_state
    other = world(made, there)
    other.snapshot.translation_state._mac = state._mac
    played = playing(other, RESPONSES, response(input=[item, SAY]), answer_of(there))
    assert played.status == 200
    assert SUMMARY_PREFIX.encode() not in played.sent[0].body
    assert b"good" in played.sent[0].body
    assert (NOTE in played.record.notes) is (len(SPOKEN[there][0]) > 1 or there == "responses")


@pytest.mark.parametrize("there", SPOKEN)
def test_an_item_of_another_home_is_refused(made, there):
    """Before anything is sent, with the way on."""
    _, item = compacted(made, "chat")
    played = playing(world(made, there), RESPONSES, response(input=[item, SAY]))
    assert (played.status, played.sent) == (400, [])
    assert "Start a new thread" in played.json()["error"]["message"]


@pytest.mark.parametrize("there", SUMMARISED)
def test_an_item_of_another_writer_is_refused(made, there):
    """A conversation is never replaced by nothing."""
    for path, body in ((RESPONSES, response(input=[THEIRS, SAY])), (RESPONSES, asked(THEIRS))):
        played = playing(world(made, there), path, body)
        assert (played.status, played.sent) == (400, [])
        assert "NAME:MODEL" in played.json()["error"]["message"]


def test_a_stream(made):
    """The events of a stream, while the backend streams text."""
    chunks = [
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"go"}}]}\n\n',
        b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"od"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}\n\ndata: [DONE]\n\n',
    ]
    played = playing(world(made, "chat"), RESPONSES, asked(stream=True), streams(*chunks))
    kinds = [one["type"] for one in events(played.got) if one["type"] != "keepalive"]
    assert kinds[2:] == ["response.output_item.added", "response.output_item.done", "response.completed"]
    assert (played.status, played.whole, played.record.usage.output) == (200, True, 1)


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_without_a_summary_is_a_400(made, stream):
    """Clients repeat other errors up to thirty times, each for the price of the whole conversation."""
    empty = says(200, {**GOOD["messages"], "content": []})
    played = playing(world(made, "messages"), RESPONSES, asked(stream=stream), empty)
    error = played.json()["error"]
    assert (played.status, error["code"], len(played.sent)) == (400, "compaction_failed", 1)
    assert played.record.usage.input == 3


@pytest.mark.parametrize("name", ["messages", "chat", "responses"])
def test_a_stream_without_a_summary_is_a_400(made, name):
    """Nothing was sent by then, so the client gets the status itself; the tokens that it cost are counted."""
    played = playing(world(made, name), RESPONSES, asked(stream=True), streams(SILENT[name]))
    assert (played.status, played.json()["error"]["code"]) == (400, "compaction_failed")
    assert (played.record.usage.input, played.record.usage.output) == (90, 7)


def test_a_broken_stream_is_no_summary(made):
    """What came of it is not passed off as the whole."""
    cut = streams(b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"go"}}]}\n\n', Break())
    played = playing(world(made, "chat"), RESPONSES, asked(stream=True), cut)
    assert played.status == 502
    assert b"compaction" not in played.got


def test_a_compaction_may_move(made):
    """It leaves nothing behind, so the next backend is asked, in its own protocol."""
    first, second = box("box", "a", protocols=("chat",)), box("second", "b", protocols=("messages",))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    played = playing(runtime, RESPONSES, asked(store=True), refuses(500), good("messages"))
    assert (played.asked[-1], played.status) == ("b", 200)
    assert played.json()["output"][0]["type"] == "compaction"


def test_an_own_item_binds_to_no_account(made):
    """Unlike reasoning, it is read here: another account and the chain may serve."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a"), ("second", "b")))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    item = playing(runtime, RESPONSES, asked(), good("responses")).json()["output"][0]
    later = response(input=[item, SAY])
    played = playing(runtime, RESPONSES, later, refuses(429, wait(900)), good("responses"))
    assert (played.asked, played.status) == (["a", "b"], 200)


def test_sealed_reasoning_beside_an_own_item_still_binds(made):
    """Another backend could not read it."""
    first, second = (box(name, alias, protocols=("responses",)) for name, alias in (("box", "a"), ("second", "b")))
    runtime = made(first, second, settings=in_order(fallback={"*": ("second:n",)}))
    item = playing(runtime, RESPONSES, asked(), good("responses")).json()["output"][0]
    thought = {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
    played = playing(runtime, RESPONSES, response(input=[item, thought, SAY]), refuses(429, wait(900)))
    assert (played.asked, played.status) == (["a"], 429)


def test_the_guard_counts_it(made):
    """A compaction spends tokens like any answer, so a halt stops it too."""
    runtime = world(made, "messages")
    guarded(runtime, "all")
    for path, body in ((RESPONSES, asked()), (COMPACT, {"model": "box:m", "input": "hi"})):
        played = playing(runtime, path, body)
        assert (played.status, played.sent) == (429, [])


def test_the_callers_own_headers_stay_at_a_backend_of_the_same_protocol(made):
    """Only the body of the request changes there."""
    fields = [("x-codex-window-id", "t:1")]
    played = playing(world(made, "responses"), RESPONSES, asked(), good("responses"), fields=fields)
    assert played.sent[0].fields[b"x-codex-window-id"] == b"t:1"
    played = playing(world(made, "chat"), RESPONSES, asked(), good("chat"), fields=fields)
    assert b"x-codex-window-id" not in played.sent[0].fields


def test_a_large_conversation_is_restored_in_a_thread(made):
    """With an own item among megabytes of other items, which stay."""
    runtime = world(made, "responses")
    item = playing(runtime, RESPONSES, asked(), good("responses")).json()["output"][0]
    long = {**SAY, "content": "x" * (2 << 20)}
    played = playing(runtime, RESPONSES, response(input=[long, item]), good("responses"), threshold=0.2)
    assert played.status == 200
    made_of = json.loads(played.sent[0].body)["input"]
    assert made_of[0] == long
    assert made_of[1]["content"][0]["text"].endswith("good")
