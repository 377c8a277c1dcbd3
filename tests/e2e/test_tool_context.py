"""Fields of tool calls that the model left empty, filled from the caller's headers: off by default, declared beforehand
and afterwards, and the same whole, streamed, passed through and translated."""

import gzip
import json
import threading

import anthropic
import openai
import pytest

from router.settings.tables import ModelOptions

from ..wire.tool_context.call_streams import STREAMS, read_stream, read_whole
from .samples import CHAT, MESSAGES, RESPONSES, stream_error_of
from .test_search_rounds import whole
from .test_web_search import FOUND, asked_engine, engine, own_search
from .upstream import END, chunk, close, plain, stream, stream_head, wait_for
from .wire import Client, ask, request

__all__ = ["engine"]
PROTOCOLS = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
NAMES = [*PROTOCOLS]
TEXT = {"type": "string"}
SCHEMA = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "session_id": TEXT,
        "userId": {"type": ["string", "null"]},
        "channel_id": TEXT,
        "createdAt": {**TEXT, "format": "date-time"},
    },
    "required": ["id", "session_id"],
}
HEADERS = ((b"X-Session-Id", b's "1" \xc3\xa9'), (b"x-user-id", b"u-2"))
FILLED = {"session_id": 's "1" é', "userId": "u-2"}
DECLARED = b"session_id userId createdAt in get_order"
NOTE = "context: 3 fields filled in get_order (session_id, userId, createdAt)"
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def asking(protocol, *, streamed=False, schema=SCHEMA, **fields):
    said = {"messages": [{"role": "user", "content": "hi"}]}
    tool = {"name": "get_order", "description": "x"}
    if protocol == "chat":
        tools = [{"type": "function", "function": {**tool, "parameters": schema}}]
    elif protocol == "messages":
        tools, said = [{**tool, "input_schema": schema}], {**said, "max_tokens": 50}
    else:
        tools, said = [{"type": "function", **tool, "parameters": schema}], {"input": "hi", "store": False}
    return json.dumps({"model": "beta:m", "stream": streamed, "tools": tools, **said, **fields}).encode()


