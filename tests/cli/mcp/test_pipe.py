"""The server as a process: what agents open with, what it prints, and how it ends."""

import json
import os
import signal
import sys

import pytest

from router import __version__

from ..terminals import on_terminal
from .hosts import META, Host

STATELESS = {"_meta": META}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def session(version, client):
    """How a client of a session begins."""
    return (
        "initialize",
        {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": client, "version": "1"}},
    )


# Agent -> its first requests, as they were seen; a method alone has no parameters.
OPENINGS = {
    "claude-code": [("server/discover", STATELESS), ("resources/list", STATELESS), ("tools/list", STATELESS)],
    "copilot": [("server/discover", STATELESS), ("tools/list", STATELESS)],
    "codex": [session("2025-06-18", "codex"), INITIALIZED, ("tools/list", {})],
    "opencode": [session("2025-11-25", "opencode"), INITIALIZED, ("tools/list", {})],
    "qwen-code": [session("2025-11-25", "qwen-code"), INITIALIZED],
    "gemini-cli": [session("2025-06-18", "gemini-cli"), INITIALIZED, ("ping", {})],
    "oldest": [session("2024-11-05", "old"), INITIALIZED, ("tools/list", {}), ("resources/list", {})],
}


@pytest.mark.parametrize("agent", OPENINGS)
def test_agents_open_as_they_do(host, agent):
    """Each request is answered, by its own revision, and nothing else is sent or printed."""
    server = host()
    asked = []
    for number, step in enumerate(OPENINGS[agent]):
        message = (
            step if isinstance(step, dict) else {"jsonrpc": "2.0", "id": number, "method": step[0], "params": step[1]}
        )
        server.write(json.dumps(message).encode() + b"\n")
        asked += [] if isinstance(step, dict) else [(number, *step)]
    for number, method, params in asked:
        answer = server.read()
        assert answer["id"] == number
        assert ("resultType" in answer["result"]) == ("_meta" in params)
        if method == "initialize":
            assert answer["result"]["protocolVersion"] == params["protocolVersion"]
            assert answer["result"]["serverInfo"]["version"] == __version__
        if method == "tools/list":
            assert len(answer["result"]["tools"]) >= 8
    assert server.end() == (b"", b"", 0)


def test_garbage_is_answered_and_the_next_request_too(host):
    """Bytes that are no text, no JSON, no message, and a line of 8 MB."""
    server = host()
    server.write(b"\x00\xff\xfe\n" + b"{" * 70_000 + b"\n" + b"[]\n" + b"GET / HTTP/1.1\r\n\r\n")
    assert [server.read()["error"]["code"] for _ in range(4)] == [-32700, -32700, -32600, -32700]
    server.write(b'{"a":"' + b"x" * (8 << 20) + b'"}\n')
    told = server.read()
    assert (told["id"], told["error"]["code"]) == (None, -32600)
    assert server.ask("ping", stateless=False) == {}
    assert server.end() == (b"", b"", 0)


def test_a_script_gets_what_it_asked_for_before_the_end(host):
    """It may write its questions and close its end, without a last line end."""
    server = host()
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": "config", "arguments": {"key": "port"}},
    }
    server.write(json.dumps(request).encode())
    rest, said, code = server.end()
    [setting] = json.loads(rest)["result"]["structuredContent"]["settings"]
    assert (setting["key"], setting["value"], setting["source"]) == ("port", "3456", "default")
    assert (said, code) == (b"", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_it_ends_with_its_host(host):
    """By a signal; and by itself when nobody reads any more, also with questions left."""
    server = host()
    server.ask("ping", stateless=False)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) != 0
    server = host()
    server.ask("ping", stateless=False)
    server.lines.close()
    try:
        for _ in range(200):
            server.write(b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n')
    except BrokenPipeError:
        pass
    assert server.process.wait(20) == 0


def test_closed_ends_end_it_at_once(fairlead, tmp_path):
    """As a host may start it that forgot its pipes."""
    done = fairlead("mcp")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_what_is_printed_does_not_reach_the_pipe(host, fairlead):
    """Notes about the home go to stderr: a run file of a proxy that does not answer makes one."""
    fairlead("config", "path")
    run = {"pid": os.getpid(), "url": "http://localhost:1", "port": 1, "version": "0.0.1", "started": 1.0}
    folder = fairlead.home / "run"
    folder.mkdir(0o700)
    path = folder / "1.json"
    path.touch(0o600)
    path.write_text(json.dumps({**run, "literal_url": "http://127.0.0.1:1"}))
    server = host()
    assert server.call(
        "models"
    ) == "the running proxy does not answer. The user can restart it: fairlead stop, then " + (
        "fairlead proxy --detach"
    )
    rest, said, code = server.end()
    assert (rest, code) == (b"", 0)
    assert b"does not answer" in said


def test_a_terminal_is_told_how_to_register_it(fairlead):
    """Nobody types JSON there."""
    code, said = on_terminal(fairlead, ["mcp"], [], columns=80)
    assert code == 2
    assert "claude mcp add --scope user fairlead -- fairlead mcp" in said
    assert max(map(len, said.splitlines())) <= 80


def test_arguments_are_refused(fairlead):
    """There are none."""
    assert fairlead("mcp", "--port", "1").code == 2
    assert "usage: fairlead mcp" in fairlead("mcp", "--help").out


def test_two_servers_run_side_by_side(host):
    """Each agent has its own."""
    one, other = host(), host()
    assert one.call("status")["serving"] == other.call("status")["serving"] == "not running"
    assert isinstance(one, Host)
