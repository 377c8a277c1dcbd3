"""The server between the pipe and the tools: what waits, what does not, and what a defect or a flood leads to."""

import io
import json
import queue
import threading

import pytest

from router.mcp import listing
from router.mcp.protocol import SESSION_VERSIONS
from router.mcp.serve import INSTRUCTIONS, WAITING_LIMIT, Failed, Server, Unknown, serve
from router.mcp.stdio import Pipe

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Sent:
    """In the place of the pipe's end: a queue of the messages."""

    def __init__(self):
        self.open = True
        self.messages = queue.Queue()

    def write(self, message):
        self.messages.put(message)

    def is_read(self):
        return self.open

    def next(self):
        return self.messages.get(timeout=20)


class Scripted:
    """Tools whose calls end when they are told to."""

    def __init__(self):
        self.called = queue.Queue()
        self.results = queue.Queue()

    def call(self, name, arguments):
        self.called.put((name, arguments))
        result = self.results.get(timeout=20)
        if isinstance(result, Exception):
            raise result
        return result

    def read(self, uri):
        return self.call(uri, None)


class Dialogue:
    """A server, and what it sends."""

    def __init__(self):
        self.sent = Sent()
        self.tools = Scripted()
        self.loaded = 0
        self.server = Server(self.sent, self._load)

    def _load(self):
        self.loaded += 1
        return self.tools

    def say(self, method, params=None, id=None, stateless=False):  # noqa: A002
        message = {
            "jsonrpc": "2.0",
            "method": method,
            "params": {**(params or {}), **({"_meta": META} if stateless else {})},
        }
        if id is not None:
            message["id"] = id
        self.server.take(json.dumps(message).encode() + b"\n")

    def ask(self, method, params=None, id=1, stateless=False):  # noqa: A002
        self.say(method, params, id, stateless)
        answer = self.sent.next()
        assert answer["id"] == id
        return answer.get("result", answer.get("error"))


@pytest.fixture
def dialogue():
    """A server with scripted tools."""
    return Dialogue()


@pytest.mark.parametrize("version", [*SESSION_VERSIONS, "2099-01-01"])
def test_a_session_begins(dialogue, version):
    """With the revision that was asked for where it is known, and with what there is."""
    told = dialogue.ask("initialize", {"protocolVersion": version, "capabilities": {}})
    assert told["protocolVersion"] == (version if version in SESSION_VERSIONS else SESSION_VERSIONS[-1])
    assert told["capabilities"] == {"tools": {}, "resources": {}}
    assert told["serverInfo"]["name"] == "fairlead"
    assert told["instructions"] == INSTRUCTIONS
    assert len(INSTRUCTIONS) <= 500
    assert dialogue.ask("ping") == {}


def test_a_stateless_client_is_told_the_stateless_revisions(dialogue):
    """Without a session before it."""
    told = dialogue.ask("server/discover", stateless=True)
    assert told["supportedVersions"] == ["2026-07-28"]
    assert told["resultType"] == "complete"
    assert (told["ttlMs"], told["cacheScope"]) == (3_600_000, "public")


@pytest.mark.parametrize(
    ("method", "stateless"),
    [("initialize", True), ("ping", True), ("prompts/list", False), ("nothing", True), ("logging/setLevel", False)],
)
def test_a_method_that_a_revision_has_not_is_unknown(dialogue, method, stateless):
    """Sessions and pings are of the old revisions alone; prompts and logging are offered to nobody."""
    assert dialogue.ask(method, {"protocolVersion": "2025-11-25"}, stateless=stateless)["code"] == -32601


@pytest.mark.parametrize("stateless", [False, True])
@pytest.mark.parametrize(
    ("method", "field", "entries"),
    [
        ("tools/list", "tools", listing.TOOLS),
        ("resources/list", "resources", listing.RESOURCES),
        ("resources/templates/list", "resourceTemplates", listing.TEMPLATES),
    ],
)
def test_lists_are_whole(dialogue, method, field, entries, stateless):
    """One page, in the same order each time; a cursor of another server is refused."""
    assert dialogue.ask(method, stateless=stateless)[field] == entries
    assert dialogue.ask(method, {"cursor": "x"}, stateless=stateless)["code"] == -32602


@pytest.mark.parametrize(
    "params", [{}, {"name": 1}, {"name": "restart"}, {"name": "__init__"}, {"name": "status", "arguments": []}]
)
def test_a_call_that_names_no_tool_is_refused(dialogue, params):
    """At once, and no tool is loaded for it."""
    assert dialogue.ask("tools/call", params)["code"] == -32602
    assert dialogue.ask("resources/read", {"uri": 1})["code"] == -32602
    assert dialogue.loaded == 0


def test_a_ping_does_not_wait_for_a_tool(dialogue):
    """It is answered while the tool runs; then the tool's answer comes."""
    dialogue.say("tools/call", {"name": "status"}, id="slow")
    assert dialogue.tools.called.get(timeout=20) == ("status", {})
    assert dialogue.ask("ping", id="ping") == {}
    dialogue.tools.results.put({"content": []})
    assert dialogue.sent.next() == {"jsonrpc": "2.0", "id": "slow", "result": {"content": []}}


