"""`fairlead demo`: answers over real sockets, checked."""

import json
import re
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio

from router.cli.demo.requests import pair_protocols, send_requests
from router.wire.protocols import BY_NAME


def test_demo_answers_in_each_protocol(fairlead):
    """On a fresh machine one command shows an answer in each protocol and a tool call, and exits 0."""
    code, out, err = fairlead("demo", "--once", "--port", "0")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"fairlead \S+   http://localhost:\d+   demo backend, no key needed", lines[0])
    for line, label, title in zip(
        lines[2:5],
        ["messages", "chat", "responses"],
        ["Anthropic Messages", "OpenAI Chat", "OpenAI Responses"],
        strict=True,
    ):
        assert re.match(
            rf'  {label} +demo +"Hello from fairlead, over {title}" + +\d+ events +\d+ ms( to first byte)?$', line
        )
    translated = lines[5:-2]
    for line, (asked, spoken) in zip(translated, pair_protocols(BY_NAME), strict=True):
        about = f"from {asked.title} to {spoken.title}"
        assert re.match(
            rf'  {asked.label}->{spoken.label} +demo +"Hello from fairlead, {about}" +\d+ events +\d+ ms$', line
        )
    assert len({line.index("events") for line in lines[2:-2]}) == 1
    assert re.fullmatch(
        r'  tools +demo-tools   called get_weather\(city="Turin"\), finished after its result', lines[-2]
    )


def test_demo_works_where_a_key_is_asked(fairlead):
    """Where clients must send a key, the demo sends it, and prints none."""
    code, out, _ = fairlead("demo", "--once", "--port", "0", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_DEMO="off")
    assert code == 0
    assert (fairlead.home / "client.key").read_text().strip() not in out


def test_demo_keeps_serving(fairlead):
    """Without --once it goes on serving and says how to point a tool at it, and how to add a backend."""
    process = fairlead.start("demo", "--port", "0")
    text = "\n".join(process.lines)
    assert "Point a tool here:" in text
    assert "Add a real backend:   fairlead backend add anthropic --key-stdin" in text
    assert fairlead("stop").code == 0
    assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="ports are taken otherwise there")
def test_taken_port(fairlead):
    """The usual port taken: a free one is used. A port that was asked for taken: an error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        code, out, _ = fairlead("demo", "--once", FAIRLEAD_PORT=port)
        assert code == 0
        assert f":{port} " not in out
        code, _, err = fairlead("demo", "--once", "--port", port)
        assert code == 1
        assert f"port {port} is taken" in err
        assert "fairlead demo --port" in err


class Wrong(BaseHTTPRequestHandler):
    """Answers each request with the body its server was given."""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        status, body = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing."""


@pytest.fixture
def wrong():
    with ThreadingHTTPServer(("127.0.0.1", 0), Wrong) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def event(data, name=""):
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()


@pytest.mark.parametrize(
    "answer",
    [
        (500, b'{"error":{"message":"no"}}'),
        (200, b""),
        (200, b"data: nonsense\n\n"),
        (200, event({"type": "message_stop"}, "message_stop")),
        (200, event({"choices": []}) + event("[DONE]")),
        (200, event({"no": "choices"}) + event("[DONE]")),
        (200, event({}, "content_block_delta") + event({}, "message_stop")),
        (200, event({"type": "response.completed"}, "response.completed")),
    ],
)
def test_wrong_answers_are_seen(wrong, answer):
    """An answer that fails, ends early, has another form or another text counts as wrong in every protocol."""
    wrong.answer = answer
    outcomes = trio.run(send_requests, f"http://127.0.0.1:{wrong.server_port}", None)
    assert [(outcome.label, outcome.ok) for outcome in outcomes] == [
        ("messages", False),
        ("chat", False),
        ("responses", False),
        ("tools", False),
    ]
    assert all(outcome.said.startswith("wrong: ") for outcome in outcomes)


def test_an_answer_that_was_not_translated(fairlead):
    """A right answer by another way than the one that is shown counts as wrong."""
    process = fairlead.start("proxy", "--port", "0")
    url = re.search(r"http://localhost:\d+", "\n".join(process.lines))[0]
    restricted = {"messages": "demo:", "chat": "demo:"}
    outcomes = trio.run(send_requests, url, None, restricted)
    told = {outcome.label: (outcome.ok, outcome.said) for outcome in outcomes}
    assert told["messages->chat"] == told["chat->messages"] == (False, "wrong: it was not translated")
    assert told["chat"][0]
    assert fairlead("stop").code == 0
    assert process.wait(20) == 0
