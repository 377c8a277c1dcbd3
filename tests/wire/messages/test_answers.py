"""Answers of Messages upstreams for callers of other protocols: what they cite, and what has no place elsewhere."""

import json

import pytest

from router.ir import Answer, BlockEnded, Citation, Cited, Signed, Text, TextDelta, Thinking, ThinkingDelta, Usage
from router.wire import translate
from router.wire.neutral import assemble

from ..messages_samples import stream, whole
from ..test_translate_streams import FIXTURES
from ..translations import blocks, context, event, events, streamed

PAGE = {
    "type": "web_search_result_location",
    "url": "https://example.com/a",
    "title": "A",
    "cited_text": "So it is.",
    "encrypted_index": "ZW5j",
}
FOUND = {"type": "search_result_location", "source": "https://example.com/b", "title": None, "cited_text": "b"}
PLACE = {"type": "char_location", "document_index": 0, "document_title": "D", "cited_text": "c", "start_char_index": 0}
LOCAL = {**FOUND, "source": "notes/b.md"}


def read(given):
    """The neutral answer of a whole answer or a stream, and the losses."""
    ctx = context(request_sent=True)
    if isinstance(given, bytes):
        found = assemble.assemble_answer(translate.Stream("messages", "chat", ctx).all_events(given), ctx)
    else:
        from router.wire.messages.response import decode_answer

        found = decode_answer(given, ctx)
    assert isinstance(found, Answer)
    return found, [f"{loss.path}={loss.how}" for loss in ctx.losses]


@pytest.mark.parametrize("form", [whole, stream])
def test_pages_that_are_cited(form):
    """Citations of web pages stay with their text, with title and quote."""
    found, losses = read(
        form({"type": "text", "text": "so", "citations": [PAGE, FOUND]}, {"type": "text", "text": "x"})
    )
    cited = (
        Citation("https://example.com/a", "A", "So it is."),
        Citation("https://example.com/b", "", "b"),
    )
    assert found.blocks == (Text("so", citations=cited), Text("x"))
    assert losses == []


@pytest.mark.parametrize("form", [whole, stream])
@pytest.mark.parametrize("citation", [PLACE, LOCAL, {"type": "page_location"}, {"type": "new"}])
def test_places_that_are_cited(form, citation):
    """A place in a document of the request has no URL: it is reported."""
    found, losses = read(form({"type": "text", "text": "so", "citations": [citation]}))
    assert found.blocks == (Text("so"),)
    assert losses == ["citations=dropped"]


def test_citations_that_come_with_the_start_of_a_block():
    """Some servers send them there."""
    data = (
        event("message_start", message={"id": "msg_1", "usage": {}})
        + event("content_block_start", index=0, content_block={"type": "text", "text": "so", "citations": [PAGE]})
        + event("content_block_stop", index=0)
    )
    found = list(translate.Stream("messages", "chat", context()).events(data))
    assert found[1:] == [TextDelta("so"), Cited(Citation("https://example.com/a", "A", "So it is.")), BlockEnded()]


def test_no_citation_is_invented():
    """A citation of a page holds an index that only Anthropic issues, so Messages callers get none, and are told."""
    given = Answer(
        id="a",
        model="m",
        blocks=(Text("so", citations=(Citation("https://example.com/a"),)),),
        stop="end",
        usage=Usage(),
    )
    for streams in (True, False):
        ctx = context(request_sent=True)
        body = translate.encode_answer(given, "messages", ctx, stream=streams)
        assert b"citation" not in body
        assert [loss.path for loss in ctx.losses] == ["citations"]


LOST = [
    ("container", {"container": {"id": "c1", "expires_at": "2026-01-01T00:00:00Z"}}, True),
    ("context_management", {"context_management": {"applied_edits": [{"type": "clear_thinking_20251015"}]}}, False),
    ("diagnostics", {"diagnostics": {"cache_miss_reason": {"type": "system_changed"}}}, None),
    ("input_transformations", {"input_transformations": [{"type": "x"}]}, None),
    ("hologram", {"hologram": 1}, True),
    (
        "stop_details.category",
        {"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": "bio", "explanation": "No."}},
        True,
    ),
]


@pytest.mark.parametrize(("path", "fields", "in_delta"), LOST)
def test_fields_of_answers_are_named(path, fields, in_delta):
    """What no other protocol has a place for is reported, wherever in an answer it stands."""
    _, losses = read(whole({"type": "text", "text": "x"}, **fields))
    assert losses == [f"{path}=dropped"]
    places = {True: {"delta": fields}, False: fields, None: {"start": fields}}[in_delta]
    _, losses = read(stream({"type": "text", "text": "x"}, **places))
    assert losses == [f"{path}=dropped"]


@pytest.mark.parametrize(
    "fields",
    [
        {"container": None},
        {"context_management": None},
        {"diagnostics": None},
        {"stop_details": None},
    ],
)
def test_fields_that_say_nothing_are_not_named(fields):
    """Nothing is lost of a field that says nothing."""
    assert read(whole({"type": "text", "text": "x"}, **fields))[1] == []
    assert read(stream({"type": "text", "text": "x"}, start=fields, **fields))[1] == []


