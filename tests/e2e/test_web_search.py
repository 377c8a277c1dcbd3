"""Web searches end to end: sent where there is a search, answered by fairlead itself with the engine that the user
named, and by nobody where none is named."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from router.settings.kinds import Dollars, Secret
from router.settings.tables import BackendOptions, Condition, Rule

from .processes import until
from .samples import CHAT, MESSAGES, RESPONSES
from .sites import Site
from .upstream import Upstream, hang, plain, stream
from .wire import Client, ask, events, request

AS_CLAUDE_CODE = ((b"x-claude-code-session-id", b"s1"), (b"x-app", b"cli"), (b"anthropic-version", b"2023-06-01"))
TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8, "blocked_domains": ["c.com"]}
PAGE = {"url": "https://a.com/x", "title": "A\u202e title", "content": "said\x1b there"}
FOUND = json.dumps({"results": [PAGE, {"url": "javascript:x", "title": "no"}]}).encode()


def searching(model, *, streamed=True, query="cats & dogs", **fields):
    """The request that Claude Code makes for one search."""
    text = f"Perform a web search for the query: {query}"
    asked = {"model": model, "max_tokens": 50, "stream": streamed, "tools": [TOOL]}
    asked["messages"] = [{"role": "user", "content": [{"type": "text", "text": text}]}]
    return json.dumps({**asked, "tool_choice": {"type": "tool", "name": "web_search"}, **fields}).encode()


def searched(body):
    """The content of a streamed answer to a search, block by block, and its last usage."""
    blocks, usage = [], None
    for _, data in events(body):
        one = json.loads(data)
        if one["type"] == "content_block_start":
            blocks.append(one["content_block"])
        elif one["type"] == "content_block_delta":
            part = one["delta"]
            blocks[-1]["text" if "text" in part else "input"] = part.get("text") or json.loads(part["partial_json"])
        elif one["type"] == "message_delta":
            usage = one["usage"]
    return blocks, usage


def answer_of_responses():
    """A Responses stream with a search and a text that cites a page."""
    call = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    call["action"] = {"type": "search", "query": "cats & dogs"}
    cited = {"type": "url_citation", "url": "https://a.com/x", "title": "A", "start_index": 0, "end_index": 2}
    part = {"type": "output_text", "text": "So.", "annotations": [cited]}
    message = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
    head = {"id": "resp_1", "object": "response", "created_at": 7, "model": "m"}
    usage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    payloads = (
        {"type": "response.created", "response": {**head, "status": "in_progress", "output": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": call},
        {"type": "response.output_item.done", "output_index": 1, "item": message},
        {
            "type": "response.completed",
            "response": {**head, "status": "completed", "output": [call, message], "usage": usage},
        },
    )
    return [f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in payloads]


@pytest.fixture
def engine():
    """A scripted search engine."""
    listening = Upstream()
    yield listening
    listening.stop()


def own_search(engine, provider="searxng", **fields):
    """Settings that name the scripted engine."""
    address = engine.root.removesuffix("/v1")
    return {"search_provider": provider, "search_base_url": address, **fields}


def ask_search(site, model="beta:shared", **fields):
    return ask(site.proxy.port, MESSAGES.path, searching(model, **fields), *AS_CLAUDE_CODE)


def asked_engine(engine):
    """The queries that the engine was asked for."""
    return [parse_qs(urlsplit(seen.line.split()[1].decode()).query)["q"][0] for seen in engine.seen]


# Where there is a search


def test_a_responses_backend_searches_for_claude_code(site):
    """The links of what it cites come back as a result; how often it searched is counted."""
    options = {"beta": BackendOptions(profile={"search_tool": "responses"})}
    site.configure([site.entry("beta", protocols=("responses",))], backends=options)
    site.upstreams["beta"].default = (stream(answer_of_responses()),)
    answer = ask_search(site)
    blocks, usage = searched(answer.body)
    [seen] = site.upstreams["beta"].seen
    sent = json.loads(seen.body)
    assert (sent["tools"], sent["tool_choice"]) == ([{"type": "web_search"}], {"type": "web_search"})
    assert [block["type"] for block in blocks] == ["server_tool_use", "text", "web_search_tool_result"]
    assert [(page["title"], page["url"]) for page in blocks[2]["content"]] == [("A", "https://a.com/x")]
    assert usage["server_tool_use"]["web_search_requests"] == 1
    assert b"blocked_domains" in answer.field(b"x-fairlead-loss")


@pytest.mark.parametrize("table", [True, False], ids=["server_tools", "when.server_tool"])
def test_a_request_for_nothing_but_a_search_goes_where_one_is(site, table):
    """The table and the condition do the same; a request that has other tools too stays where it was."""
    rule = Rule(name="web", when=Condition(server_tool="web_search"), backend="alpha", model="m")
    tables = {"server_tools": {"web_search": "alpha:m"}} if table else {"routes": (rule,)}
    entries = [site.entry("alpha", protocols=("messages",)), site.entry("beta", protocols=("messages",))]
    site.configure(entries, **tables)
    for up in site.upstreams.values():
        up.default = (plain(MESSAGES.whole),)
    other = {"name": "look", "input_schema": {"type": "object"}}
    asked = searching("shared", streamed=False)
    assert ask(site.proxy.port, MESSAGES.path, asked).field(b"x-fairlead-backend") == b"alpha"
    assert site.upstreams["alpha"].seen[0].body == asked.replace(b'"shared"', b'"m"')
    both = searching("shared", streamed=False, tools=[TOOL, other])
    kept = ask(site.proxy.port, MESSAGES.path, both)
    assert site.explain(body=both, path=MESSAGES.path)["backend"] == kept.field(b"x-fairlead-backend").decode()
    assert all(seen.body != both.replace(b'"shared"', b'"m"') for seen in site.upstreams["alpha"].seen)


def test_a_search_that_is_only_offered_is_asked_for_where_the_user_sends_it(site):
    """The table says that the user wants it: an offer among none is not left out there."""
    options = {"alpha": BackendOptions(profile={"search_tool": "responses"})}
    entries = [site.entry("alpha", protocols=("responses",)), site.entry("beta", protocols=("messages",))]
    site.configure(entries, server_tools={"web_search": "alpha:m"}, backends=options)
    site.upstreams["alpha"].default = (stream(answer_of_responses()),)
    body = searching("beta-model", tool_choice={"type": "auto"}, tools=[TOOL])
    site.configure(entries, server_tools={"web_search": "alpha:m"}, backends=options, default_backend="beta")
    assert ask(site.proxy.port, MESSAGES.path, body).status == 200
    assert json.loads(site.upstreams["alpha"].seen[0].body)["tools"] == [{"type": "web_search"}]


@pytest.mark.parametrize("protocol", [MESSAGES, CHAT], ids=lambda protocol: protocol.name)
@pytest.mark.parametrize("table", [True, False], ids=["server_tools", "when.server_tool"])
def test_a_rule_for_searches_wins_over_the_engine(site, engine, table, protocol):
    """The backend that the user named gets Claude Code's search; the engine only makes those its model asks for."""
    rule = Rule(name="web", when=Condition(server_tool="web_search"), backend="alpha", model="m")
    tables = {"server_tools": {"web_search": "alpha:m"}} if table else {"routes": (rule,)}
    entries = [site.entry("alpha", protocols=(protocol.name,)), site.entry("beta", protocols=("chat",))]
    site.configure(entries, **tables, **own_search(engine))
    alpha = site.upstreams["alpha"]
    alpha.clear()
    alpha.default = (plain(protocol.whole),)
    body = searching("shared", streamed=False)
    answer = ask(site.proxy.port, MESSAGES.path, body, *AS_CLAUDE_CODE)
    assert (answer.status, answer.field(b"x-fairlead-backend")) == (200, b"alpha")
    [seen] = alpha.seen
    sent = json.loads(seen.body)
    if protocol is MESSAGES:
        assert sent["tools"] == [TOOL]
    else:
        assert [tool["function"]["name"] for tool in sent["tools"]] == ["web_search"]
    assert engine.seen == []
    assert site.explain(body=body, path=MESSAGES.path)["backend"] == "alpha"


