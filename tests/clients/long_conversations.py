"""An upstream that refuses one request of an agent as too long, and answers all others."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = "MOCK-ANSWER-7431"
_COMMAND = json.dumps({"command": "echo mock-tool-ran"})


class Upstream:
    """A server of all three protocols. error: status and body of the refusal. tool: the tool that is called before it,
    None to refuse the first request. root: its address, without /v1."""

    def __init__(self, error, *, tool=None):
        self.error, self.tool = error, tool
        #: (path, body) of each request for text, as they came; and how many had come when one was refused.
        self.asked = []
        self.refused = None
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._send(*outer.answer(self.path, body))

            def do_GET(self):
                self._send(404, "application/json", b'{"error":{"message":"no"}}')

            def _send(self, status, kind, body):
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(self, path, body):
        """Status, type and body of the answer to a request."""
        if path.endswith("count_tokens"):
            return 404, "application/json", b'{"error":{"message":"no such path"}}'
        text = json.dumps(body)
        with self._lock:
            self.asked.append((path, text))
            tools = self.tool is None or f'"{self.tool}"' in text
            if (
                self.refused is None
                and tools
                and (self.tool is None or ("mock-tool-ran" in text and _has_result(text)))
            ):
                self.refused = len(self.asked)
                status, refusal = self.error
                return status, "application/json", json.dumps(refusal).encode()
            calls = self.refused is None and tools and self.tool is not None
        made = _WRITERS[path.split("?")[0].rpartition("/v1/")[2]](self.tool if calls else None)
        return 200, "text/event-stream", b"".join(made)

    @property
    def later(self):
        """The requests behind the one that was refused."""
        return [text for _, text in self.asked[self.refused or len(self.asked) :]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def _has_result(text):
    return any(mark in text for mark in ('"role": "tool"', '"tool_result"', '"function_call_output"'))


def _event(payload):
    named = f"event: {payload['type']}\n" if "type" in payload else ""
    return f"{named}data: {json.dumps(payload)}\n\n".encode()


def _write_chat(tool):
    shell = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": tool, "arguments": _COMMAND}}
    delta = {"role": "assistant", "content": ANSWER} if tool is None else {"role": "assistant", "tool_calls": [call]}
    yield _event({**shell, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
    ending = {"index": 0, "delta": {}, "finish_reason": "stop" if tool is None else "tool_calls"}
    usage = {"prompt_tokens": 900, "completion_tokens": 9, "total_tokens": 909}
    yield _event({**shell, "choices": [ending], "usage": usage})
    yield b"data: [DONE]\n\n"


def _write_messages(tool):
    usage = {"input_tokens": 900, "output_tokens": 1}
    shell = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    yield _event({"type": "message_start", "message": {**shell, "stop_reason": None, "stop_sequence": None}})
    if tool is None:
        block, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": ANSWER}
    else:
        block = {"type": "tool_use", "id": "toolu_1", "name": tool, "input": {}}
        delta = {"type": "input_json_delta", "partial_json": _COMMAND}
    yield _event({"type": "content_block_start", "index": 0, "content_block": block})
    yield _event({"type": "content_block_delta", "index": 0, "delta": delta})
    yield _event({"type": "content_block_stop", "index": 0})
    ending = {"stop_reason": "end_turn" if tool is None else "tool_use", "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 9}})
    yield _event({"type": "message_stop"})


def _write_responses(_):
    part = {"type": "output_text", "text": ANSWER, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 900, "output_tokens": 9, "total_tokens": 909, **details}
    shell = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": [], "error": None}
    yield _event({"type": "response.created", "response": {**shell, "status": "in_progress"}})
    yield _event({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}})
    yield _event({"type": "response.output_item.done", "output_index": 0, "item": item})
    done = {**shell, "status": "completed", "output": [item], "usage": usage}
    yield _event({"type": "response.completed", "response": done})


_WRITERS = {"chat/completions": _write_chat, "messages": _write_messages, "responses": _write_responses}