def test_tools_are_answered_in_order(dialogue):
    """One after the other, loaded once."""
    for number in range(5):
        dialogue.say("tools/call", {"name": "why", "arguments": {"id": str(number)}}, id=number)
        dialogue.tools.results.put({"content": [number]})
    assert [dialogue.sent.next()["id"] for _ in range(5)] == [0, 1, 2, 3, 4]
    assert dialogue.loaded == 1


def test_a_cancelled_call_gets_no_answer(dialogue):
    """Neither one that runs nor one that waits; that one is not even begun."""
    for number in (1, 2, 3):
        dialogue.say("tools/call", {"name": "why", "arguments": {"id": str(number)}}, id=number)
    assert dialogue.tools.called.get(timeout=20)[1] == {"id": "1"}
    dialogue.say("notifications/cancelled", {"requestId": 1})
    dialogue.say("notifications/cancelled", {"requestId": 2})
    for unknown in ({}, {"requestId": []}, {"requestId": "elsewhere"}):
        dialogue.say("notifications/cancelled", unknown)
    for _ in range(2):
        dialogue.tools.results.put({"content": []})
    assert dialogue.sent.next()["id"] == 3
    assert dialogue.tools.called.get(timeout=20)[1] == {"id": "3"}
    assert dialogue.sent.messages.empty()


def test_a_flood_is_refused_beyond_what_may_wait(dialogue):
    """The first are answered all the same, and pings too."""
    for number in range(WAITING_LIMIT + 5):
        dialogue.say("tools/call", {"name": "status"}, id=number)
    refused = [dialogue.sent.next() for _ in range(5)]
    assert [(one["id"], one["error"]["code"]) for one in refused] == [
        (number, -32603) for number in range(WAITING_LIMIT, WAITING_LIMIT + 5)
    ]
    assert dialogue.ask("ping", id="ping") == {}
    for _ in range(WAITING_LIMIT):
        dialogue.tools.results.put({"content": []})
    assert [dialogue.sent.next()["id"] for _ in range(WAITING_LIMIT)] == list(range(WAITING_LIMIT))


def test_an_id_in_use_is_refused(dialogue):
    """Else one of two would never be answered; once it is free it may be used again."""
    dialogue.say("tools/call", {"name": "status"}, id=1)
    dialogue.tools.called.get(timeout=20)
    dialogue.say("tools/call", {"name": "status"}, id=1)
    assert dialogue.sent.next()["error"]["code"] == -32600
    dialogue.tools.results.put({"content": []})
    assert dialogue.sent.next()["result"] == {"content": []}
    dialogue.tools.results.put({"content": ["again"]})
    assert dialogue.ask("tools/call", {"name": "status"}, id=1) == {"content": ["again"]}


def test_a_defect_in_a_tool_costs_one_answer(dialogue):
    """It is told without its text, which may hold anything, and the next call is answered."""
    dialogue.tools.results.put(KeyError("sk-secret"))
    told = dialogue.ask("tools/call", {"name": "status"})
    assert told == {"code": -32603, "message": "A defect of fairlead: KeyError"}
    dialogue.tools.results.put({"content": []})
    assert dialogue.ask("tools/call", {"name": "status"}) == {"content": []}


@pytest.mark.parametrize(("stateless", "code"), [(False, -32002), (True, -32602)])
def test_a_resource_that_is_not_there(dialogue, stateless, code):
    """By the code of the request's revision, with its address."""
    dialogue.tools.results.put(Unknown())
    told = dialogue.ask("resources/read", {"uri": "fairlead://nothing"}, stateless=stateless)
    assert (told["code"], told["data"]) == (code, {"uri": "fairlead://nothing"})
    dialogue.tools.results.put(Failed("no proxy"))
    assert dialogue.ask("resources/read", {"uri": "fairlead://status"})["message"] == "no proxy"
    dialogue.tools.results.put("{}")
    content = dialogue.ask("resources/read", {"uri": "fairlead://status"}, stateless=stateless)["contents"]
    assert content == [{"uri": "fairlead://status", "mimeType": "application/json", "text": "{}"}]


def test_blank_lines_and_unknown_notifications_are_passed_over(dialogue):
    """And a line that is too long is refused, once."""
    for line in (b"\n", b"  \r\n", b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'):
        dialogue.server.take(line)
    assert dialogue.sent.messages.empty()
    dialogue.server.take(None)
    assert dialogue.sent.next() == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "A message has at most 1048576 bytes."},
    }


def test_what_was_asked_before_the_end_is_answered():
    """A script may write its questions and close its end."""
    tools, sent = Scripted(), Sent()
    tools.results.put({"content": ["late"]})
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status"}}).encode()
    serve(Pipe(io.BytesIO(line), sent), lambda: tools)
    assert sent.messages.get_nowait()["result"] == {"content": ["late"]}


def test_nothing_is_waited_for_once_nobody_reads():
    """A host that has gone leaves no process behind, whatever a tool still does."""
    tools, sent = Scripted(), Sent()
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "status"}}).encode()
    lines = io.BytesIO(line + b"\n")
    sent.is_read = lambda: False
    thread = threading.Thread(target=serve, args=(Pipe(lines, sent), lambda: tools))
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert sent.messages.empty()
    tools.results.put({})


def test_no_line_is_read_after_the_output_has_closed():
    """It could not be answered."""
    sent = Sent()
    sent.open = False
    lines = io.BytesIO(b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n' * 2)
    serve(Pipe(lines, sent), Scripted)
    assert sent.messages.qsize() == 1
