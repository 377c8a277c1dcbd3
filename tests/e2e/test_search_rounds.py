"""A model whose backend has no search calls fairlead's: the rounds of one answer reach the client as one stream."""

import json
import time

import pytest

from router.settings.kinds import Dollars

from .processes import until
from .samples import MESSAGES, RESPONSES
from .sites import Site
from .test_web_search import FOUND, asked_engine, engine, own_search
from .upstream import chunk, hang, plain, stream, stream_head
from .wire import Client, ask, events, request

__all__ = ["engine"]

LOOK = {"name": "look", "input_schema": {"type": "object", "properties": {}}}
OFFER = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}


def piece(delta, finish=None):
    """One event of a Chat stream."""
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'id': 'c1', 'model': 'm', 'choices': choices})}\n\n".encode()


def calls(*named, said=""):
    """A Chat stream that calls tools: (id, name, arguments) each."""
    entries = [
        {"index": at, "id": one, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for at, (one, name, given) in enumerate(named)
    ]
    pieces = [piece({"role": "assistant", "content": said})] + [piece({"tool_calls": [entry]}) for entry in entries]
    return [*pieces, piece({}, "tool_calls"), *USAGE]


def says(text):
    """A Chat stream of a text."""
    return [piece({"role": "assistant", "content": text}), piece({}, "stop"), *USAGE]


USAGE = [
    b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}\n\n',
    b"data: [DONE]\n\n",
]
SEARCH = ("s1", "web_search", {"query": "cats"})


def asking(**fields):
    """A streamed Messages request that offers a search beside a tool."""
    said = [{"role": "user", "content": "x"}]
    return json.dumps(
        {"model": "beta:m", "max_tokens": 50, "stream": True, "messages": said, "tools": [LOOK, OFFER], **fields}
    ).encode()


def read(answer):
    """The content of a streamed Messages answer, and how it ended."""
    blocks, ending = [], None
    for _, data in events(answer.body):
        one = json.loads(data)
        if one["type"] == "content_block_start":
            blocks.append(dict(one["content_block"]))
        elif one["type"] == "content_block_delta" and "text" in one["delta"]:
            blocks[-1]["text"] += one["delta"]["text"]
        elif one["type"] == "message_delta" or one["type"] == "error":
            ending = one
    return blocks, ending


def sent(site, at):
    """The request that the backend got as its `at`-th."""
    return json.loads(site.upstreams["beta"].seen[at].body)


@pytest.fixture
def searching(site, engine):
    """A Chat backend that has no search, beside an engine that finds."""
    engine.default = (plain(FOUND),)
    site.upstreams["beta"].clear()
    site.configure([site.entry("beta", protocols=("chat",))], **own_search(engine, search_usd_per_1000=Dollars(5)))
    return site


def test_a_search_between_two_requests(searching, engine):
    """Text, search and text are one answer: the backend gets what was found, and the counts are those of both."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    beta.script(stream(says("Cats purr.")))
    answer = ask(searching.proxy.port, MESSAGES.path, asking())
    blocks, ending = read(answer)
    assert [block["type"] for block in blocks] == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert (blocks[0]["text"], blocks[3]["text"]) == ("Let me see.", "Cats purr.")
    assert blocks[2]["content"][0]["url"] == "https://a.com/x"
    assert ending["delta"]["stop_reason"] == "end_turn"
    usage = ending["usage"]
    assert (usage["input_tokens"], usage["output_tokens"]) == (20, 4)
    assert usage["server_tool_use"]["web_search_requests"] == 1
    assert asked_engine(engine) == ["cats"]
    first, second = sent(searching, 0), sent(searching, 1)
    assert [tool["function"]["name"] for tool in first["tools"]] == ["look", "web_search"]
    assert second["tools"] == first["tools"]
    assert [one["role"] for one in second["messages"]] == ["user", "assistant", "tool"]
    assert second["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"query":"cats"}'
    assert "said there" in second["messages"][2]["content"]
    ids = {json.loads(data)["message"]["id"] for _, data in events(answer.body) if b"message_start" in data}
    assert len(ids) == 1
    noted = searching.noted(answer)
    assert (noted["backend"], noted["tokens_in"], noted["tokens_out"], noted["attempts"]) == ("beta", 20, 4, 2)


def test_codex_is_told_of_it(searching):
    """A Responses caller gets an item for the search between two messages."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    beta.script(stream(says("Cats purr.")))
    body = {"model": "beta:m", "input": "x", "store": False, "stream": True, "tools": [{"type": "web_search"}]}
    answer = ask(searching.proxy.port, RESPONSES.path, json.dumps(body).encode())
    final = json.loads(events(answer.body)[-1][1])["response"]
    assert [item["type"] for item in final["output"]] == ["message", "web_search_call", "message"]
    assert final["output"][1]["action"]["query"] == "cats"
    assert final["usage"]["total_tokens"] == 24
    numbers = [json.loads(data)["sequence_number"] for _, data in events(answer.body)]
    assert numbers == list(range(len(numbers)))