@pytest.mark.parametrize("form", [whole, stream])
@pytest.mark.parametrize(
    ("block", "paths"),
    [
        ({"type": "server_tool_use", "id": "s", "name": "web_fetch", "input": {}}, ["content block server_tool_use"]),
        (
            {"type": "code_execution_tool_result", "tool_use_id": "s", "content": {}},
            ["content block code_execution_tool_result"],
        ),
        ({"type": "hologram"}, ["content block hologram"]),
        ({"type": "text", "text": "x", "hologram": 1}, ["content block text.hologram"]),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}},
            [],
        ),
        (
            {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "code_execution_20250825"}},
            ["content block tool_use.caller"],
        ),
    ],
)
def test_blocks_and_their_fields_are_named(form, block, paths):
    """Blocks without a counterpart are reported, and unknown fields of the others."""
    assert read(form(block))[1] == [f"{path}=dropped" for path in paths]


@pytest.mark.parametrize("target", ["messages", "responses", "chat"])
def test_reasoning_without_text(target):
    """Reasoning of which only a signature is left is no empty delta, and its signature reaches the client."""
    answer = Answer(id="a", model="m", blocks=(Thinking("", "sig"), Text("x")), stop="end", usage=Usage())
    assert list(assemble.split_answer(answer))[1] == Signed("sig")
    assert assemble.assemble_answer(assemble.split_answer(answer), context()) == answer
    ctx = context()
    body = translate.encode_answer(answer, target, ctx, stream=True)
    assert b'"thinking_delta"' not in body
    assert ctx.sealer.seal("signature", "sig", "").encode() in body or target == "responses"
    if target == "messages":
        assert [block["type"] for block in blocks(body)] == ["thinking", "text"]


def test_reasoning_without_anything():
    """An empty block of reasoning is no block."""
    answer = Answer(id="a", model="m", blocks=(Thinking(), Text("x")), stop="end", usage=Usage())
    assert not any(isinstance(one, ThinkingDelta) for one in assemble.split_answer(answer))
    body = translate.encode_answer(answer, "messages", context(), stream=True)
    assert [block["type"] for block in blocks(body)] == ["text"]


def test_a_signature_that_comes_alone_in_a_stream():
    """The same in a stream of Responses whose reasoning has no summary."""
    item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "enc"}
    data = b"".join(
        f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode()
        for one in (
            {"type": "response.created", "response": {"id": "resp_1", "model": "m"}},
            {"type": "response.output_item.added", "output_index": 0, "item": {**item, "encrypted_content": ""}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {
                "type": "response.completed",
                "response": {"id": "resp_1", "status": "completed", "output": [item], "usage": {}},
            },
        )
    )
    made = translate.Stream("responses", "messages", context()).feed(data)
    (block,) = blocks(made)
    assert (block["type"], block["thinking"]) == ("thinking", "")
    assert block["signature"]
    assert b"thinking_delta" not in made


RECORDED = [
    ("11-empty-thinking-delta/upstream.responses.json", "responses", "messages", None),
    ("09-silent-losses/container-upstream.messages.json", "messages", "chat", "container=dropped"),
    (
        "09-silent-losses/context-management-upstream.messages.json",
        "messages",
        "responses",
        "context_management=dropped",
    ),
]


@pytest.mark.parametrize(("name", "source", "target", "loss"), RECORDED)
def test_recorded_answers(name, source, target, loss):
    """Recorded whole answers lose nothing in silence, and make no empty deltas."""
    path = FIXTURES / "faults" / name
    if not path.exists():
        pytest.skip("the recordings are not here")
    ctx = context(request_sent=True)
    body = translate.answer(path.read_bytes(), source, target, ctx, stream=True).body
    assert b'"thinking":""}' not in body
    assert loss is None or loss in [f"{one.path}={one.how}" for one in ctx.losses]
    assert events(body)


def test_recorded_citations():
    """Each citation of a recorded stream is read."""
    path = FIXTURES / "faults" / "08-citations-lost" / "messages-to-chat-upstream.messages.sse"
    if not path.exists():
        pytest.skip("the recordings are not here")
    data = path.read_bytes()
    found, losses = read(data)
    cited = [citation for block in found.blocks if isinstance(block, Text) for citation in block.citations]
    assert len(cited) == data.count(b'"citations_delta"') > 0
    assert all(citation.url.startswith("https://") for citation in cited)
    assert "citations=dropped" not in losses


@pytest.mark.parametrize("target", ["chat", "responses"])
@pytest.mark.parametrize("streams", [True, False])
def test_ids_that_repeat_in_an_answer_are_told_apart(target, streams):
    """Two calls of one id, which the history has too, are three calls for the caller."""
    ctx = context(call_ids=frozenset(["call_0"]), request_sent=True)
    uses = [{"type": "tool_use", "id": "call_0", "name": "look", "input": {"at": at}} for at in range(2)]
    usage = {"input_tokens": 1, "output_tokens": 1}
    body = {"id": "msg_1", "content": uses, "stop_reason": "tool_use", "usage": usage}
    if streams:
        data = event("message_start", message={**body, "content": []})
        for at, block in enumerate(uses):
            data += event("content_block_start", index=at, content_block=block) + event("content_block_stop", index=at)
        data += event("message_delta", delta={"stop_reason": "tool_use"}, usage=usage) + event("message_stop")
        made = streamed([data], "messages", ctx, target)
    else:
        made = translate.answer(json.dumps(body).encode(), "messages", target, ctx, stream=False).body
    assert b'"call_0_2"' in made
    assert b'"call_0_3"' in made
    assert b'"call_0"' not in made
