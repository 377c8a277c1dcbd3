"""`fairlead demo`: answers over real sockets, checked."""

import json
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trio

from router.cli.demo import screen
from router.cli.demo.requests import Outcome, send_requests
from router.store.home import run_files
from router.store.home.home import open_home
from router.wire.protocols import BY_NAME

from ...e2e.wire import ask
from ...patience import PATIENCE


def test_demo_answers_in_each_protocol(fairlead):
    """On a fresh machine one command shows an answer for each pair of protocols and a tool call, in 72 columns, and
    exits 0."""
    code, out, err = fairlead("demo", "--once", "--port", "0")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert re.fullmatch(r"fairlead \S+   http://localhost:\d+   demo, no API key needed", lines[0])
    assert lines[2].split() == ["asked", "in", *BY_NAME]
    for line, name in zip(lines[3:], BY_NAME, strict=False):
        asked, *cells = re.split(r"  +", line.strip())
        done = [re.fullmatch(r"(ok|same) (\d+ ms|\d+\.\d s)", cell)[1] for cell in cells]
        assert (asked, done) == (name, ["same" if name == other else "ok" for other in BY_NAME])
    assert re.fullmatch(r'  ok  tools +get_weather\(city="Turin"\), then an answer', lines[-2])
    assert max(map(len, lines)) <= 72


def test_demo_works_where_a_key_is_asked(fairlead):
    """Where clients must send a key, the demo sends it, and prints none."""
    code, out, _ = fairlead("demo", "--once", "--port", "0", FAIRLEAD_REQUIRE_KEY="on", FAIRLEAD_DEMO="off")
    assert code == 0
    assert (fairlead.home / "client.key").read_text().strip() not in out


