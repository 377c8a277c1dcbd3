"""A backend of one protocol whose model does what a test says: it calls one tool, and says so once that has answered.

It is made of the standard library and knows nothing of the project, so that what a client gets through the proxy is
compared with what a client of the protocol itself would get.
"""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

DONE = "ROUND-DONE-7431"


class Asked(NamedTuple):
    """One request. fields: its headers by lower-case name. body: its JSON, None when it had no body."""

    method: str
    path: str
    fields: dict
    body: dict | None


class Model:
    """The backend. protocol: messages, chat or responses. name, arguments: of the tool it calls. models: what it lists.
    refuse: (Asked) -> status, headers and JSON of an error, or None. requests: all that it got; seen: the bodies of
    those for text, as JSON."""

    def __init__(self, protocol, name, arguments, *, models=(), refuse=None):
        self.protocol, self.name, self.arguments = protocol, name, arguments
        self.seen = []
        self.requests = []
        self._refuse = refuse or (lambda asked: None)
        listed = json.dumps({"object": "list", "data": [{"id": name, "type": "model"} for name in models]}).encode()
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self._note(None)
                self._send(listed, "application/json")

            def do_HEAD(self):
                self._note(None)
                self._send(b"", "text/plain")

            def do_POST(self):
                data = self.rfile.read(int(self.headers["content-length"]))
                if self.headers["content-encoding"] == "gzip":
                    data = gzip.decompress(data)
                asked = self._note(json.loads(data))
                refused = model._refuse(asked)
                if refused is not None:
                    status, fields, error = refused
                    self._send(json.dumps(error).encode(), "application/json", status, fields)
                    return
                model.seen.append(asked.body)
                self._send(*write_answer(model, asked.body))

            def _note(self, body):
                fields = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, fields, body)
                model.requests.append(asked)
                return asked

            def _send(self, data, kind, status=200, fields=()):
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def calls_now(self, asked):
        """True while the tool is declared and has not answered."""
        results = ('"tool_result"', '"role": "tool"', "_call_output")
        declared = any(self.name in json.dumps(tool) for tool in asked.get("tools") or ())
        said = json.dumps(asked.get("messages") or asked.get("input"))
        return declared and not any(mark in said for mark in results)


def write_answer(model, asked):
    """The bytes of the answer to a request's body, whole or as a stream, and their type. model: its protocol and
    `calls_now` say what it is."""
    if not asked.get("stream"):
        return json.dumps(_WHOLE[model.protocol]).encode(), "application/json"
    data = "".join(map(_frame, _ANSWERS[model.protocol](model, asked)))
    return (data + "data: [DONE]\n\n" * (model.protocol == "chat")).encode(), "text/event-stream"


def _frame(event):
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n"


def _messages(model, asked):
    usage = {"input_tokens": 10, "output_tokens": 5}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    yield {"type": "message_start", "message": message}
    calls = model.calls_now(asked)
    if calls:
        block = {"type": "tool_use", "id": "toolu_1", "name": model.name, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in _pieces(json.dumps(model.arguments))]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in _pieces(DONE)]
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    delta = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": usage}
    yield {"type": "message_stop"}


def _chat(model, asked):
    def chunk(delta, finish=None, **fields):
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **fields}

    yield chunk({"role": "assistant", "content": ""})
    calls = model.calls_now(asked)
    if calls:
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": model.name, "arguments": ""}}
        yield chunk({"tool_calls": [call]})
        for part in _pieces(json.dumps(model.arguments)):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
    else:
        for part in _pieces(DONE):
            yield chunk({"content": part})
    yield chunk({}, "tool_calls" if calls else "stop")
    yield chunk({}) | {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}


def _responses(model, asked):
    response = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "output": []}
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    yield {"type": "response.created", "response": {**response, "status": "in_progress"}}
    where = {"item_id": "it_1", "output_index": 0}
    if model.calls_now(asked):
        said = json.dumps(model.arguments)
        item = {"id": "it_1", "type": "function_call", "call_id": "call_1", "name": model.name, "arguments": said}
        yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}}
        for part in _pieces(said):
            yield {"type": "response.function_call_arguments.delta", **where, "delta": part}
    else:
        content = [{"type": "output_text", "text": DONE, "annotations": []}]
        item = {"id": "it_1", "type": "message", "role": "assistant", "content": content}
        yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}
        for part in _pieces(DONE):
            yield {"type": "response.output_text.delta", **where, "content_index": 0, "delta": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    ended = {**response, "status": "completed", "output": [item], "usage": {**usage, **details}}
    yield {"type": "response.completed", "response": ended}


def _pieces(text):
    return [text[at : at + 7] for at in range(0, len(text), 7)]


_WHOLE = {
    "messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": DONE}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 5},
    },
    "chat": {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": DONE}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    },
}
_WHOLE["responses"] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "output": [
        {
            "id": "it_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": DONE, "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15},
}
_ANSWERS = {"messages": _messages, "chat": _chat, "responses": _responses}