# fairlead's own search


@pytest.mark.parametrize("protocol", [CHAT, RESPONSES, MESSAGES], ids=lambda protocol: protocol.name)
def test_claude_codes_search_is_answered_here(site, engine, protocol):
    """No backend is asked: the engine finds, and its results are blocks and a text that hide nothing."""
    site.configure(
        [site.entry("beta", protocols=(protocol.name,))],
        **own_search(engine, search_usd_per_1000=Dollars(5), history_capture=False),
    )
    engine.default = (plain(FOUND),)
    answer = ask_search(site)
    blocks, usage = searched(answer.body)
    assert (answer.status, answer.field(b"content-type")) == (200, b"text/event-stream; charset=utf-8")
    assert [block["type"] for block in blocks] == ["server_tool_use", "web_search_tool_result", "text"]
    assert blocks[0]["input"] == {"query": "cats & dogs"}
    assert [(page["title"], page["url"]) for page in blocks[1]["content"]] == [("A title", "https://a.com/x")]
    assert "said there" in blocks[2]["text"]
    assert "javascript" not in answer.body.decode()
    assert usage["server_tool_use"]["web_search_requests"] == 1
    assert asked_engine(engine) == ["cats & dogs -site:c.com"]
    assert site.upstreams["beta"].seen == []
    assert (answer.field(b"x-fairlead-backend"), answer.field(b"x-fairlead-account")) == (b"web search", b"searxng")
    noted = site.noted(answer)
    assert (noted["backend"], noted["account"], noted["tokens_in"], noted["status"]) == (
        "web search",
        "searxng",
        0,
        200,
    )


