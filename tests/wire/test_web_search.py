"""A web search of one protocol is one of the others too: asked for, made, and told of."""

import json

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.responses import Response
from pydantic import TypeAdapter

from router.errors import BadRequest
from router.ir import Answer, CallBegan, CallDelta, Citation, Ended, Searched, Text, ToolCall, Usage, WebPage
from router.wire import translate
from router.wire.messages.encode_stream import MessagesEncoder
from router.wire.messages.response import decode_answer
from router.wire.neutral import assemble

from .messages_samples import stream, whole
from .translations import TOOL, chunk, claude, context, event, events, sent, streamed, user

SEARCH = {"type": "web_search_20250305", "name": "web_search"}
FORCED = {"type": "tool", "name": "web_search"}
LIMITS = {
    "blocked_domains": ["b.com"],
    "max_uses": 8,
    "user_location": {"type": "approximate", "city": "Ulm", "country": "DE"},
}
PAGES = (WebPage("https://a.com/x", "X"), WebPage("https://a.com/y", "Y", "2 days"))
CALL = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "so"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "url": "https://a.com/x", "title": "X", "encrypted_content": "e"},
        {"type": "web_search_result", "url": "https://a.com/y", "title": "Y", "page_age": "2 days"},
    ],
}
ITEM = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "so"}}
CITED = {"type": "url_citation", "url": "https://a.com/x", "title": "X", "start_index": 0, "end_index": 2}


def asking(**fields):
    """A Claude Code search: the tool alone, and demanded."""
    return claude(user("x"), tools=[{**SEARCH, **fields}], tool_choice=FORCED)


def responses_stream(*items):
    """A whole Responses stream of these items."""
    out = [event("response.created", response={"id": "resp_1", "model": "m", "status": "in_progress"})]
    for at, item in enumerate(items):
        out.append(event("response.output_item.added", output_index=at, item={**item, "content": []}))
        for part in item.get("content", []):
            where = {"item_id": item["id"], "output_index": at, "content_index": 0}
            out.append(event("response.output_text.delta", delta=part["text"], **where))
            out += [
                event("response.output_text.annotation.added", annotation=one, **where) for one in part["annotations"]
            ]
        out.append(event("response.output_item.done", output_index=at, item=item))
    done = {"id": "resp_1", "model": "m", "status": "completed", "output": list(items), "usage": USAGE}
    return [*out, event("response.completed", response=done)]


USAGE = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}


def said(text, *annotations):
    part = {"type": "output_text", "text": text, "annotations": list(annotations)}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def searching(vendor="openai", **fields):
    """A translation whose upstream was asked to search."""
    return context(vendor, request_sent=True, searching=True, **fields)


# Asked for


@pytest.mark.parametrize(
    ("vendor", "model", "entry", "choice", "losses"),
    [
        (
            "openai",
            "gpt-5",
            {"type": "web_search", "user_location": LIMITS["user_location"]},
            {"type": "web_search"},
            ["tools[0].blocked_domains=dropped"],
        ),
        (
            "xai",
            "grok-4",
            {"type": "web_search", "filters": {"excluded_domains": ["b.com"]}},
            "required",
            ["tools[0].user_location=dropped"],
        ),
    ],
)
def test_asked_of_a_responses_backend(vendor, model, entry, choice, losses):
    """With what limits it as far as the backend has it; the bound of searches is one of calls."""
    made, lost = sent(asking(**LIMITS), "messages", vendor, "responses", model=model)
    assert (made["tools"], made["tool_choice"], made["max_tool_calls"]) == ([entry], choice, 8)
    assert lost == losses


def test_asked_of_a_responses_backend_of_the_users_own():
    """Any backend that has OpenAI's tool can be said to have it."""
    ctx = context()
    ctx.profile = msgspec.structs.replace(ctx.profile, search_tool="responses")
    body = json.dumps(asking(allowed_domains=["a.com"])).encode()
    made = json.loads(translate.request(body, "messages", "responses", ctx).body)
    assert made["tools"] == [{"type": "web_search", "filters": {"allowed_domains": ["a.com"]}}]
    assert ctx.searching