def test_demo_needs_no_lookup_of_localhost(fairlead):
    """Where no name can be resolved, as in a container without a hosts file, the demo reaches itself by its address."""
    program = (
        "import socket, sys\n"
        "def refuse(host, *rest, real=socket.getaddrinfo, **named):\n"
        "    if host in ('localhost', b'localhost'): raise socket.gaierror(socket.EAI_NONAME, 'Name not known')\n"
        "    return real(host, *rest, **named)\n"
        "socket.getaddrinfo = refuse\n"
        "from router.__main__ import main\n"
        "sys.argv = ['fairlead', 'demo', '--once', '--port', '0']\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=fairlead.environ,
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://localhost:" in done.stdout


def test_demo_keeps_serving(fairlead):
    """Without --once it goes on serving, and says that it keeps the terminal, how to point a tool at it, how to add a
    backend and how to stop it."""
    process = fairlead.start("demo", "--port", "0")
    text = "\n".join(process.lines)
    # With the line of the command itself, all fits a terminal of the usual height.
    assert len(process.lines) < 24
    assert "Open a second one" in text
    assert "  fairlead run --model demo -- claude" in text
    assert "Add real backends:   fairlead init" in text
    assert "Ctrl-C stops the demo, or in the second terminal: fairlead stop" in text
    assert fairlead("stop").code == 0
    assert process.wait(PATIENCE) == 0


def test_demo_s_own_requests_are_not_in_the_history(fairlead):
    """They count in no sum of the user's and are held by no budget. The user's own requests to the demo are recorded;
    the demo has no accounts to name."""
    home = open_home(fairlead.environ)
    home.write("config.toml", b"[guard]\nday_tokens = 1\n")
    process = fairlead.start("demo", "--port", "0")
    [run] = run_files.live(home)
    body = b'{"model":"demo","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}'
    assert ask(run.port, "/v1/messages", body).status == 200
    assert fairlead("stop").code == 0
    assert process.wait(PATIENCE) == 0, [*process.lines, *process.stdout]
    used = fairlead("usage").out
    assert "1 request " in used
    assert re.search(r"^  account .*\n  demo  +1  ", used, re.MULTILINE)


def test_screen_of_a_narrow_terminal():
    """In 40 columns each has lines of its own; what is wrong is told in full, beside a table too."""
    outcomes = [
        Outcome("messages", "messages", True, "", 0.004),
        Outcome("messages", "responses", True, "", 0.1),
        Outcome("messages", "gemini", True, "", 0.006),
        Outcome("gemini", "messages", False, "status 500, the upstream of the demo did not answer", 0.0),
        Outcome("", "", True, 'get_weather(city="Turin"), then an answer', 0.01),
    ]
    assert screen.format_outcomes(outcomes, 40) == [
        "  ok  messages                same 4 ms",
        "  ok  messages -> responses   ok 0.1 s",
        "  ok  messages -> gemini      ok 6 ms",
        "  wrong  gemini -> messages",
        "      status 500, the upstream of the",
        "      demo did not answer",
        "  ok  tools",
        '      get_weather(city="Turin"), then an',
        "      answer",
    ]
    assert screen.format_outcomes(outcomes, 80) == [
        "  asked in    messages    responses   gemini",
        "  messages    same 4 ms   ok 0.1 s    ok 6 ms",
        "  responses",
        "  gemini      wrong",
        "  Down: the request's protocol. Across: the backend's. ok: translated.",
        "",
        "  wrong  gemini -> messages",
        "      status 500, the upstream of the demo did not answer",
        '  ok  tools                get_weather(city="Turin"), then an answer',
    ]
    lines = [
        *screen.format_head("http://localhost:3456", "demo, no provider's key needed", 40),
        *screen.format_next_steps(40, "a notice that is longer than the terminal is wide"),
    ]
    assert max(map(len, lines)) <= 40
    assert max(map(len, screen.format_outcomes(outcomes, 200))) <= 72


@pytest.mark.skipif(sys.platform == "win32", reason="ports are taken otherwise there")
def test_taken_port(fairlead):
    """The usual port taken: a free one is used, and said why. A port that was asked for taken: an error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        code, out, err = fairlead("demo", "--once", FAIRLEAD_PORT=port)
        assert code == 0
        assert f":{port} " not in out
        assert f"port {port} is taken by another program" in err
        assert "so the demo uses another port" in err
        code, _, err = fairlead("demo", "--once", "--port", port)
        assert code == 1
        assert f"port {port} is taken" in err
        assert "fairlead demo --port" in err


def test_port_of_the_running_proxy(fairlead):
    """Where this home's proxy has the port, the demo says that."""
    fairlead.start("proxy", "--port", "0")
    [run] = run_files.live(open_home(fairlead.environ))
    code, _, err = fairlead("demo", "--once", FAIRLEAD_PORT=str(run.port))
    assert (code, err) == (0, f"note: the running proxy has port {run.port}, so the demo uses another port.\n")


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
        (200, event({"candidates": [{"content": {"parts": []}}], "usageMetadata": {}})),
        (200, event({"candidates": [{"finishReason": "STOP"}]})),
        (
            200,
            event(
                {
                    "candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
                    "usageMetadata": {"a": 1},
                }
            ),
        ),
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
        ("gemini", False),
        ("tools", False),
    ]
    assert all(outcome.said for outcome in outcomes)


def test_an_answer_that_was_not_translated(fairlead):
    """A right answer by another way than the one that is shown counts as wrong."""
    process = fairlead.start("proxy", "--port", "0")
    url = re.search(r"http://localhost:\d+", "\n".join(process.lines))[0]
    restricted = {"messages": "demo:", "chat": "demo:"}
    outcomes = trio.run(send_requests, url, None, restricted)
    told = {outcome.label: (outcome.ok, outcome.said) for outcome in outcomes}
    assert told["messages -> chat"] == told["chat -> messages"] == (False, "it was not translated")
    assert told["chat"][0]
    assert fairlead("stop").code == 0
    assert process.wait(PATIENCE) == 0