def test_a_whole_answer_and_another_wording(site, engine):
    """A request without a stream gets JSON; one with other words is searched for as it is."""
    site.configure([site.entry("beta", protocols=("chat",))], **own_search(engine))
    engine.default = (plain(FOUND),)
    body = searching("beta:shared", streamed=False).replace(b"Perform a web search for the query: ", b"Find ")
    answer = ask(site.proxy.port, MESSAGES.path, body, *AS_CLAUDE_CODE)
    kinds = [block["type"] for block in answer.json()["content"]]
    assert kinds == ["server_tool_use", "web_search_tool_result", "text"]
    assert asked_engine(engine) == ["Find cats & dogs -site:c.com"]


def test_a_backend_that_searches_is_asked_first(site, engine):
    """The engine is for backends that have no search."""
    options = {"beta": BackendOptions(profile={"search_tool": "responses"})}
    site.configure([site.entry("beta", protocols=("responses",))], backends=options, **own_search(engine))
    site.upstreams["beta"].default = (stream(answer_of_responses()),)
    assert ask_search(site).field(b"x-fairlead-backend") == b"beta"
    assert engine.seen == []


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (plain(b"busy", b"429 Too Many Requests"), "too_many_requests"),
        (plain(b"no", b"500 Oops"), "unavailable"),
        (plain(b"{}"), "unavailable"),
        (plain(b"", b"302 Found", (b"Location", b"http://127.0.0.1:1/")), "unavailable"),
    ],
)
def test_a_search_that_fails_is_an_error_of_the_result(site, engine, script, code):
    """Claude Code shows its code and goes on; a redirect is not followed."""
    site.configure([site.entry("beta", protocols=("chat",))], **own_search(engine))
    engine.default = (script,)
    answer = ask_search(site)
    blocks, usage = searched(answer.body)
    assert blocks[1]["content"] == {"type": "web_search_tool_result_error", "error_code": code}
    assert "server_tool_use" not in usage
    noted = site.noted(answer)
    assert noted["error"] == "search_failed"


def test_the_key_goes_to_the_engine_alone(site, engine):
    """In its header; neither the answer nor the log has it, whatever the engine repeats."""
    key = "tvly-secret-0123456789abcdef"
    site.configure([site.entry("beta", protocols=("chat",))], **own_search(engine, "tavily", search_key=Secret(key)))
    engine.default = (plain(json.dumps({"error": f"bad key {key}"}).encode(), b"401 Unauthorized"),)
    answer = ask_search(site)
    [seen] = engine.seen
    assert seen.field(b"authorization") == b"Bearer " + key.encode()
    assert seen.field(b"x-claude-code-session-id") is None
    assert key not in answer.body.decode() + json.dumps(site.noted(answer))


def test_a_client_that_leaves_ends_the_search(site, engine):
    """Nothing is left behind at the engine."""
    site.configure([site.entry("beta", protocols=("chat",))], **own_search(engine))
    engine.default = (hang,)
    with Client(site.proxy.port) as client:
        client.send(request(MESSAGES.path, searching("beta:shared"), *AS_CLAUDE_CODE))
        engine.wait(lambda up: len(up.seen) == 1)
    engine.wait(lambda up: up.left == 1)


@pytest.mark.parametrize("named", [True, False], ids=["other requests", "unset"])
def test_no_engine_is_asked(site, engine, named):
    """Unset, none is ever contacted, whatever is asked; set, only for searches that a request consists of."""
    tables = own_search(engine) if named else {"search_base_url": engine.root.removesuffix("/v1")}
    site.configure([site.entry("beta", protocols=("chat",))], **tables)
    other = {"name": "look", "input_schema": {"type": "object"}}
    bodies = [
        searching("beta:shared", streamed=False, tools=[TOOL, other], tool_choice={"type": "auto"}),
        searching("beta:shared", streamed=False, tools=[]),
        *([] if named else [searching("beta:shared", streamed=False)]),
    ]
    for body in bodies:
        site.upstreams["beta"].default = (plain(CHAT.whole),)
        ask(site.proxy.port, MESSAGES.path, body, *AS_CLAUDE_CODE)
    codex = {"model": "beta:shared", "input": "x", "store": False, "tools": [{"type": "web_search"}]}
    ask(site.proxy.port, RESPONSES.path, json.dumps(codex).encode())
    assert (engine.accepted, engine.seen) == (0, [])


def test_the_guard_counts_a_search(tmp_path, engine):
    """A budget that a search uses up stops the next one before the engine is asked."""
    own = Site(tmp_path)
    try:
        budget = {"guard_day_usd": Dollars(0.004), "search_usd_per_1000": Dollars(5)}
        own.configure([own.entry("beta", protocols=("chat",))], **own_search(engine, **budget))
        engine.default = (plain(FOUND),)
        assert ask_search(own).status == 200
        assert until(lambda: ask_search(own).status == 402)
        asked = len(engine.seen)
        assert ask_search(own).status == 402
        assert len(engine.seen) == asked
    finally:
        own.stop()