@pytest.mark.parametrize(
    ("vendor", "model", "entry", "losses"),
    [
        (
            "openrouter",
            "qwen/qwen3",
            {
                "type": "openrouter:web_search",
                "parameters": {"excluded_domains": ["b.com"], "user_location": LIMITS["user_location"]},
            },
            ["tools[0].max_uses=dropped"],
        ),
        ("groq", "openai/gpt-oss-120b", {"type": "browser_search"}, ["tools[0]=weakened"]),
    ],
)
def test_asked_of_a_chat_backend(vendor, model, entry, losses):
    """In the form that the provider has for it."""
    made, lost = sent(asking(**LIMITS), "messages", vendor, "chat", model=model)
    assert (made["tools"], made["tool_choice"]) == ([entry], "required")
    assert lost == losses


@pytest.mark.parametrize(("vendor", "model"), [("", "m"), ("groq", "llama-3.3-70b"), ("mistral", "mistral-large")])
def test_not_asked_of_others(vendor, model):
    """A backend that is not known to search is not asked, and a demand is refused."""
    with pytest.raises(BadRequest, match="does not search the web"):
        sent(asking(), "messages", vendor, "chat", model=model)


def test_a_search_among_tools_cannot_be_forced_in_chat():
    """A choice of Chat names a function: the demand is weaker there, and said so."""
    body = claude(user("x"), tools=[TOOL, SEARCH], tool_choice=FORCED)
    made, losses = sent(body, "messages", "openrouter", "chat", model="m")
    assert ([tool["type"] for tool in made["tools"]], "tool_choice" in made) == (
        ["function", "openrouter:web_search"],
        False,
    )
    assert "tools[1]=weakened" in losses


# Told of: a Responses upstream to Messages


def test_a_search_of_responses_as_blocks():
    """The call comes at once, the result with what the text cites behind it; Messages tells how many there were."""
    ctx = searching()
    made = events(streamed(responses_stream(ITEM, said("So.", CITED)), "responses", ctx, "messages"))
    begun = [one["content_block"] for one in made if one["type"] == "content_block_start"]
    assert [block["type"] for block in begun] == ["server_tool_use", "text", "web_search_tool_result"]
    assert begun[0]["name"] == "web_search"
    assert begun[2]["tool_use_id"] == begun[0]["id"]
    [page] = begun[2]["content"]
    assert page == {
        "type": "web_search_result",
        "url": "https://a.com/x",
        "title": "X",
        "encrypted_content": "",
        "page_age": None,
    }
    deltas = [one["delta"] for one in made if one["type"] == "content_block_delta"]
    assert json.loads(deltas[0]["partial_json"]) == {"query": "so"}
    assert made[-2]["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert [f"{loss.path}={loss.how}" for loss in ctx.losses] == ["citations=weakened"]
    for one in made:
        TypeAdapter(RawMessageStreamEvent).validate_python(one, strict=True)


def test_a_whole_answer_is_the_same():
    """As the stream, in the form that the SDK reads."""
    body = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "usage": USAGE}
    body |= {"output": [ITEM, {**ITEM, "id": "ws_2"}, said("So.", CITED)]}
    made = translate.answer(json.dumps(body).encode(), "responses", "messages", searching(), stream=False)
    found = json.loads(made.body)
    kinds = [block["type"] for block in found["content"]]
    assert kinds == [*["server_tool_use"] * 2, "text", *["web_search_tool_result"] * 2]
    assert [len(block["content"]) for block in found["content"][3:]] == [0, 1]
    assert found["usage"]["server_tool_use"]["web_search_requests"] == 2
    Message.model_validate(found, strict=True)


def test_results_stand_before_calls():
    """A client reads an answer with a call at its end; what was found comes before that."""
    call = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": "{}"}
    made = events(streamed(responses_stream(ITEM, said("So.", CITED), call), "responses", searching(), "messages"))
    begun = [one["content_block"]["type"] for one in made if one["type"] == "content_block_start"]
    assert begun == ["server_tool_use", "text", "web_search_tool_result", "tool_use"]
    assert made[-2]["delta"]["stop_reason"] == "tool_use"


def test_a_search_inside_a_call_waits():
    """Arguments of a call are never cut by another block."""
    ctx = searching()
    call = [CallBegan(0, "c1", "look"), CallDelta(0, '{"a":'), Searched(("so",), PAGES), CallDelta(0, "1}")]
    encoder = MessagesEncoder(ctx)
    made = events(b"".join(encoder.encode(one) for one in (*call, Ended("tool", Usage()))))
    begun = [one["content_block"]["type"] for one in made if one["type"] == "content_block_start"]
    assert begun == ["tool_use", "server_tool_use", "web_search_tool_result"]
    parts = [one["delta"]["partial_json"] for one in made if one["type"] == "content_block_delta"]
    assert "".join(parts[:2]) == '{"a":1}'