def answering(protocol, arguments, reason="tool_calls"):
    """A whole answer with one call."""
    function = {"name": "get_order", "arguments": arguments}
    if protocol == "chat":
        called = {"id": "c1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [called]}
        choice = {"index": 0, "message": message, "finish_reason": reason}
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        found = {
            "id": "c",
            "object": "chat.completion",
            "created": 1,
            "model": "m",
            "choices": [choice],
            "usage": usage,
        }
    elif protocol == "messages":
        block = {"type": "tool_use", "id": "toolu_1", "name": "get_order", "input": json.loads(arguments or "{}")}
        found = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [block]}
        found |= {"stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 2}}
    else:
        item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "status": "completed", **function}
        found = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
        found |= {"output": [item], "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}}
    return json.dumps(found).encode()


@pytest.fixture
def filling(site):
    """A proxy that fills; `filling(protocol)` makes its backend speak that one alone."""
    beta = site.upstreams["beta"]
    beta.clear()

    def speak(*protocols, **tables):
        site.configure([site.entry("beta", protocols=protocols)], **{"context_fill": True, **tables})
        return site

    return speak


@pytest.mark.parametrize("spoken", NAMES)
@pytest.mark.parametrize("caller", NAMES)
def test_whole_answers(filling, caller, spoken):
    """Passed through or translated, a call has the fields; head and log name them, without their values."""
    site = filling(spoken)
    site.upstreams["beta"].script(plain(answering(spoken, '{"id":"7","userId":null}')))
    answer = ask(site.proxy.port, PROTOCOLS[caller].path, asking(caller), *HEADERS)
    assert answer.status == 200, answer.body
    [arguments] = [json.loads(text) for text in read_whole(caller, answer.body)]
    assert arguments.pop("createdAt")[:2] == "20"
    assert arguments == {"id": "7", **FILLED}
    assert sorted(answer.field(b"x-fairlead-context").split()) == sorted(DECLARED.split())
    noted = site.noted(answer)
    assert len([note for note in noted["notes"] if note.startswith("context: 3 fields filled in get_order (")]) == 1
    assert (noted["tokens_in"], noted["tokens_out"]) == (3, 2)
    assert "u-2" not in json.dumps(noted)


@pytest.mark.parametrize("spoken", NAMES)
@pytest.mark.parametrize("caller", NAMES)
@pytest.mark.parametrize(
    "pieces", [[], ['{"id":', '"7"', "}"], ['{"userId":n', 'ull,"id":"7"}']], ids=["none", "some", "null"]
)
def test_streams(filling, caller, spoken, pieces):
    """The same of streams: what comes in pieces and what comes whole agree, and no event of another kind changes."""
    site = filling(spoken)
    events = STREAMS[spoken]([("get_order", pieces)])
    site.upstreams["beta"].script(stream(events))
    answer = ask(site.proxy.port, PROTOCOLS[caller].path, asking(caller, streamed=True), *HEADERS)
    assert answer.status == 200, answer.body
    assert answer.whole
    said, wholes = read_stream(caller, answer.body)
    texts = [*wholes.values(), *(one for one in said.values() if one)]
    assert len({json.dumps(json.loads(text)) for text in texts}) == 1
    arguments = json.loads(texts[0])
    assert arguments.pop("createdAt")[:2] == "20"
    assert arguments == {**({"id": "7"} if pieces else {}), **FILLED}
    assert answer.field(b"x-fairlead-context") == b"where empty: " + DECLARED
    assert [note for note in site.noted(answer)["notes"] if note.startswith("context")]


@pytest.mark.parametrize("protocol", NAMES)
@pytest.mark.parametrize("streamed", [False, True])
def test_off_is_the_default(filling, protocol, streamed):
    """Nothing is touched: not while it is off, not where no header and no tool gives a reason."""
    site = filling(protocol, context_fill=False)
    body = answering(protocol, "{}")
    sent = stream(STREAMS[protocol]([("get_order", ["{}"])])) if streamed else plain(body)
    before = ask_and_read(site, protocol, sent, asking(protocol, streamed=streamed), *HEADERS)
    assert b"session_id" not in before.body
    assert before.field(b"x-fairlead-context") is None
    site = filling(protocol)
    schema = {"type": "object", "properties": {"id": TEXT, "session_id": {**TEXT, "enum": ["a"]}}}
    other = ask_and_read(site, protocol, sent, asking(protocol, streamed=streamed, schema=schema), *HEADERS)
    schema = {"type": "object", "properties": {"session_id": TEXT}}
    bare = ask_and_read(site, protocol, sent, asking(protocol, streamed=streamed, schema=schema))
    for answer in (other, bare):
        assert (answer.body, answer.field(b"x-fairlead-context")) == (before.body, None)
        assert not [note for note in site.noted(answer)["notes"] if "context" in note]


def ask_and_read(site, protocol, sent, *arguments):
    site.upstreams["beta"].script(sent)
    return ask(site.proxy.port, PROTOCOLS[protocol].path, *arguments)


def test_the_headers_go_upstream_as_before(filling):
    """The setting changes what comes back, and nothing that is sent."""
    seen = []
    for fill in (False, True):
        site = filling("chat", context_fill=fill)
        ask_and_read(site, "chat", plain(answering("chat", "{}")), asking("chat"), *HEADERS)
        [one] = site.upstreams["beta"].seen
        seen.append((sorted(one.lines), one.body))
    assert seen[0] == seen[1]
    assert (b"x-user-id", b"u-2") in seen[0][0]


@pytest.mark.parametrize("streamed", [False, True])
def test_compressed_answers(filling, streamed):
    """They are filled without their coding, which the head then does not name."""
    site = filling("chat")
    site.configure([site.entry("beta", protocols=("chat",))], context_fill=True, ask_identity=False)
    coding = b"Content-Encoding", b"gzip"
    if streamed:
        packed = gzip.compress(b"".join(STREAMS["chat"]([("get_order", ["{}"])])))
        sent = stream_head(coding) + chunk(packed) + END
    else:
        sent = plain(gzip.compress(answering("chat", "{}")), b"200 OK", coding)
    fields = (*HEADERS, (b"Accept-Encoding", b"gzip"))
    answer = ask_and_read(site, "chat", sent, asking("chat", streamed=streamed), *fields)
    assert answer.field(b"content-encoding") is None
    said = [*read_stream("chat", answer.body)[0].values()] if streamed else read_whole("chat", answer.body)
    assert json.loads(said[0])["userId"] == "u-2"


@pytest.mark.parametrize("protocol", NAMES)
def test_a_stream_that_breaks_off_within_null(filling, protocol):
    """What waited reaches the client as it came, and then the error of its protocol."""
    site = filling(protocol)
    events = STREAMS[protocol]([("get_order", ['{"id":"7","userId":n', "ull}"])])
    at = next(at for at, one in enumerate(events) if b":n" in one)
    site.upstreams["beta"].script(stream_head() + b"".join(map(chunk, events[: at + 1])), close)
    answer = ask(site.proxy.port, PROTOCOLS[protocol].path, asking(protocol, streamed=True), *HEADERS)
    sent = b"".join(events[: at + 1])
    assert answer.body.startswith(sent)
    assert stream_error_of(PROTOCOLS[protocol], answer)


def test_errors_are_left_alone(filling):
    """An error that quotes a call is no call."""
    site = filling("chat")
    error = json.dumps(
        {"error": {"message": "no", "tool_calls": [{"function": {"name": "get_order", "arguments": "{}"}}]}}
    )
    answer = ask_and_read(site, "chat", plain(error.encode(), b"400 Bad Request"), asking("chat"), *HEADERS)
    assert (answer.status, answer.body) == (400, error.encode())
    assert answer.field(b"x-fairlead-context") is None


def test_an_answer_of_megabytes(filling):
    """It is filled up to eight megabytes, and passed on as it comes above, which the log says."""
    site = filling("chat")
    for size, filled in ((3 << 20, True), (9 << 20, False)):
        body = answering("chat", json.dumps({"id": "x" * size}))
        answer = ask_and_read(site, "chat", plain(body), asking("chat"), *HEADERS)
        assert (b"session_id" in answer.body[-2000:], answer.body == body) == (filled, not filled)
        notes = [note for note in site.noted(answer)["notes"] if note.startswith("context")]
        assert notes == [NOTE if filled else "context: not filled, as the answer is over 8 MiB"]


@pytest.mark.parametrize("protocol", NAMES)
def test_large_pieces_of_a_stream(filling, protocol):
    """Those that are worked on beside the loop are filled as others are."""
    site = filling(protocol)
    big = json.dumps({"x": [{"a": ']}["{'}] * 40_000, "userId": None})
    events = STREAMS[protocol]([("get_order", [big[:300_000], big[300_000:]])])
    asked = asking(protocol, streamed=True)
    answer = ask_and_read(site, protocol, stream(events), asked, *HEADERS)
    said, wholes = read_stream(protocol, answer.body)
    for text in (said[0], *wholes.values()):
        arguments = json.loads(text)
        assert (arguments["x"], arguments["userId"]) == (json.loads(big)["x"], "u-2")
    assert site.noted(answer)["notes"][-1] == "context: 3 fields filled in get_order (userId, session_id, createdAt)"


@pytest.mark.parametrize("streamed", [False, True])
def test_beside_a_search_of_fairleads_own(filling, engine, streamed):
    """The rounds of a search are one answer, whose calls of the client's own tools are filled; the search is not."""
    engine.default = (plain(FOUND),)
    site = filling("chat", **own_search(engine))
    search = whole(("s1", "web_search", {"query": "cats"}))
    site.upstreams["beta"].script(search)
    site.upstreams["beta"].script(plain(answering("chat", '{"id":"7"}')))
    found = json.loads(asking("messages", streamed=streamed))
    found["tools"].append({"type": "web_search_20250305", "name": "web_search"})
    answer = ask(site.proxy.port, MESSAGES.path, json.dumps(found).encode(), *HEADERS)
    assert asked_engine(engine) == ["cats"]
    if streamed:
        [arguments] = [text for text in read_stream("messages", answer.body)[0].values() if "userId" in text]
    else:
        [arguments] = read_whole("messages", answer.body, kind="tool_use")
    assert json.loads(arguments)["userId"] == "u-2"
    assert answer.body.count(b"userId") == 1


def test_events_pass_at_once(filling):
    """Nothing but a null that is cut in two waits for what comes next."""
    site = filling("chat")
    events = STREAMS["chat"]([("get_order", ['{"id":', '"7"', "}"])])
    more = threading.Event()
    head, tail = b"".join(map(chunk, events[:3])), b"".join(map(chunk, events[3:])) + END
    site.upstreams["beta"].script(stream_head() + head, wait_for(more), tail)
    with Client(site.proxy.port) as client:
        client.send(request(CHAT.path, asking("chat", streamed=True), *HEADERS))
        client.read_until(events[2])
        more.set()
        assert b"userId" in client.answer().body


def test_what_explain_says(filling):
    """Which fields of which tool would be filled and from where, and which not for want of a header; nothing while it
    is off, and nothing of tools without such fields."""
    headers = [("x-session-id", "s"), ("X-User-Id", "u")]
    site = filling("chat")
    for protocol in NAMES:
        found = site.explain(body=asking(protocol), protocol=protocol, headers=headers)
        assert found["edits"][0] == (
            "context: get_order gets session_id from x-session-id, userId from x-user-id, createdAt from the clock "
            "where empty (not channel_id: no usable x-channel-id header)"
        )
        assert "context" not in "".join(site.explain(body=asking(protocol, schema={}), protocol=protocol)["edits"])
    site = filling("chat", context_fill=False)
    assert "context" not in "".join(site.explain(body=asking("chat"), headers=headers)["edits"])


# The official SDKs


@pytest.mark.parametrize("spoken", NAMES)
def test_the_openai_sdk(filling, spoken):
    """Its helpers put the same together from a stream and from a whole answer, in both of its protocols."""
    site = filling(spoken)
    beta = site.upstreams["beta"]
    said = STREAMS[spoken]([("get_order", ['{"id"', ':"7"', "}"])])
    url = f"http://localhost:{site.proxy.port}/v1"
    headers = {"x-session-id": "s", "x-user-id": "u"}
    with openai.OpenAI(base_url=url, api_key="x", max_retries=0, default_headers=headers) as client:
        found = []
        asked = json.loads(asking("chat")) | {"stream": False}
        del asked["stream"]
        beta.script(plain(answering(spoken, '{"id":"7"}')))
        found.append(client.chat.completions.create(**asked).choices[0].message.tool_calls[0].function.arguments)
        beta.script(stream(said))
        with client.chat.completions.stream(**asked) as events:
            message = events.get_final_completion().choices[0].message
        found.append(message.tool_calls[0].function.arguments)
        asked = json.loads(asking("responses"))
        del asked["stream"]
        beta.script(plain(answering(spoken, '{"id":"7"}')))
        found.append(client.responses.create(**asked).output[0].arguments)
        beta.script(stream(said))
        with client.responses.stream(**asked) as events:
            deltas = "".join(one.delta for one in events if one.type == "response.function_call_arguments.delta")
            found += [deltas, events.get_final_response().output[0].arguments]
    for text in found:
        arguments = json.loads(text)
        assert arguments.pop("createdAt")
        assert arguments == {"id": "7", "session_id": "s", "userId": "u"}


@pytest.mark.parametrize("spoken", NAMES)
@pytest.mark.parametrize("pieces", [[], ['{"id"', ':"7"', "}"]], ids=["none", "some"])
def test_the_anthropic_sdk(filling, spoken, pieces):
    """Its helper puts the same together from a stream and from a whole answer."""
    site = filling(spoken)
    beta = site.upstreams["beta"]
    headers = {"x-session-id": "s", "x-user-id": "u"}
    url = f"http://localhost:{site.proxy.port}"
    asked = json.loads(asking("messages"))
    del asked["stream"]
    with anthropic.Anthropic(base_url=url, api_key="x", max_retries=0, default_headers=headers) as client:
        beta.script(plain(answering(spoken, "".join(pieces))))
        found = [client.messages.create(**asked).content[0].input]
        events = STREAMS[spoken]([("get_order", pieces)])
        beta.script(stream(events))
        with client.messages.stream(**asked) as streamed:
            found.append(streamed.get_final_message().content[0].input)
    for arguments in found:
        assert arguments.pop("createdAt")
        assert arguments == {**({"id": "7"} if pieces else {}), "session_id": "s", "userId": "u"}


@pytest.mark.parametrize("streamed", [False, True])
def test_no_session_gets_the_ids_of_another(filling, streamed):
    """Answers that are filled are not kept, though a model's are: an equal request of another session asks anew."""
    kept = ModelOptions(cache_ttl=3600.0, cache_tools=True)
    site = filling("chat", models={"beta:m": kept})
    for session in (b"s-1", b"s-2"):
        answer = stream(STREAMS["chat"]([("get_order", ["{}"])])) if streamed else plain(answering("chat", "{}"))
        site.upstreams["beta"].script(answer)
        asked = asking("chat", streamed=streamed, temperature=0)
        told = ask(site.proxy.port, CHAT.path, asked, (b"x-session-id", session))
        assert session in told.body
        assert told.field(b"x-fairlead-cache") is None
        assert any(note.startswith("answer not kept: its tool calls") for note in site.noted(told)["notes"])
    # Where nothing is filled, they are.
    schema = {"type": "object", "properties": {"id": TEXT}}
    site.upstreams["beta"].script(plain(answering("chat", "{}")))
    asked = asking("chat", schema=schema, temperature=0, seed=int(streamed))
    found = [ask(site.proxy.port, CHAT.path, asked, *HEADERS).field(b"x-fairlead-cache") for _ in range(2)]
    assert found[0] == b"miss"
    assert found[1].startswith(b"hit")