def test_rounds_are_bounded(searching, engine):
    """A model that searches for ever is told that no searches are left, and then ended."""
    beta = searching.upstreams["beta"]
    for at in range(6):
        beta.script(stream(calls(("s1", "web_search", {"query": f"cats {at}"}))))
    answer = ask(searching.proxy.port, MESSAGES.path, asking())
    blocks, ending = read(answer)
    assert len(engine.seen) == 3
    assert len(beta.seen) == 6
    assert searching.noted(answer)["tokens_in"] == 60
    assert ending["delta"]["stop_reason"] == "end_turn"
    codes = [block["content"]["error_code"] for block in blocks if isinstance(block.get("content"), dict)]
    assert codes == ["max_uses_exceeded"] * 3
    assert "no more searches" in sent(searching, 5)["messages"][-1]["content"]


def test_a_demand_is_made_once(searching):
    """A forced search is forced in the first request alone, else the model could never answer."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH)))
    beta.script(stream(says("Cats purr.")))
    read(ask(searching.proxy.port, MESSAGES.path, asking(tool_choice={"type": "tool", "name": "web_search"})))
    assert sent(searching, 0)["tool_choice"] == {"type": "function", "function": {"name": "web_search"}}
    assert sent(searching, 1)["tool_choice"] == "auto"


def test_a_search_beside_the_clients_own_tool(searching, engine):
    """The client answers its tool first; with its result the search is back in the conversation."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, ("c1", "look", {}))))
    blocks, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert ending["delta"]["stop_reason"] == "tool_use"
    [call] = [block for block in blocks if block["type"] == "tool_use"]
    assert call["name"] == "look"
    assert [block["type"] for block in blocks].count("web_search_tool_result") == 1
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{**call, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "seen"}]},
    ]
    beta.script(stream(says("Cats purr.")))
    read(ask(searching.proxy.port, MESSAGES.path, asking(messages=history)))
    messages = sent(searching, 1)["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant", "tool", "tool"]
    called = [one["function"]["name"] for one in messages[1]["tool_calls"]]
    assert called == ["look", "web_search"]
    assert {one["tool_call_id"] for one in messages[2:]} == {one["id"] for one in messages[1]["tool_calls"]}
    assert any("said there" in one["content"] for one in messages[2:])
    assert len(engine.seen) == 1


