"""Searches of fairlead's in answers that come whole: the rounds reach the client as one answer."""

import json

from .samples import CHAT, MESSAGES, RESPONSES
from .sites import Site
from .test_search_rounds import SEARCH, asking, read, says, searching, sent, whole
from .test_web_search import FOUND, asked_engine, engine, own_search
from .upstream import hang, plain, stream
from .wire import Client, ask, request

__all__ = ["engine", "searching"]


def test_a_search_that_is_not_wanted_costs_nothing(searching, engine):
    """The model need not search; a plain request is as before."""
    beta = searching.upstreams["beta"]
    beta.script(stream(says("Cats purr.")))
    blocks, ending = read(ask(searching.proxy.port, MESSAGES.path, asking()))
    assert ([block["type"] for block in blocks], len(beta.seen)) == (["text"], 1)
    assert "server_tool_use" not in ending["usage"]
    beta.script(plain(CHAT.whole))
    answer = ask(searching.proxy.port, MESSAGES.path, asking(stream=False))
    assert [block["type"] for block in json.loads(answer.body)["content"]] == ["text"]
    assert engine.seen == []


def test_a_caller_that_wants_no_stream_gets_one_answer(searching, engine):
    """The rounds of a whole answer: its texts and the search in order, the counts of both requests."""
    beta = searching.upstreams["beta"]
    beta.script(whole(SEARCH, said="Let me see."))
    beta.script(whole(said="Cats purr."))
    answer = ask(searching.proxy.port, MESSAGES.path, asking(stream=False))
    assert answer.status == 200
    said = json.loads(answer.body)
    blocks = said["content"]
    assert [block["type"] for block in blocks] == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert (blocks[0]["text"], blocks[3]["text"], said["stop_reason"]) == ("Let me see.", "Cats purr.", "end_turn")
    assert (said["usage"]["input_tokens"], said["usage"]["output_tokens"]) == (20, 4)
    assert said["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert asked_engine(engine) == ["cats"]
    second = sent(searching, 1)
    assert "stream" not in second or second["stream"] is False
    assert "said there" in second["messages"][2]["content"]
    noted = searching.noted(answer)
    assert (noted["backend"], noted["tokens_in"], noted["tokens_out"], noted["attempts"]) == ("beta", 20, 4, 2)


def test_codex_gets_a_whole_answer_too(searching):
    """A Responses caller without a stream: one response with an item for the search."""
    beta = searching.upstreams["beta"]
    beta.script(whole(SEARCH, said="Let me see."))
    beta.script(whole(said="Cats purr."))
    body = {"model": "beta:m", "input": "x", "store": False, "tools": [{"type": "web_search"}]}
    final = json.loads(ask(searching.proxy.port, RESPONSES.path, json.dumps(body).encode()).body)
    assert [item["type"] for item in final["output"]] == ["message", "web_search_call", "message"]
    assert (final["status"], final["usage"]["total_tokens"]) == ("completed", 24)


def test_the_rounds_of_a_whole_answer_are_bounded(searching, engine):
    """As those of a stream, and each request counts."""
    beta = searching.upstreams["beta"]
    beta.default = (whole(("s1", "web_search", {"query": "cats"}), ("s2", "web_search", {"query": "dogs"})),)
    answer = ask(searching.proxy.port, MESSAGES.path, asking(stream=False))
    assert json.loads(answer.body)["stop_reason"] == "end_turn"
    assert len(beta.seen) == 6
    assert asked_engine(engine) == ["cats", "dogs"]
    assert searching.noted(answer)["tokens_in"] == 60


def test_a_search_beside_the_clients_own_tool_in_a_whole_answer(searching, engine):
    """The client's tool is handed out at once, and the search made for the next turn."""
    beta = searching.upstreams["beta"]
    beta.script(whole(SEARCH, ("c1", "look", {})))
    said = json.loads(ask(searching.proxy.port, MESSAGES.path, asking(stream=False)).body)
    assert said["stop_reason"] == "tool_use"
    assert [block["name"] for block in said["content"] if block["type"] == "tool_use"] == ["look"]
    assert (len(engine.seen), len(beta.seen)) == (1, 1)


def test_a_later_error_of_a_whole_answer_is_the_answer(searching):
    """Nothing was sent yet, so that it keeps its status; what was used before it counts."""
    beta = searching.upstreams["beta"]
    beta.script(whole(SEARCH))
    beta.default = (plain(b'{"error":{"message":"too much"}}', b"400 Bad Request"),)
    answer = ask(searching.proxy.port, MESSAGES.path, asking(stream=False))
    assert (answer.status, json.loads(answer.body)["type"]) == (400, "error")
    assert "too much" in json.loads(answer.body)["error"]["message"]
    assert searching.noted(answer)["tokens_in"] == 10


def test_a_limit_that_a_later_round_meets_parks_the_account(tmp_path, engine):
    """It is a limit like that of a first request: the client is told when to come back."""
    own = Site(tmp_path)
    try:
        own.configure([own.entry("beta", protocols=("chat",))], queue_timeout=0, **own_search(engine))
        engine.default = (plain(FOUND),)
        beta = own.upstreams["beta"]
        beta.script(whole(SEARCH))
        limit = (b"Retry-After", b"7000")
        beta.default = (plain(b'{"error":{"message":"too much"}}', b"429 Too Many Requests", limit),)
        answer = ask(own.proxy.port, MESSAGES.path, asking(stream=False))
        assert (answer.status, json.loads(answer.body)["error"]["type"]) == (429, "rate_limit_error")
        again = ask(own.proxy.port, MESSAGES.path, asking(stream=False))
        assert (again.status, len(beta.seen)) == (429, 2)
    finally:
        own.stop()


def test_a_client_that_leaves_ends_the_rounds_of_a_whole_answer(searching, engine):
    """Neither engine nor backend is left waiting."""
    engine.default = (hang,)
    searching.upstreams["beta"].script(whole(SEARCH))
    with Client(searching.proxy.port) as client:
        client.send(request(MESSAGES.path, asking(stream=False)))
        engine.wait(lambda up: len(up.seen) == 1)
    engine.wait(lambda up: up.left == 1)
