"""A scripted model that calls tools: it answers Messages, in streams, and keeps what it was sent."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

USAGE = {"input_tokens": 5, "output_tokens": 2}
DONE = {"type": "text", "text": "done"}


class Model(ThreadingHTTPServer):
    """requests: all bodies. choose: what it answers to one, as a block of content."""

    daemon_threads = True

    def __init__(self, choose):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root = f"http://127.0.0.1:{self.server_port}/v1"
        self.choose = choose
        self.requests = []

    def offered(self):
        """The names of all tools that it was offered."""
        return {name for body in self.requests for name in list_tools(body)}

    def results(self):
        """What tools gave back, as text, once for each call."""
        found = {one["tool_use_id"]: one for body in self.requests for one in find_results(body)}
        return [json.dumps(one) for one in found.values()]


def call(name, **arguments):
    """A call of a tool."""
    return {"type": "tool_use", "id": f"toolu_{name[-40:]}", "name": name, "input": arguments}


def list_tools(body):
    """The names of the tools in a request."""
    return [tool.get("name", "") for tool in body.get("tools", ())]


def find_results(body):
    """The results of tools in a request."""
    contents = [one["content"] for one in body["messages"] if isinstance(one["content"], list)]
    return [part for parts in contents for part in parts if part.get("type") == "tool_result"]


def ask_why(body):
    """Call the tool `why` of fairlead once it is offered, then end. Hosts put the server's name before the tool's in
    their own ways."""
    tool = next((name for name in list_tools(body) if name.endswith("why") and "fairlead" in name), None)
    return call(tool, id="latest") if tool is not None and not find_results(body) else DONE


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send("application/json", json.dumps({"data": [{"type": "model", "id": "claude-mock-1"}]}))

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(body)
        content = self.server.choose(body)
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"]}
        reason = "tool_use" if content["type"] == "tool_use" else "end_turn"
        if not body.get("stream"):
            whole = {**message, "content": [content], "stop_reason": reason, "stop_sequence": None, "usage": USAGE}
            self.send("application/json", json.dumps(whole))
            return
        self.send("text/event-stream", "".join(_iter_events(message, content, reason)))

    def send(self, kind, text):
        data = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        """Nothing."""


def _iter_events(message, content, reason):
    """The stream of an answer with one block."""
    head = {**message, "content": [], "stop_reason": None, "stop_sequence": None, "usage": USAGE}
    yield _format_event("message_start", message=head)
    if content["type"] == "text":
        yield _format_event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        delta = {"type": "text_delta", "text": content["text"]}
    else:
        yield _format_event("content_block_start", index=0, content_block={**content, "input": {}})
        delta = {"type": "input_json_delta", "partial_json": json.dumps(content["input"])}
    yield _format_event("content_block_delta", index=0, delta=delta)
    yield _format_event("content_block_stop", index=0)
    yield _format_event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=USAGE)
    yield _format_event("message_stop")


def _format_event(name, **fields):
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n"