@pytest.mark.parametrize("script", [plain(b'{"error":{"message":"too much"}}', b"429 Too Many Requests"), None])
def test_a_round_that_fails_is_an_error_of_the_stream(searching, script):
    """What was sent stays; the stream never ends as if it were whole."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    beta.script(script) if script else beta.script(stream_head(), chunk(piece({"content": "Cats"})))
    with Client(searching.proxy.port) as client:
        client.send(request(MESSAGES.path, asking()))
        if script is None:
            client.read_until(b"Cats")
            beta.hang_up()
        answer = client.answer()
    blocks, ending = read(answer)
    assert ending["type"] == "error"
    assert blocks[0]["text"] == "Let me see."


def test_a_round_that_is_too_long(searching):
    """What was found may be too much for the model: the client is told in its own words. The limit is not learned: a
    page that was found may have said it."""
    beta = searching.upstreams["beta"]
    said = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens."
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    body = json.dumps({"error": {"message": said, "code": "context_length_exceeded"}}).encode()
    head = f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    beta.script(head.encode() + body[:40], lambda _: time.sleep(0.05), body[40:])
    _, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert ending["error"]["type"] == "invalid_request_error"
    assert ending["error"]["message"].startswith("prompt is too long: 9001 tokens > 8192 maximum")
    limits = searching.proxy.serving.runtime.learned_limits
    assert limits.learned("beta", "m") is None


def leave_while(searching, waiting, requests):
    """Leave once the silent one has got so many requests; it must see its connection end."""
    searching.upstreams["beta"].script(stream(calls(SEARCH, said="Let me see.")))
    searching.upstreams["beta"].default = (hang,)
    with Client(searching.proxy.port) as client:
        client.send(request(MESSAGES.path, asking()))
        waiting.wait(lambda up: len(up.seen) == requests)
    waiting.wait(lambda up: up.left == 1)


def test_a_client_that_leaves_ends_a_search(searching, engine):
    """The engine is not left waiting."""
    engine.default = (hang,)
    leave_while(searching, engine, 1)


def test_a_client_that_leaves_ends_a_round(searching):
    """Nor is the backend, asked for the second time."""
    leave_while(searching, searching.upstreams["beta"], 2)


def whole(*named, said="", stop="stop"):
    """A whole Chat answer, of a text and calls of tools: (id, name, arguments) each."""
    entries = [
        {"id": one, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for one, name, given in named
    ]
    message = {"role": "assistant", "content": said, **({"tool_calls": entries} if entries else {})}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if entries else stop}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
    return plain(json.dumps({"id": "c1", "model": "m", "choices": [choice], "usage": usage}).encode())


def test_a_stream_that_is_answered_whole_goes_on(searching, engine):
    """A backend that answers a stream with JSON: the rounds are joined, and the client gets its stream."""
    beta = searching.upstreams["beta"]
    beta.script(whole(SEARCH, said="Let me see."))
    beta.script(stream(says("Cats purr.")))
    blocks, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert [block["type"] for block in blocks] == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert (ending["delta"]["stop_reason"], ending["usage"]["output_tokens"]) == ("end_turn", 4)
    assert len(engine.seen) == 1


def test_a_round_of_a_stream_that_is_answered_whole_goes_on(searching, engine):
    """A backend that answers later rounds with JSON: they are part of the stream, searches and counts too."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    beta.script(whole(("s1", "web_search", {"query": "dogs"}), said="More."))
    beta.script(whole(said="Cats purr."))
    answer = ask(searching.proxy.port, MESSAGES.path, asking())
    blocks, ending = read(answer)
    search = ["server_tool_use", "web_search_tool_result"]
    assert [block["type"] for block in blocks] == ["text", *search, "text", *search, "text"]
    assert [block["text"] for block in blocks if block["type"] == "text"] == ["Let me see.", "More.", "Cats purr."]
    assert (ending["delta"]["stop_reason"], ending["usage"]["input_tokens"]) == ("end_turn", 30)
    assert asked_engine(engine) == ["cats", "dogs"]
    noted = searching.noted(answer)
    assert (noted["tokens_in"], noted["tokens_out"], noted["attempts"]) == (30, 6, 3)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (plain(b'{"error":{"message":"too much"}}'), "too much"),
        (plain(b'{"hello":1}'), "not a valid OpenAI Chat answer"),
        (plain(b"zz", b"200 OK", (b"Content-Encoding", b"zip")), "content coding"),
    ],
)
def test_a_round_that_is_answered_whole_and_wrongly(searching, script, said):
    """The stream ends with an error that says what came."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, said="Let me see.")))
    beta.script(script)
    blocks, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert (ending["type"], blocks[0]["text"]) == ("error", "Let me see.")
    assert said in ending["error"]["message"]


def test_a_backend_of_openais_that_speaks_chat_alone(site, engine):
    """Its web search is a tool of Responses, so that fairlead searches for it."""
    engine.default = (plain(FOUND),)
    beta = site.upstreams["beta"]
    beta.clear()
    site.configure([site.entry("beta", protocols=("chat",), vendor="openai")], **own_search(engine))
    beta.script(stream(calls(SEARCH)))
    beta.script(stream(says("Cats purr.")))
    forced = asking(tools=[OFFER], tool_choice={"type": "tool", "name": "web_search"})
    blocks, _ = read(ask(site.proxy.port, MESSAGES.path, forced))
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result", "text"]
    assert asked_engine(engine) == ["cats"]


def test_the_same_search_is_made_once(searching, engine):
    """A model that asks again is told that it has the results; the client is told of one search."""
    beta = searching.upstreams["beta"]
    beta.script(stream(calls(SEARCH, ("s2", "web_search", {"query": " Cats "}))))
    beta.script(stream(calls(SEARCH)))
    beta.script(stream(says("Cats purr.")))
    blocks, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result", "text"]
    assert ending["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert len(engine.seen) == 1
    assert "was made before" in sent(searching, 1)["messages"][-1]["content"]
    assert "was made before" in sent(searching, 2)["messages"][-1]["content"]


def test_each_search_is_in_the_history(tmp_path, engine):
    """As a request of its own with the engine as its account; its price counts for the guard before the next."""
    own = Site(tmp_path)
    try:
        budget = {"guard_day_usd": Dollars(0.009), "search_usd_per_1000": Dollars(5)}
        own.configure([own.entry("beta", protocols=("chat",))], **own_search(engine, **budget))
        engine.default = (plain(FOUND),)
        for at in range(20):
            own.upstreams["beta"].script(stream(calls(("s1", "web_search", {"query": f"cats {at}"}))))
        assert ask(own.proxy.port, MESSAGES.path, asking()).status == 200
        assert until(lambda: ask(own.proxy.port, MESSAGES.path, asking()).status == 402)
        assert len(engine.seen) <= 4
        rows = own.proxy.serving.runtime.recorder.recent
        searches = [row for row in rows if row.backend == "web search"]
        assert {(row.account, row.charge, row.attempts) for row in searches if row.status == 200} == {
            ("searxng", 5_000_000, 1)
        }
        assert all("-s" in row.id for row in searches)
    finally:
        own.stop()