def test_a_search_that_failed():
    """It is an error of the result, in Anthropic's words, and was no search to pay for."""
    made = events(
        streamed(responses_stream({**ITEM, "status": "failed"}, said("So.")), "responses", searching(), "messages")
    )
    begun = [one["content_block"] for one in made if one["type"] == "content_block_start"]
    assert begun[1]["content"] == {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    assert "server_tool_use" not in made[-2]["usage"]


def test_a_page_that_was_opened_is_no_search():
    """Of the actions of such an item only the search has a counterpart."""
    opened = {**ITEM, "action": {"type": "open_page", "url": "https://a.com"}}
    ctx = searching()
    made = streamed(responses_stream(opened, said("So.")), "responses", ctx, "messages")
    assert b"server_tool_use" not in made
    assert [loss.path for loss in ctx.losses] == ["output item web_search_call.open_page"]


# Told of: a Chat upstream to Messages


def test_a_search_that_only_shows_in_what_is_cited():
    """OpenRouter names its search by nothing but citations: they are its result."""
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.com/x", "title": "X"}}
    pieces = [chunk({"content": "So."}), chunk({"annotations": [cited]}), chunk({}, "stop"), b"data: [DONE]\n\n"]
    for ctx, kinds in (
        (searching("openrouter"), ["text", "server_tool_use", "web_search_tool_result"]),
        (context("openrouter"), ["text"]),
    ):
        made = events(streamed(pieces, "chat", ctx, "messages"))
        assert [one["content_block"]["type"] for one in made if one["type"] == "content_block_start"] == kinds


def test_searches_that_groq_made():
    """Its message lists them with what they found, once they have."""
    tool = {"index": 0, "type": "browser_search", "arguments": '{"query":"so"}'}
    results = {"results": [{"title": "X", "url": "https://a.com/x", "content": "c", "score": 0.5}]}
    pieces = [
        chunk({"executed_tools": [tool]}),
        chunk({"executed_tools": [{**tool, "search_results": results}]}),
        chunk({"content": "So."}),
        chunk({}, "stop"),
        b"data: [DONE]\n\n",
    ]
    ctx = searching("groq", model="openai/gpt-oss-20b")
    made = events(streamed(pieces, "chat", ctx, "messages"))
    begun = [one["content_block"] for one in made if one["type"] == "content_block_start"]
    assert [block["type"] for block in begun] == ["server_tool_use", "web_search_tool_result", "text"]
    assert begun[1]["content"][0]["url"] == "https://a.com/x"
    assert [loss.path for loss in ctx.losses] == ["usage"]


# Told of: a Messages upstream to Responses and Chat


def read(form):
    """The neutral answer of a Messages upstream, whole or as a stream."""
    ctx = context(request_sent=True)
    if isinstance(form, bytes):
        found = assemble.assemble_answer(translate.Stream("messages", "responses", ctx).all_events(form), ctx)
    else:
        found = decode_answer(form, ctx)
    assert isinstance(found, Answer)
    return found.blocks, [f"{loss.path}={loss.how}" for loss in ctx.losses]


@pytest.mark.parametrize("form", [whole, stream])
def test_a_search_of_anthropic_is_read(form):
    """Query, pages and their age; what only Anthropic can read is a loss."""
    blocks, losses = read(form(CALL, FOUND, {"type": "text", "text": "So."}))
    assert blocks == (Searched(("so",), PAGES), Text("So."))
    assert losses == ["content block web_search_tool_result=weakened"]


@pytest.mark.parametrize("form", [whole, stream])
def test_searches_without_a_result_are_read(form):
    """One that failed says why; one that a pause cut off has found nothing."""
    failed = {**FOUND, "content": {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}}
    assert read(form(CALL, failed))[0] == (Searched(("so",), error="max_uses_exceeded"),)
    assert read(form({"type": "text", "text": "So."}, CALL))[0] == (Text("So."), Searched(("so",), ()))


def test_a_search_of_anthropic_as_an_item():
    """A Responses caller gets the call with its query and the addresses, in the form that the SDK reads."""
    data = stream(CALL, FOUND, {"type": "text", "text": "So."})
    made = events(streamed([data], "messages", context(request_sent=True), "responses"))
    kinds = [one["type"] for one in made]
    steps = [f"response.web_search_call.{step}" for step in ("in_progress", "searching", "completed")]
    assert kinds[2:7] == ["response.output_item.added", *steps, "response.output_item.done"]
    final = made[-1]["response"]
    item, message = final["output"]
    assert (item["type"], item["status"], message["content"][0]["text"]) == ("web_search_call", "completed", "So.")
    assert item["action"] == {
        "type": "search",
        "query": "so",
        "queries": ["so"],
        "sources": [{"type": "url", "url": page.url} for page in PAGES],
    }
    assert made[2]["item"]["id"] == made[3]["item_id"] == item["id"]
    Response.model_validate(final, strict=True)


def test_a_search_has_no_form_in_chat():
    """What it found shows in what is cited; that it was made is a loss."""
    for streams in (True, False):
        ctx = context(request_sent=True)
        given = Answer(id="a", model="m", blocks=(Searched(("so",), PAGES), Text("So.")), stop="end", usage=Usage())
        body = translate.encode_answer(given, "chat", ctx, stream=streams)
        assert (b"So." in body, [loss.path for loss in ctx.losses]) == (True, ["web_search_call"])


# Back again


@pytest.mark.parametrize("target", ["chat", "responses", "messages"])
def test_searches_of_the_history_are_text(target):
    """What was searched and found stays told on every backend, whoever made the search."""
    content = [
        CALL,
        {**FOUND, "content": [{**FOUND["content"][0], "encrypted_content": ""}]},
        {"type": "text", "text": "So."},
    ]
    if target == "messages":
        asked = {
            "model": "x",
            "input": [{"role": "user", "content": "x"}, ITEM, said("So."), {"role": "user", "content": "y"}],
        }
        made, _ = sent(asked, "responses", target=target)
    else:
        made, _ = sent(
            claude(user("x"), {"role": "assistant", "content": content}, user("y")), "messages", target=target
        )
    assert "web_search" in json.dumps(made["input" if target == "responses" else "messages"])
    assert "server_tool_use" not in json.dumps(made)


def test_bounds_of_what_is_found():
    """An upstream cannot have a million pages translated, or a query of megabytes."""
    page = {"type": "web_search_result", "url": "https://a.com", "title": "t"}
    body = json.dumps(whole(CALL, {**FOUND, "content": [page] * 5000})).encode()
    assert translate.answer(body, "messages", "responses", context(request_sent=True), stream=False).status == 500
    begun = {**CALL, "input": {}}
    data = [
        event("message_start", message={"id": "msg_1", "model": "m", "usage": {}}),
        event("content_block_start", index=0, content_block=begun),
        *[
            event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": "x" * 4096})
            for _ in range(64)
        ],
        event("content_block_stop", index=0),
        event("message_stop"),
    ]
    found = events(streamed(data, "messages", context(request_sent=True), "responses"))
    assert len(json.dumps(found)) < 20_000


def test_citations_keep_their_text():
    """A whole answer keeps what its text cites for the result, once for each page."""
    cited = (Citation("https://a.com"), Citation("https://a.com", "A"), Citation("https://b.com", "B"))
    given = Answer(
        id="a",
        model="m",
        blocks=(Searched(("so",)), Text("So.", citations=cited), ToolCall("c1", "look", "{}")),
        stop="tool",
        usage=Usage(),
    )
    made = json.loads(translate.encode_answer(given, "messages", searching(), stream=False))
    assert [block["type"] for block in made["content"]] == [
        *("server_tool_use", "text", "web_search_tool_result", "tool_use"),
    ]
    assert [page["title"] for page in made["content"][2]["content"]] == ["A", "B"]


def test_a_stop_sequence_does_not_swallow_a_search():
    """Text that waits for the rest of a stop sequence comes before the search that follows it."""
    ctx = searching(stop_sequences=("ab",))
    made = events(streamed(responses_stream(said("xa"), ITEM), "responses", ctx, "messages"))
    texts = [one["delta"].get("text") for one in made if one["type"] == "content_block_delta"]
    assert texts[:2] == ["x", "a"]
