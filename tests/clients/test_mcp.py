"""Real agents start `fairlead mcp` and use it: a scripted model calls `why`, and is given what the history has.

Each is used where it is installed (`agents.find`)."""

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import tomlkit

from router.setup.registrations import REGISTRATIONS, Server, make_change
from router.setup.tool import Place

from ..e2e.processes import Proxy, backend
from . import agents

pytestmark = pytest.mark.slow
PROMPT = "use the fairlead tools: why was my last request slow?"
USAGE = {"input_tokens": 5, "output_tokens": 2}


class Model(ThreadingHTTPServer):
    """Calls the tool `why` of fairlead once it is offered, then says what it was given. requests: all bodies."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.server_port}/v1"
        self.requests = []

    def results(self):
        """What tools gave back, as text."""
        return [text for body in self.requests for text in find_results(body)]


def find_results(body):
    """The results of tools in a request."""
    if "input" in body:
        return [json.dumps(one["output"]) for one in body["input"] if one.get("type") == "function_call_output"]
    contents = [one["content"] for one in body["messages"] if isinstance(one["content"], list)]
    return [json.dumps(part) for parts in contents for part in parts if part.get("type") == "tool_result"]


class Handler(BaseHTTPRequestHandler):
    """Answers Messages, in streams."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send("application/json", json.dumps({"data": [{"type": "model", "id": "claude-mock-1"}]}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(body)
        names = [tool.get("name", "") for tool in body.get("tools", ())]
        tool = next((name for name in names if name.endswith("__why")), None)
        content = {"type": "text", "text": "done"}
        if tool is not None and not find_results(body):
            content = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {"id": "latest"}}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
        reason = "tool_use" if content["type"] == "tool_use" else "end_turn"
        if not body.get("stream"):
            whole = {**message, "content": [content], "stop_reason": reason, "stop_sequence": None, "usage": USAGE}
            self.send("application/json", json.dumps(whole))
            return
        self.send("text/event-stream", "".join(format_events(message, content, reason)))

    def send(self, kind, text):
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Nothing."""


def format_events(message, content, reason):
    """The stream of an answer with one block."""
    head = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
    yield format_event("message_start", message=head)
    if content["type"] == "text":
        yield format_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        delta = {"type": "text_delta", "text": content["text"]}
    else:
        yield format_event("content_block_start", index=0, content_block={**content, "input": {}})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(content["input"])}
    yield format_event("content_block_delta", index=0, delta=delta)
    yield format_event("content_block_stop", index=0)
    yield format_event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=USAGE)
    yield format_event("message_stop")


def format_event(name, **fields):
    """One event."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n"


@pytest.fixture
def model():
    """A scripted model."""
    with Model() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


ARGUMENTS = ["-m", "router", "mcp"]


@pytest.fixture
def proxy(tmp_path, model):
    """A proxy with the model; what Codex sends is translated for it."""
    entry = backend(
        "anthropic", model.root, protocols=("messages",), vendor="anthropic", auth="key", key="sk-mock-key-1"
    )
    with Proxy(tmp_path, backends=[entry], settings={"FAIRLEAD_DEMO": "off"}) as running:
        yield running


def run(name, tmp_path, arguments, **environ):
    """Run an agent in a folder of its own to its end."""
    program = agents.find(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    folder = tmp_path / "agent"
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done


def check(model, client):
    """All tools were offered to the model, and the one that it called named the request before."""
    offered = {tool["name"] for body in model.requests for tool in body.get("tools", ())}
    assert {"mcp__fairlead__why", "mcp__fairlead__status", "mcp__fairlead__doctor"} <= offered
    [result] = model.results()
    assert "claude-mock-1" in result
    assert "first_byte_ms" in result
    assert client in result


def test_claude_code_asks_why(tmp_path, model, proxy):
    """It speaks the stateless revision."""
    server = {"command": sys.executable, "args": ARGUMENTS, "env": {"FAIRLEAD_HOME": str(proxy.home)}}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"fairlead": {"type": "stdio", **server}}}))
    options = ["--mcp-config", str(config), "--strict-mcp-config", "--allowedTools", "mcp__fairlead__why"]
    run(
        "claude",
        tmp_path,
        ["-p", PROMPT, "--model", "claude-mock-1", *options],
        CLAUDE_CONFIG_DIR=str(tmp_path / "agent" / ".claude"),
        ANTHROPIC_BASE_URL=f"http://127.0.0.1:{proxy.port}",
        ANTHROPIC_AUTH_TOKEN="fairlead",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="1",
        # All tools are in the first request, which waits for the server.
        ENABLE_TOOL_SEARCH="false",
        MCP_CONNECTION_NONBLOCKING="false",
    )
    check(model, "claude-code")


def test_codex_asks_why(tmp_path, model, proxy):
    """It opens a session; its server is the one that `setup codex --mcp` writes."""
    folder = tmp_path / "agent" / ".codex"
    folder.mkdir(parents=True)
    server = Server((sys.executable, *ARGUMENTS), {"FAIRLEAD_HOME": str(proxy.home)})
    [change] = make_change(
        REGISTRATIONS["codex"], server, Place({"CODEX_HOME": str(folder)}, tmp_path, "linux")
    ).changes
    (folder / "config.toml").write_text(
        'model = "claude-mock-1"\nmodel_provider = "gw"\napproval_policy = "never"\n'
        'sandbox_mode = "danger-full-access"\ncheck_for_update_on_startup = false\n[analytics]\nenabled = false\n'
        f'[model_providers.gw]\nname = "gw"\nbase_url = "http://127.0.0.1:{proxy.port}/v1"\nwire_api = "responses"\n'
        + tomlkit.dumps({change.path[0]: {change.path[1]: change.value}})
    )
    run("codex", tmp_path, ["exec", "--skip-git-repo-check", PROMPT], CODEX_HOME=str(folder))
    check(model, "codex")
